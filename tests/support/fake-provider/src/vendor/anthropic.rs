//! Anthropic's errors (docs.claude.com/en/api/errors) and headers, as recorded.

use serde_json::{Value, json};

use crate::refusal::Refusal;

const REQUEST_ID: &str = "req_fake";

pub(super) const HEADERS: &[(&str, &str)] = &[
    ("anthropic-organization-id", "fake-organization"),
    ("anthropic-ratelimit-input-tokens-limit", "4000000"),
    ("anthropic-ratelimit-input-tokens-remaining", "4000000"),
    ("anthropic-ratelimit-input-tokens-reset", "2026-11-23T10:00:00Z"),
    ("anthropic-ratelimit-output-tokens-limit", "800000"),
    ("anthropic-ratelimit-output-tokens-remaining", "800000"),
    ("anthropic-ratelimit-output-tokens-reset", "2026-11-23T10:00:00Z"),
    ("anthropic-ratelimit-requests-limit", "20000"),
    ("anthropic-ratelimit-requests-remaining", "19999"),
    ("anthropic-ratelimit-requests-reset", "2026-11-23T10:00:00Z"),
    ("anthropic-ratelimit-tokens-limit", "4800000"),
    ("anthropic-ratelimit-tokens-remaining", "4800000"),
    ("anthropic-ratelimit-tokens-reset", "2026-11-23T10:00:00Z"),
    ("request-id", REQUEST_ID),
];

pub(super) fn headers_of(status: u16) -> &'static [(&'static str, &'static str)] {
    match status {
        429 => &[
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("retry-after", "1"),
            ("x-should-retry", "true"),
        ],
        500.. => &[("x-should-retry", "true")],
        400.. => &[("x-should-retry", "false")],
        _ => &[],
    }
}

pub(super) fn no_key() -> Refusal {
    Refusal::new(401, "x-api-key header is required")
}

pub(super) fn error(refusal: &Refusal) -> Value {
    let kind = refusal.kind.unwrap_or(match refusal.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    });
    envelope(&json!({ "type": kind, "message": refusal.message }))
}

pub(super) fn envelope(error: &Value) -> Value {
    json!({ "type": "error", "error": error, "request_id": REQUEST_ID })
}

pub(super) fn words(status: u16, model: &str) -> Refusal {
    let message = match status {
        401 => "invalid x-api-key".to_owned(),
        403 => "Your API key does not have permission to use the specified resource.".to_owned(),
        404 => format!("model: {model}"),
        413 => "Request exceeds the maximum size".to_owned(),
        429 => "This request would exceed the rate limit for your organization of 20,000 input tokens per minute. For \
                details, refer to: https://docs.anthropic.com/en/api/rate-limits."
            .to_owned(),
        529 | 503 => "Overloaded".to_owned(),
        400..=499 => "The request was not understood.".to_owned(),
        _ => "Internal server error".to_owned(),
    };
    Refusal::new(status, message)
}
