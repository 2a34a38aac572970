//! Tells the client how much is left of its limits: OpenAI's headers (API reference, "Rate limits", *Rate limits in
//! headers*), and for clients of Anthropic's API its own (Claude API documentation, "Rate limits", *Response headers*).

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use shared::time::{now_ms, rfc3339};
use translation::Format;
use translation::format::Family;

use super::headers::{ANTHROPIC_RATE_LIMITS, RATE_LIMITS, duration_text};
use crate::limit::standing::{LimitStanding, Standing};

/// The names of one unit, with the beginnings that OpenAI's and Anthropic's headers have.
struct Names {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

const OPENAI: [Names; 2] = [
    Names {
        limit: HeaderName::from_static("x-ratelimit-limit-requests"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-requests"),
        reset: HeaderName::from_static("x-ratelimit-reset-requests"),
    },
    Names {
        limit: HeaderName::from_static("x-ratelimit-limit-tokens"),
        remaining: HeaderName::from_static("x-ratelimit-remaining-tokens"),
        reset: HeaderName::from_static("x-ratelimit-reset-tokens"),
    },
];

const ANTHROPIC: [Names; 2] = [
    Names {
        limit: HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        remaining: HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
        reset: HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    },
    Names {
        limit: HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
        remaining: HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
        reset: HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    },
];

/// `response` to a client of `format` with how its limits stand, in place of what a provider says of those of the
/// operator's account.
pub fn shown(mut response: Response, standing: &Standing, format: Format) -> Response {
    let units = [standing.requests, standing.tokens];
    if units.iter().all(Option::is_none) {
        return response;
    }
    let headers = response.headers_mut();
    let providers =
        |name: &&HeaderName| name.as_str().starts_with(RATE_LIMITS) || name.as_str().starts_with(ANTHROPIC_RATE_LIMITS);
    let theirs: Vec<_> = headers.keys().filter(providers).cloned().collect();
    for name in theirs {
        headers.remove(name);
    }
    for (names, standing) in OPENAI.iter().zip(units) {
        put(headers, names, standing, duration_text);
    }
    if format.family() == Family::Anthropic {
        for (names, standing) in ANTHROPIC.iter().zip(units) {
            put(headers, names, standing, time_text);
        }
    }
    response
}

fn put(headers: &mut HeaderMap, names: &Names, standing: Option<LimitStanding>, text: fn(Duration) -> String) {
    let Some(LimitStanding { amount, remaining, reset }) = standing else { return };
    headers.insert(names.limit.clone(), HeaderValue::from(amount));
    headers.insert(names.remaining.clone(), HeaderValue::from(remaining));
    if let Ok(reset) = HeaderValue::try_from(text(reset)) {
        headers.insert(names.reset.clone(), reset);
    }
}

/// The time after `pause`, in whole seconds.
fn time_text(pause: Duration) -> String {
    let until = now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    rfc3339(until.saturating_add(999) / 1_000 * 1_000)
}
