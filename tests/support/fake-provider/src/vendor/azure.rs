//! Azure OpenAI's errors and headers, as recorded: the gateway in front of the models has codes and words of its own.

use serde_json::{Value, json};

use crate::refusal::Refusal;

pub(super) const HEADERS: &[(&str, &str)] = &[
    ("apim-request-id", "01234567-89ab-7def-8123-456789abcdef"),
    ("azureml-model-session", "fake"),
    ("x-content-type-options", "nosniff"),
    ("x-ms-region", "Fake Region"),
    ("x-ratelimit-remaining-requests", "119"),
    ("x-ratelimit-remaining-tokens", "119984"),
    ("x-request-id", "01234567-89ab-7def-8123-456789abcdef"),
];

pub(super) fn headers_of(status: u16) -> &'static [(&'static str, &'static str)] {
    if status == 429 { &[("retry-after", "1"), ("retry-after-ms", "1000")] } else { &[] }
}

pub(super) fn no_key() -> Refusal {
    words(401, "")
}

/// An error as Azure writes it. Without a better code, the code is the status.
pub(super) fn error(refusal: &Refusal) -> Value {
    let code = refusal.code.map_or_else(|| refusal.status.to_string(), str::to_owned);
    let mut error = json!({ "code": code, "message": refusal.message });
    if let Some(kind) = refusal.kind {
        error["type"] = json!(kind);
    }
    if let Some(param) = &refusal.param {
        error["param"] = json!(param);
    }
    json!({ "error": error })
}

pub(super) fn words(status: u16, model: &str) -> Refusal {
    match status {
        401 => Refusal::new(
            401,
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an \
             active subscription and use a correct regional API endpoint for your resource.",
        ),
        404 => Refusal::new(
            404,
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, \
             please wait a moment and try again.",
        )
        .kind("invalid_request_error")
        .code("DeploymentNotFound"),
        429 => Refusal::new(429, format!("Your requests to {model} for {model} have exceeded rate limit."))
            .code("RateLimitReached"),
        400..=499 => Refusal::new(status, "The request was not understood.").code("BadRequest"),
        503 => Refusal::new(503, "The service is temporarily unable to process your request. Please try again later.")
            .code("ServiceUnavailable"),
        _ => Refusal::new(status, "The server had an error while processing your request. Sorry about that!")
            .code("InternalServerError"),
    }
}
