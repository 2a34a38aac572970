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

/// What vendors call the id of a request: OpenAI, Anthropic, Azure, Bedrock.
const REQUEST_IDS: [HeaderName; 4] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("apim-request-id"),
    HeaderName::from_static("x-amzn-requestid"),
];

/// Where the client finds it: its `x-request-id` is the gateway's (translation specification, 5).
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// Copies from `upstream` to `client` what may go there. A value that holds the upstream key does not.
pub fn forward(upstream: &HeaderMap, client: &mut HeaderMap, key: &RoutedKey) {
    let leaks = |value: &[u8]| key.leak.as_ref().is_some_and(|leak| leak.find(value).is_some());
    for (name, value) in upstream {
        let listed = FORWARDED.contains(name) || name.as_str().starts_with(RATE_LIMITS);
        if listed && !leaks(value.as_bytes()) {
            client.append(name.clone(), value.clone());
        }
    }
    let id = REQUEST_IDS.iter().find_map(|name| upstream.get(name)).filter(|id| !leaks(id.as_bytes()));
    if let Some(id) = id {
        client.insert(UPSTREAM_REQUEST_ID, id.clone());
    }
}

/// Tells a client of another format of Anthropic's limits in OpenAI's words, which gateways have made everyone's (translation specification, 5).
pub fn translate_limits(upstream: &HeaderMap, client: &mut HeaderMap) {
    for of in ["requests", "tokens"] {
        for what in ["limit", "remaining", "reset"] {
            let value = upstream.get(format!("anthropic-ratelimit-{of}-{what}"));
            let value = if what == "reset" { value.and_then(until) } else { value.cloned() };
            if let (Some(value), Ok(name)) = (value, HeaderName::try_from(format!("x-ratelimit-{what}-{of}"))) {
                client.entry(name).or_insert(value);
            }
        }
    }
}

/// The time until a moment (RFC 3339), as OpenAI has it: `30s`.
fn until(moment: &HeaderValue) -> Option<HeaderValue> {
    let moment: Timestamp = moment.to_str().ok()?.parse().ok()?;
    let seconds = moment.duration_since(Timestamp::now()).as_secs_f64().max(0.0).ceil();
    HeaderValue::try_from(format!("{seconds}s")).ok()
}
