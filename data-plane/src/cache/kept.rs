//! An answer that is kept.

use std::fmt;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use shared::ids::Id;

/// What an answer takes beside its body, its headers and its names, in bytes: its key, and its places in the store.
const OVERHEAD: usize = 320;

/// The headers that are kept. All others are of the one request, of the provider's account, or of the connection.
const HEADERS: [HeaderName; 4] = [
    CONTENT_TYPE,
    CACHE_CONTROL,
    HeaderName::from_static("x-accel-buffering"),
    HeaderName::from_static("x-orchestration-dropped"),
];

/// Who made an answer, and under which config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maker {
    /// The id of the group.
    pub group: Id,
    /// The identity of what the config says of the group's answers.
    pub config: u128,
    /// The model that was asked in place of the one that was asked for, as a client would name it.
    pub model: Option<String>,
}

/// An answer that is kept, as it went to the client.
pub struct KeptAnswer {
    /// Its headers, as far as they are the same for every request.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Whether the body is a stream of events.
    pub streams: bool,
    /// Who made it.
    pub maker: Maker,
    /// When it was whole, by [`shared::time::steady_ms`].
    pub made_ms: i64,
    /// Until when it may be given, by the same clock.
    pub until_ms: i64,
}

impl fmt::Debug for KeptAnswer {
    /// Without what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAnswer")
            .field("maker", &self.maker)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl KeptAnswer {
    /// The part of the `headers` of an answer that is kept with it.
    pub(super) fn headers_of(headers: &HeaderMap) -> HeaderMap {
        let kept = |name: &HeaderName| headers.get(name).map(|value: &HeaderValue| (name.clone(), value.clone()));
        HEADERS.iter().filter_map(kept).collect()
    }

    /// How old the answer is at `now_ms`, in milliseconds.
    pub fn age_ms(&self, now_ms: i64) -> u64 {
        u64::try_from(now_ms - self.made_ms).unwrap_or_default()
    }

    /// The bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        let named = self.maker.model.as_ref().map_or(0, String::len);
        OVERHEAD + self.body.len() + headers + named
    }
}
