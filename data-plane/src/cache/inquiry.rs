//! A request, as far as its answer depends on it.

use bytes::Bytes;
use http::HeaderMap;
use shared::crypto::{KEY_LEN, sha256};
use translation::Format;
use translation::object::Object;

use super::fitness::{self, Unfit};
use super::normal::normalise;

/// The largest request that may be answered from memory, in bytes.
const LARGEST: usize = 1024 * 1024;

/// What keys mean. It changes with what goes into them.
const MEANING: &[u8] = b"answers-1";

/// What an answer is kept under: a digest of all that it depends on (SHA-256).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey([u8; KEY_LEN]);

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'r> {
    /// The format of the client's API.
    pub format: Format,
    /// The endpoint beside chat; empty for chat.
    pub endpoint: &'r str,
    /// The query, without a credential.
    pub query: &'r str,
    /// The headers of the request.
    pub headers: &'r HeaderMap,
    /// The body, which is a JSON object.
    pub body: &'r Bytes,
    /// The model, as the client names it.
    pub model: &'r str,
    /// Whether the answer is to be a stream.
    pub stream: bool,
}

impl Inquiry<'_> {
    /// The key of the answer to the client whose proxy key is `tenant`, under a config with the identity `config`. A
    /// client may have narrowed where the request goes, by `hints`.
    ///
    /// # Errors
    /// [`Unfit`]: the request is none that is answered from memory.
    pub fn key(&self, tenant: &str, config: u128, hints: &str) -> Result<CacheKey, Unfit> {
        if self.body.len() > LARGEST {
            return Err(Unfit::Large);
        }
        let object = Object::read(self.body).map_err(|_| Unfit::Unread)?;
        fitness::check(self.format, &object)?;
        let text = std::str::from_utf8(self.body).map_err(|_| Unfit::Unread)?;
        let mut all = Vec::with_capacity(self.body.len() + 512);
        all.extend_from_slice(MEANING);
        let mut put = |part: &[u8]| {
            // Where one part ends matters, too.
            all.extend_from_slice(&(part.len() as u64).to_le_bytes());
            all.extend_from_slice(part);
        };
        for part in [tenant, self.format.facts().name, self.endpoint, self.query, self.model, hints] {
            put(part.as_bytes());
        }
        put(&config.to_le_bytes());
        put(&[u8::from(self.stream)]);
        for name in self.format.facts().request_headers {
            for value in self.headers.get_all(*name) {
                put(name.as_bytes());
                put(value.as_bytes());
            }
        }
        put(b"");
        normalise(text, fitness::without_meaning(self.format), &mut all)?;
        Ok(CacheKey(sha256(&all)))
    }
}

#[cfg(test)]
impl CacheKey {
    /// A key that differs from those of other numbers.
    pub(super) fn numbered(number: u64) -> Self {
        Self(sha256(&number.to_le_bytes()))
    }
}

#[cfg(test)]
mod tests;
