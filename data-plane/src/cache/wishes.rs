//! What a client says of answers from memory, in `cache-control` (RFC 9111, section 5.2.1).

use http::HeaderMap;
use http::header::CACHE_CONTROL;

use super::kept::KeptAnswer;

/// What a client says of answers from memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    no_store: bool,
    no_cache: bool,
    max_age_ms: Option<u64>,
}

impl Wishes {
    /// What `headers` say: `no-store`, `no-cache` and `max-age`. All else says nothing here.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut wishes = Self::default();
        let values = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
        for directive in values.flat_map(|value| value.split(',')) {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => wishes.no_store = true,
                "no-cache" => wishes.no_cache = true,
                // What is no number of seconds counts as 0, the careful reading.
                "max-age" => {
                    let seconds: u64 = argument.trim().trim_matches('"').parse().unwrap_or_default();
                    wishes.max_age_ms = Some(seconds.saturating_mul(1000));
                }
                _ => {}
            }
        }
        wishes
    }

    /// Whether an answer may be kept, or one from memory be given.
    pub fn stores(self) -> bool {
        !self.no_store
    }

    /// Whether an answer from memory may be given.
    pub(super) fn reads(self) -> bool {
        self.stores() && !self.no_cache && self.max_age_ms != Some(0)
    }

    /// Whether `kept` is young enough at `now_ms`.
    pub(super) fn take(self, kept: &KeptAnswer, now_ms: i64) -> bool {
        self.max_age_ms.is_none_or(|most| kept.age_ms(now_ms) <= most)
    }
}

#[cfg(test)]
mod tests;
