//! Which headers of a provider go to the client: those on a list. Others tell of the operator's account, or belong to the connection.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, RETRY_AFTER};

use crate::route::table::RoutedKey;

const FORWARDED: [HeaderName; 8] = [
    CONTENT_TYPE,
    CONTENT_DISPOSITION,
    CACHE_CONTROL,
    RETRY_AFTER,
    HeaderName::from_static("retry-after-ms"),
    HeaderName::from_static("x-should-retry"),
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
];

/// OpenAI's rate limits: `x-ratelimit-limit-requests`, `x-ratelimit-remaining-tokens` and so on.
const RATE_LIMITS: &str = "x-ratelimit-";

/// Copies from `upstream` to `client` what may go there. A value that holds the upstream key does not.
pub fn forward(upstream: &HeaderMap, client: &mut HeaderMap, key: &RoutedKey) {
    let leaks = |value: &[u8]| key.leak.as_ref().is_some_and(|leak| leak.find(value).is_some());
    for (name, value) in upstream {
        let listed = FORWARDED.contains(name) || name.as_str().starts_with(RATE_LIMITS);
        if listed && !leaks(value.as_bytes()) {
            client.append(name.clone(), value.clone());
        }
    }
}
