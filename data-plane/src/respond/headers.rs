//! Passes on the headers of a provider that are on a list. Others tell of the operator's account, or belong to the
//! connection.

use std::time::Duration;

use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use translation::Format;
use translation::format::Family;
use translation::ir::Dropped;

use crate::route::table::RoutedKey;

/// Tells the client what the answer costs, in dollars.
pub(super) const COST: HeaderName = HeaderName::from_static("x-orchestration-cost");

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

/// How the headers with OpenAI's rate limits begin: `x-ratelimit-limit-requests`, `x-ratelimit-remaining-tokens` and so
/// on.
pub(super) const RATE_LIMITS: &str = "x-ratelimit-";

/// How the headers with Anthropic's rate limits begin: `anthropic-ratelimit-requests-limit`,
/// `anthropic-ratelimit-tokens-reset` and so on.
pub(super) const ANTHROPIC_RATE_LIMITS: &str = "anthropic-ratelimit-";

/// Headers in which vendors name the request with an id of their own. In this order: Anthropic; OpenAI and most vendors
/// that are compatible with it; Amazon; Azure.
const REQUEST_IDS: [HeaderName; 4] = [
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-amzn-requestid"),
    HeaderName::from_static("apim-request-id"),
];

/// The provider's id of the request, which its support asks for (`docs/TRANSLATION.md` section 5). `x-request-id` is
/// the gateway's own.
const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// Names in the answer what was left out of the request (`docs/TRANSLATION.md` section 0.1).
pub fn name_dropped(response: &mut Response, dropped: &Dropped) {
    if let Ok(value) = HeaderValue::from_str(&dropped.names().join(","))
        && !dropped.is_empty()
    {
        response.headers_mut().insert("x-orchestration-dropped", value);
    }
}

/// Copies the headers that may go to a client of `format` from `upstream` to `client`. One that holds a secret, in its
/// name or its value, is left out.
pub fn forward(upstream: &HeaderMap, client: &mut HeaderMap, key: &RoutedKey, format: Format) {
    for (name, value) in upstream {
        let copy = || (name.clone(), value.clone());
        let (name, value) = if FORWARDED.contains(name) || name.as_str().starts_with(RATE_LIMITS) {
            copy()
        } else if REQUEST_IDS.contains(name) && !client.contains_key(UPSTREAM_REQUEST_ID) {
            (UPSTREAM_REQUEST_ID, value.clone())
        } else if let Some(limit) = name.as_str().strip_prefix(ANTHROPIC_RATE_LIMITS) {
            // Clients of other gateways look for OpenAI's names, whatever the API.
            let own = format.family() == Family::Anthropic;
            match if own { Some(copy()) } else { openai_rate_limit(limit, value) } {
                Some(limit) => limit,
                None => continue,
            }
        } else {
            continue;
        };
        if !key.leak.is_in(value.as_bytes()) && !key.leak.is_in(name.as_str().as_bytes()) {
            client.append(name, value);
        }
    }
}

/// OpenAI's name and value for the header of Anthropic that ends in `limit`. None for windows that OpenAI does not
/// have, such as those of input tokens alone.
fn openai_rate_limit(limit: &str, value: &HeaderValue) -> Option<(HeaderName, HeaderValue)> {
    let (window @ ("requests" | "tokens"), what) = limit.split_once('-')? else { return None };
    let value = match what {
        "limit" | "remaining" => value.clone(),
        // Anthropic gives a time. OpenAI gives how long it is until then: `1s`, `6m0s`.
        "reset" => {
            let at: Timestamp = value.to_str().ok()?.parse().ok()?;
            let left = at.duration_since(Timestamp::now());
            duration_text(left.try_into().unwrap_or_default()).parse().ok()?
        }
        _ => return None,
    };
    Some((format!("{RATE_LIMITS}{what}-{window}").parse().ok()?, value))
}

/// How OpenAI writes how long something takes, in whole seconds: `1s`, `6m0s`.
pub(super) fn duration_text(left: Duration) -> String {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    if minutes > 0 { format!("{minutes}m{seconds}s") } else { format!("{seconds}s") }
}

/// Tells caches and proxies on the way to leave the stream alone.
pub(super) fn as_stream(response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

#[cfg(test)]
mod tests;
