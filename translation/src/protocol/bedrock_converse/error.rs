//! Errors (Bedrock API Reference, "Converse", section "Errors"): `{"message": "..."}`. The name of an error stands in a
//! header, or in `__type` where the error does not come from Bedrock itself.

use std::borrow::Cow;

use serde::Deserialize;

use crate::ir::{ErrorKind, ProviderError};
use crate::protocol::{openai_error, wording};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(alias = "Message")]
    message: Option<String>,
    #[serde(rename = "__type", alias = "code")]
    name: Option<String>,
    #[serde(rename = "originalMessage")]
    original: Option<String>,
}

/// Reads an error answer.
pub(super) fn decode(status: u16, body: &[u8]) -> ProviderError {
    let Ok(document) = serde_json::from_slice::<Document>(body) else {
        return refined(openai_error::decode(status, body));
    };
    // The name may have a prefix, as in `com.amazon.coral.service#UnrecognizedClientException`.
    let name = document.name.as_deref().map(|name| name.rsplit('#').next().unwrap_or(name));
    let kind = name.and_then(kind_of).unwrap_or_else(|| match status {
        // `ModelErrorException`: the model is at fault, and not the request.
        424 => ErrorKind::Server,
        _ => openai_error::kind_of(status, None, None),
    });
    let message = document.message.filter(|message| !message.is_empty());
    let mut error = ProviderError::new(
        kind,
        message.unwrap_or_else(|| format!("the provider answered HTTP {status} without an error message")),
    );
    error.provider_type = name.map(str::to_owned);
    if kind == ErrorKind::Server && (500..600).contains(&status) {
        error.status = status;
    }
    refined(error)
}

/// Reads an exception within a stream.
pub(super) fn exception(name: &str, payload: &[u8]) -> ProviderError {
    let document: Document = serde_json::from_slice(payload).unwrap_or_default();
    let words = document.original.or(document.message).filter(|words| !words.is_empty());
    let kind = kind_of(name).unwrap_or(ErrorKind::Server);
    let words = words.unwrap_or_else(|| format!("the provider broke its answer off: {name}"));
    let mut error = ProviderError::new(kind, words);
    error.provider_type = Some(name.to_owned()).filter(|name| !name.is_empty());
    refined(error)
}

/// The error of a provider whose answer cannot be read.
pub(super) fn bad_answer(message: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Server, message).code("bad_upstream_response")
}

/// The error of a model that wrote what Bedrock could not read.
pub(super) fn malformed() -> ProviderError {
    ProviderError::new(ErrorKind::Server, "the model's output was malformed, and the provider could not read it")
        .code("malformed_model_output")
}

/// The kind of an exception, whose name begins with a small letter in streams.
fn kind_of(name: &str) -> Option<ErrorKind> {
    let stem = name.strip_suffix("Exception").unwrap_or(name);
    let is = |word: &str| stem.eq_ignore_ascii_case(word);
    Some(match stem {
        _ if is("Validation") => ErrorKind::InvalidRequest,
        _ if is("AccessDenied")
            || is("UnrecognizedClient")
            || is("ExpiredToken")
            || is("InvalidSignature")
            || is("IncompleteSignature")
            || is("MissingAuthenticationToken") =>
        {
            ErrorKind::UpstreamAuthentication
        }
        _ if is("ResourceNotFound") => ErrorKind::NotFound,
        _ if is("Throttling") || is("ModelNotReady") => ErrorKind::RateLimited,
        _ if is("ServiceQuotaExceeded") => ErrorKind::Quota,
        _ if is("ModelTimeout") => ErrorKind::Timeout,
        _ if is("ServiceUnavailable") => ErrorKind::Overloaded,
        _ if is("InternalServer") || is("ModelError") || is("ModelStreamError") => ErrorKind::Server,
        _ => return None,
    })
}

/// The error with what its message says beyond its kind.
fn refined(mut error: ProviderError) -> ProviderError {
    let says = |words: &str| error.message.to_ascii_lowercase().contains(words);
    match error.kind {
        ErrorKind::InvalidRequest if says("model identifier is invalid") => {
            error.kind = ErrorKind::NotFound;
            error.status = error.kind.status();
            error.code = Some(Cow::Borrowed("model_not_found"));
        }
        ErrorKind::InvalidRequest => error.code = wording::code(&error.message).map(Cow::Borrowed).or(error.code),
        ErrorKind::NotFound => error.code = Some(Cow::Borrowed("model_not_found")),
        ErrorKind::RateLimited if says("per day") => {
            error.kind = ErrorKind::Quota;
            error.code = Some(Cow::Borrowed("insufficient_quota"));
        }
        ErrorKind::UpstreamAuthentication => {
            // The provider's words quote access keys, roles and accounts.
            "the provider refused the gateway's credentials".clone_into(&mut error.message);
            error.code = Some(Cow::Borrowed("upstream_authentication_failed"));
        }
        _ => {}
    }
    error
}
