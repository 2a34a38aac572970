//! Errors: `google.rpc.Status` as JSON (Gemini API documentation, "Troubleshooting"; `docs/TRANSLATION.md` section 9).

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ir::{ErrorKind, ProviderError};
use crate::protocol::{openai_error, wording};

#[derive(Serialize)]
struct Document<'e> {
    error: Inner<'e>,
}

#[derive(Serialize)]
struct Inner<'e> {
    code: u16,
    message: &'e str,
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail<'e>>,
}

/// Details of `google/rpc/error_details.proto`.
#[derive(Serialize)]
#[serde(tag = "@type")]
enum Detail<'e> {
    #[serde(rename = "type.googleapis.com/google.rpc.BadRequest", rename_all = "camelCase")]
    BadRequest { field_violations: [Violation<'e>; 1] },
    #[serde(rename = "type.googleapis.com/google.rpc.RetryInfo", rename_all = "camelCase")]
    RetryInfo { retry_delay: String },
    #[serde(rename = "type.googleapis.com/google.rpc.RequestInfo", rename_all = "camelCase")]
    RequestInfo { request_id: &'e str },
}

#[derive(Serialize)]
struct Violation<'e> {
    field: &'e str,
    description: &'e str,
}

/// The status that a client gets, and the document.
pub(super) fn encode(error: &ProviderError, request_id: &str) -> (u16, Vec<u8>) {
    let mut details = Vec::new();
    if let Some(field) = &error.param {
        let violation = Violation { field, description: &error.message };
        details.push(Detail::BadRequest { field_violations: [violation] });
    }
    if let Some(wait) = error.retry_after {
        details.push(Detail::RetryInfo { retry_delay: format!("{}s", wait.as_secs_f64()) });
    }
    if !request_id.is_empty() {
        details.push(Detail::RequestInfo { request_id });
    }
    (code(error), document(error, details))
}

/// The error as it stands in a stream.
pub(super) fn in_stream(error: &ProviderError) -> Vec<u8> {
    document(error, Vec::new())
}

fn document(error: &ProviderError, details: Vec<Detail<'_>>) -> Vec<u8> {
    let inner = Inner { code: code(error), message: &error.message, status: word(error), details };
    // Texts always serialise.
    serde_json::to_vec(&Document { error: inner }).unwrap_or_default()
}

fn code(error: &ProviderError) -> u16 {
    // No SDK but Anthropic's knows 529.
    if error.status == 529 { 503 } else { error.status }
}

fn word(error: &ProviderError) -> &'static str {
    match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "INVALID_ARGUMENT",
        ErrorKind::Authentication => "UNAUTHENTICATED",
        ErrorKind::PermissionDenied => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::RateLimited | ErrorKind::Quota => "RESOURCE_EXHAUSTED",
        ErrorKind::Overloaded => "UNAVAILABLE",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
        ErrorKind::Server if error.status == 503 => "UNAVAILABLE",
        ErrorKind::UpstreamAuthentication | ErrorKind::Server => "INTERNAL",
    }
}

/// Reads an error that stands where an answer is expected. Its own code is its status.
pub(super) fn in_answer(error: &RawValue) -> ProviderError {
    decode(502, format!(r#"{{"error":{error}}}"#).as_bytes())
}

/// Reads an error answer, which may be wrapped in an array of one.
pub(super) fn decode(http: u16, body: &[u8]) -> ProviderError {
    let document = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let found = match &document {
        Value::Array(elements) => elements.iter().map(|element| &element["error"]).find(|error| error.is_object()),
        document => Some(&document["error"]).filter(|error| error.is_object()),
    };
    let Some(error) = found else { return openai_error::decode(http, body) };
    let code = error["code"].as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| *code >= 400);
    let http = code.unwrap_or(http);
    let status = error["status"].as_str().unwrap_or_default();
    let details = error["details"].as_array().map_or(&[][..], Vec::as_slice);
    let message = error["message"].as_str().unwrap_or_default().trim().to_owned();
    let message = if message.is_empty() {
        format!("the provider answered HTTP {http} without an error message")
    } else {
        message
    };
    let told = read(http, status, message, details);
    // Google has several words for a refused key, and they may quote the key.
    let refused = told.kind == ErrorKind::UpstreamAuthentication;
    let told = if refused { openai_error::key_refused() } else { told };
    ProviderError { provider_type: (!status.is_empty()).then(|| status.to_owned()), ..told }
}

/// How Google says with 400 that it does not serve where the gateway stands, or not without money (Gemini API,
/// "Troubleshooting", `FAILED_PRECONDITION`).
const ELSEWHERE: [&str; 2] = ["user location is not supported", "free tier is not available in your country"];

fn read(http: u16, status: &str, message: String, details: &[Value]) -> ProviderError {
    if is_key_refused(&message, details) {
        return openai_error::key_refused();
    }
    let lower = message.to_ascii_lowercase();
    if http == 413 {
        return ProviderError::new(ErrorKind::TooLarge, message).code("request_too_large");
    }
    let status = match (status, http) {
        ("" | "UNKNOWN", 400) => "INVALID_ARGUMENT",
        ("" | "UNKNOWN", 401 | 403) => "PERMISSION_DENIED",
        ("" | "UNKNOWN", 404) => "NOT_FOUND",
        ("" | "UNKNOWN", 429) => "RESOURCE_EXHAUSTED",
        (status, _) => status,
    };
    match status {
        "FAILED_PRECONDITION" if ELSEWHERE.iter().any(|words| lower.contains(words)) => {
            ProviderError::new(ErrorKind::Server, message)
        }
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => invalid(message, &lower),
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => openai_error::key_refused(),
        "NOT_FOUND" => not_found(message, &lower),
        "RESOURCE_EXHAUSTED" => exhausted(message, &lower, details),
        "UNAVAILABLE" => ProviderError::new(ErrorKind::Overloaded, message),
        "DEADLINE_EXCEEDED" => ProviderError::new(ErrorKind::Timeout, message),
        "CANCELLED" => ProviderError::new(ErrorKind::Server, message),
        _ => {
            let kind = openai_error::kind_of(http, None, None);
            // Clients try again by themselves after 409 (ABORTED, ALREADY_EXISTS).
            let own = http == 409 || matches!(kind, ErrorKind::Server) && (500..600).contains(&http);
            let status = if own { http } else { kind.status() };
            ProviderError { status, ..ProviderError::new(kind, message) }
        }
    }
}

/// Whether `message` says that the gateway's own key is no good, which Google answers with status 400. It may quote the
/// key.
fn is_key_refused(message: &str, details: &[Value]) -> bool {
    let reason = details.iter().filter_map(|detail| detail["reason"].as_str());
    let by_reason =
        reason.into_iter().any(|reason| matches!(reason, "API_KEY_INVALID" | "API_KEY_EXPIRED" | "API_KEY_NOT_FOUND"));
    let words = ["API key not valid", "API key expired", "API Key not found", "API Key invalid"];
    by_reason || words.iter().any(|words| message.contains(words))
}

fn invalid(message: String, lower: &str) -> ProviderError {
    let fault = wording::code(&message);
    let signature = lower.contains("thought_signature") || lower.contains("thought signature");
    let error = ProviderError::new(ErrorKind::InvalidRequest, message);
    if let Some(code) = fault {
        error.code(code)
    } else if signature {
        error.code(ProviderError::INVALID_SIGNATURE)
    } else {
        error
    }
}

fn not_found(message: String, lower: &str) -> ProviderError {
    let of_model = lower.contains("model");
    let error = ProviderError::new(ErrorKind::NotFound, message);
    if of_model { error.code("model_not_found") } else { error }
}

/// The error of too many requests, for now or for the day. Waiting a little does not help with the latter.
fn exhausted(message: String, lower: &str, details: &[Value]) -> ProviderError {
    let violations = details.iter().filter_map(|detail| detail["violations"].as_array()).flatten();
    let of_day = violations.filter_map(|violation| violation["quotaId"].as_str()).any(|id| id.contains("PerDay"));
    if of_day || lower.contains("credits are depleted") || lower.contains("spending cap") {
        return ProviderError::new(ErrorKind::Quota, message).code("insufficient_quota");
    }
    let delay = details.iter().find_map(|detail| delay(&detail["retryDelay"])).or_else(|| delay_in_words(lower));
    ProviderError {
        retry_after: delay,
        ..ProviderError::new(ErrorKind::RateLimited, message).code("rate_limit_exceeded")
    }
}

/// A delay such as `"34.4s"`, rounded up to a second.
fn delay(value: &Value) -> Option<Duration> {
    seconds(value.as_str()?.strip_suffix('s')?)
}

fn delay_in_words(lower: &str) -> Option<Duration> {
    let (_, rest) = lower.split_once("retry in ")?;
    seconds(rest.split_once('s')?.0)
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse::<f64>().ok()?.ceil();
    Duration::try_from_secs_f64(seconds).ok()
}

/// Whether `body` is an error document. It may stand in an array, which Gemini's own packages read.
pub(super) fn is_document(body: &[u8]) -> bool {
    let in_array = || {
        let documents = serde_json::from_slice::<[Value; 1]>(body);
        documents.is_ok_and(|[document]| document["error"]["message"].is_string())
    };
    openai_error::is_document(body) || in_array()
}
