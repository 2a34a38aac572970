//! Errors (API reference, "Errors"; `docs/TRANSLATION.md` section 5):
//! `{"type":"error","error":{"type","message"},"request_id"}`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::lenient::{Object, Text};
use crate::ir::{ErrorCode, ErrorKind, ProviderError};
use crate::protocol::{openai_error, wording};

#[derive(Serialize)]
struct Document<'e> {
    r#type: &'static str,
    error: Inner<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'e str>,
}

#[derive(Serialize)]
struct Inner<'e> {
    r#type: &'static str,
    message: Cow<'e, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// Details by which clients of threads tell what went wrong (Claude documentation, "Message threads").
#[derive(Serialize)]
struct Details {
    error_code: &'static str,
}

/// The status that a client gets, and the document.
pub(super) fn encode(error: &ProviderError, request_id: &str) -> (u16, Vec<u8>) {
    let status = if error.kind == ErrorKind::Overloaded { 529 } else { error.status };
    (status, document(error, Some(request_id).filter(|id| !id.is_empty())))
}

fn document(error: &ProviderError, request_id: Option<&str>) -> Vec<u8> {
    let thread = ErrorCode::UnsupportedThread.word();
    let details = (error.code.as_deref() == Some(thread)).then_some(Details { error_code: thread });
    let inner = Inner { r#type: word(error.kind), message: message(error), details };
    // Texts always serialise.
    serde_json::to_vec(&Document { r#type: "error", error: inner, request_id }).unwrap_or_default()
}

/// The last event of a stream that fails. Clients read no error without an `event:` line (measured with Anthropic's
/// SDKs).
pub(super) fn event(error: &ProviderError, request_id: Option<&str>) -> Vec<u8> {
    [b"event: error\ndata: ", &*document(error, request_id), b"\n\n"].concat()
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::PermissionDenied => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimited | ErrorKind::Quota => "rate_limit_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::UpstreamAuthentication | ErrorKind::Server => "api_error",
    }
}

/// The message for a client. It begins with the path of the field at fault, for which Anthropic has no field.
fn message(error: &ProviderError) -> Cow<'_, str> {
    let Some(param) = error.param.as_deref().filter(|param| !param.is_empty()) else {
        return Cow::Borrowed(&error.message);
    };
    let path = param.replace('[', ".").replace(']', "");
    if error.message.contains(param) || error.message.contains(&path) {
        return Cow::Borrowed(&error.message);
    }
    Cow::Owned(format!("{path}: {}", error.message))
}

/// `error` as a provider sends it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wire<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    message: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Body<'a> {
    #[serde(borrow)]
    error: Object<Wire<'a>>,
}

/// Reads an error answer.
pub(super) fn decode(status: u16, body: &[u8]) -> ProviderError {
    let wire = serde_json::from_slice::<Body<'_>>(body).ok().and_then(|body| body.error.0);
    match wire {
        Some(wire) if !wire.message.as_str().is_empty() || !wire.r#type.as_str().is_empty() => of(status, &wire),
        // The answer is that of a proxy in front of the provider, or of a vendor that speaks this format only where all
        // is well.
        _ => refined(openai_error::decode(status, body)),
    }
}

/// Reads `error` of an answer with `status`, which is 200 where the error came as an answer.
pub(super) fn of(status: u16, wire: &Wire<'_>) -> ProviderError {
    let kind = match wire.r#type.as_str() {
        "invalid_request_error" if status == 413 => ErrorKind::TooLarge,
        "invalid_request_error" => ErrorKind::InvalidRequest,
        // Relays of this format refuse content so.
        "permission_error" if status == 403 && wording::code(wire.message.as_str()).is_some() => {
            ErrorKind::InvalidRequest
        }
        "authentication_error" | "permission_error" => ErrorKind::UpstreamAuthentication,
        "billing_error" => ErrorKind::Quota,
        "not_found_error" => ErrorKind::NotFound,
        "request_too_large" => ErrorKind::TooLarge,
        "rate_limit_error" => ErrorKind::RateLimited,
        "overloaded_error" => ErrorKind::Overloaded,
        "timeout_error" => ErrorKind::Timeout,
        // For the provider's own failures the status says more than the type.
        "api_error" if !(500..600).contains(&status) => ErrorKind::Server,
        other => openai_error::kind_of(status, None, Some(other)),
    };
    let mut error = ProviderError::new(kind, wire.message.as_str());
    error.provider_type = Some(wire.r#type.as_str()).filter(|kind| !kind.is_empty()).map(str::to_owned);
    if (kind == ErrorKind::Server && (500..600).contains(&status))
        || (kind == ErrorKind::InvalidRequest && status == 409)
    {
        error.status = status;
    }
    refined(error)
}

/// How Anthropic says with 400 that the account has no money left, or that it has spent what its owner allows (Claude
/// documentation, "Rate limits", section "Spend limits").
const SPENT: [&str; 2] = ["credit balance is too low", "API usage limits"];

/// The error with what its message says beyond its kind.
fn refined(mut error: ProviderError) -> ProviderError {
    match error.kind {
        ErrorKind::UpstreamAuthentication => {
            // The provider's words may quote a part of the key.
            return ProviderError { provider_type: error.provider_type, ..openai_error::key_refused() };
        }
        ErrorKind::InvalidRequest if SPENT.iter().any(|words| error.message.contains(words)) => {
            error.kind = ErrorKind::Quota;
            return refined(error);
        }
        ErrorKind::InvalidRequest => {
            if let Some(code) = wording::code(&error.message) {
                error.code = Some(Cow::Borrowed(code));
            }
            error.param = error.param.take().or_else(|| leading_path(&error.message));
        }
        ErrorKind::Quota => {
            // The operator's account is empty, which is no limit of the client's.
            error.code = Some(Cow::Borrowed("insufficient_quota"));
            error.status = 503;
        }
        ErrorKind::NotFound => {
            if let Some(model) = error.message.strip_prefix("model:") {
                error.message = format!("The model `{}` does not exist at the provider.", model.trim());
                error.code = Some(Cow::Borrowed("model_not_found"));
            }
        }
        ErrorKind::TooLarge => error.code = Some(Cow::Borrowed("request_too_large")),
        ErrorKind::RateLimited => error.code = Some(Cow::Borrowed("rate_limit_exceeded")),
        ErrorKind::Overloaded => error.code = Some(Cow::Borrowed("overloaded")),
        ErrorKind::Timeout => error.code = Some(Cow::Borrowed("timeout")),
        ErrorKind::Authentication | ErrorKind::PermissionDenied | ErrorKind::Server => {}
    }
    error
}

/// The field that a message begins with: `messages.0.content: …` speaks of `messages[0].content`.
fn leading_path(message: &str) -> Option<String> {
    let (path, _) = message.split_once(": ")?;
    let word =
        |segment: &str| segment.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'0'..=b'9'));
    let mut segments = path.split('.');
    let first = segments.next().filter(|first| !first.is_empty() && word(first))?;
    let mut converted = first.to_owned();
    for segment in segments {
        if segment.is_empty()
            || !segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        {
            return None;
        }
        if segment.bytes().all(|byte| byte.is_ascii_digit()) {
            converted.extend(["[", segment, "]"]);
        } else {
            converted.extend([".", segment]);
        }
    }
    Some(converted)
}

/// The error of a provider whose answer cannot be read.
pub(super) fn bad_answer(message: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Server, message).code("bad_upstream_response")
}
