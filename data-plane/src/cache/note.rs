//! What the client is told of the cache.

use axum::response::Response;
use http::header::AGE;
use http::{HeaderName, HeaderValue};

use super::CacheResult;
use super::recording::Recording;

const CACHE: HeaderName = HeaderName::from_static("x-orchestration-cache");

/// What is told of the cache with an answer for which it is on.
#[derive(Debug)]
pub enum CacheNote {
    /// The answer comes from memory, and is so many milliseconds old.
    Hit(u64),
    /// It does not. It may be kept.
    Miss(Option<Box<Recording>>),
}

impl CacheNote {
    /// `response` with what is told. An answer that may be kept is written down from here on.
    pub fn shown(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        match self {
            Self::Hit(age_ms) => {
                headers.insert(CACHE, HeaderValue::from_static(CacheResult::Hit.name()));
                // RFC 9111, section 5.1: in seconds.
                headers.insert(AGE, HeaderValue::from(age_ms / 1000));
                response
            }
            Self::Miss(recording) => {
                headers.insert(CACHE, HeaderValue::from_static(CacheResult::Miss.name()));
                match recording {
                    Some(recording) => recording.of(response),
                    None => response,
                }
            }
        }
    }
}
