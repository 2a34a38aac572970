//! Which headers of a provider go to the client: those on a list. Others tell of the operator's account, or belong to the connection.

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

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

/// Anthropic's rate limits, for clients that know OpenAI's names of them (translation specification, 5).
const ANTHROPICS_LIMITS: [(&str, HeaderName); 6] = [
    ("anthropic-ratelimit-requests-limit", HeaderName::from_static("x-ratelimit-limit-requests")),
    ("anthropic-ratelimit-requests-remaining", HeaderName::from_static("x-ratelimit-remaining-requests")),
    ("anthropic-ratelimit-requests-reset", HeaderName::from_static("x-ratelimit-reset-requests")),
    ("anthropic-ratelimit-tokens-limit", HeaderName::from_static("x-ratelimit-limit-tokens")),
    ("anthropic-ratelimit-tokens-remaining", HeaderName::from_static("x-ratelimit-remaining-tokens")),
    ("anthropic-ratelimit-tokens-reset", HeaderName::from_static("x-ratelimit-reset-tokens")),
];

/// The provider's own id of the request: Anthropic's name of it, and OpenAI's.
const IDS: [&str; 2] = ["request-id", "x-request-id"];

/// Where a client finds that id beside the gateway's own (translation specification, 5).
const UPSTREAM_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// Copies from `upstream` to `client` what may go there. A value that holds the upstream key does not.
pub fn forward(upstream: &HeaderMap, client: &mut HeaderMap, key: &RoutedKey) {
    let leaks = |value: &[u8]| key.leak.as_ref().is_some_and(|leak| leak.find(value).is_some());
    for (name, value) in upstream {
        let listed = FORWARDED.contains(name) || name.as_str().starts_with(RATE_LIMITS);
        if listed && !leaks(value.as_bytes()) {
            client.append(name.clone(), value.clone());
        }
    }
    let fit = |name: &str| upstream.get(name).filter(|value| !leaks(value.as_bytes()));
    for (anthropics, name) in ANTHROPICS_LIMITS {
        let value = fit(anthropics)
            .and_then(|value| if anthropics.ends_with("-reset") { until(value) } else { Some(value.clone()) });
        if let Some(value) = value {
            client.insert(name, value);
        }
    }
    if let Some(id) = IDS.into_iter().find_map(fit) {
        client.insert(UPSTREAM_ID, id.clone());
    }
}

/// How long it is until `time` (RFC 3339), as OpenAI writes it: `12s`.
fn until(time: &HeaderValue) -> Option<HeaderValue> {
    let time: Timestamp = time.to_str().ok()?.parse().ok()?;
    let seconds = time.duration_since(Timestamp::now()).as_secs_f64().max(0.0).ceil();
    HeaderValue::from_str(&format!("{seconds}s")).ok()
}
