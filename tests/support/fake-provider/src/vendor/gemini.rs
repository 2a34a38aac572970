//! Gemini's errors (google.rpc.Status, ai.google.dev/gemini-api/docs/troubleshooting) and headers, as recorded.

use serde_json::{Value, json};

use crate::refusal::Refusal;

pub(super) const HEADERS: &[(&str, &str)] = &[
    ("server-timing", "gfet4t7; dur=7"),
    ("vary", "Origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-xss-protection", "0"),
];

pub(super) fn no_key() -> Refusal {
    let message = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or \
                   other form of API consumer identity to call this API.";
    Refusal::new(403, message)
}

pub(super) fn error(refusal: &Refusal) -> Value {
    let status = refusal.kind.unwrap_or(match refusal.status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    });
    let mut error = json!({ "code": refusal.status, "message": refusal.message, "status": status });
    if let Some(details) = &refusal.details {
        error["details"] = Value::clone(details);
    }
    json!({ "error": error })
}

pub(super) fn words(status: u16, model: &str) -> Refusal {
    let (message, details) = match status {
        // Gemini answers 400 to a wrong key, as recorded. 401 is for OAuth tokens.
        401 => (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
             authentication credential."
                .to_owned(),
            None,
        ),
        403 => ("The caller does not have permission".to_owned(), None),
        404 => (
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call \
                 ModelService.ListModels to see the list of available models and their supported methods."
            ),
            None,
        ),
        429 => (
            "You exceeded your current quota, please check your plan and billing details. Please retry in 1s.".to_owned(),
            Some(json!([
                { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{
                    "quotaMetric": "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count",
                    "quotaId": "GenerateContentPaidTierInputTokensPerModelPerMinute",
                    "quotaDimensions": { "model": model, "location": "global" },
                    "quotaValue": "1000000",
                }] },
                { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s" },
            ])),
        ),
        400..=499 => ("Request contains an invalid argument.".to_owned(), None),
        503 => ("The model is overloaded. Please try again later.".to_owned(), None),
        504 => ("Deadline expired before operation could complete.".to_owned(), None),
        _ => ("An internal error has occurred. Please retry or report in \
               https://developers.generativeai.google/guide/troubleshooting".to_owned(), None),
    };
    Refusal { details: details.map(Box::new), ..Refusal::new(status, message) }
}
