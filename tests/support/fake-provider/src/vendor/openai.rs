//! OpenAI's errors (platform.openai.com/docs/guides/error-codes) and headers, as recorded.

use serde_json::{Value, json};

use crate::refusal::Refusal;

pub(super) const HEADERS: &[(&str, &str)] = &[
    ("openai-organization", "fake-organization"),
    ("openai-processing-ms", "7"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "1000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "999977"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "1ms"),
    ("x-request-id", "req_fake"),
];

pub(super) fn no_key() -> Refusal {
    Refusal::new(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth \
         (i.e. Authorization: Bearer YOUR_KEY).",
    )
}

pub(super) fn error(refusal: &Refusal) -> Value {
    json!({ "error": {
        "message": refusal.message,
        "type": refusal.kind.unwrap_or(if refusal.status < 500 { "invalid_request_error" } else { "server_error" }),
        "param": refusal.param,
        "code": refusal.code,
    } })
}

pub(super) fn words(status: u16, model: &str) -> Refusal {
    match status {
        401 => Refusal::new(
            401,
            "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
        )
        .code("invalid_api_key"),
        403 => Refusal::new(403, "You do not have access to this resource.").code("access_denied"),
        404 => Refusal::new(404, format!("The model `{model}` does not exist or you do not have access to it."))
            .code("model_not_found"),
        429 => Refusal::new(429, "Rate limit reached for requests. Please try again in 20ms.")
            .kind("requests")
            .code("rate_limit_exceeded"),
        400..=499 => Refusal::new(status, "The request was not understood."),
        503 => Refusal::new(503, "The engine is currently overloaded, please try again later."),
        _ => Refusal::new(status, "The server had an error while processing your request. Sorry about that!"),
    }
}
