//! Errors of OpenAI's APIs (API reference, "Error codes"): `{"error":{"message","type","param","code"}}`.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::wording;
use crate::ir::{ErrorKind, ProviderError};

#[derive(Serialize)]
struct Document<'e> {
    error: Inner<'e>,
}

#[derive(Serialize)]
struct Inner<'e> {
    message: &'e str,
    r#type: &'e str,
    param: Option<&'e str>,
    code: Option<&'e str>,
}

/// The longest text that is taken from an error answer that is not JSON, in bytes.
const LONGEST_WORDS: usize = 300;

/// The status that a client of OpenAI's APIs gets, and the document.
pub fn encode(error: &ProviderError) -> (u16, Vec<u8>) {
    // No SDK but Anthropic's knows 529.
    let status = if error.status == 529 { 503 } else { error.status };
    (status, document(&error.message, kind_word(error), error.param.as_deref(), code(error)))
}

/// An error document.
pub fn document(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Vec<u8> {
    // Texts always serialise.
    serde_json::to_vec(&Document { error: Inner { message, r#type: kind, param, code } }).unwrap_or_default()
}

/// OpenAI's type of the error.
pub fn kind_word(error: &ProviderError) -> &'static str {
    match error.kind {
        ErrorKind::InvalidRequest
        | ErrorKind::Authentication
        | ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::TooLarge => "invalid_request_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Quota => "insufficient_quota",
        ErrorKind::UpstreamAuthentication => "api_error",
        ErrorKind::Overloaded | ErrorKind::Timeout | ErrorKind::Server => "server_error",
    }
}

fn code(error: &ProviderError) -> Option<&str> {
    error.code.as_deref().or(match error.kind {
        ErrorKind::RateLimited => Some("rate_limit_exceeded"),
        ErrorKind::Quota => Some("insufficient_quota"),
        ErrorKind::Overloaded => Some("overloaded"),
        ErrorKind::Timeout => Some("timeout"),
        ErrorKind::TooLarge => Some("request_too_large"),
        ErrorKind::Authentication => Some("invalid_api_key"),
        ErrorKind::UpstreamAuthentication => Some("upstream_authentication_failed"),
        ErrorKind::InvalidRequest | ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Server => None,
    })
}

/// The words in an error answer. They are in `error.message`, `error`, `message` or `detail` (FastAPI) of a document,
/// bare or in an array of one; an answer that is not JSON is the words itself.
pub fn message(body: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Value>(body) {
        Ok(document) => message_in(document.get(0).unwrap_or(&document)),
        Err(_) => Some(words(body)).filter(|words| !words.is_empty()),
    }
}

fn message_in(document: &Value) -> Option<String> {
    let (error, detail) = (&document["error"], &document["detail"]);
    let places = [&error["message"], error, &document["message"], detail, &detail[0]["msg"]];
    places.into_iter().find_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads an error answer of any shape that vendors with OpenAI's API send.
pub fn decode(status: u16, body: &[u8]) -> ProviderError {
    let document = serde_json::from_slice::<Value>(body).ok();
    let inner = document.as_ref().map(|document| document.get(0).unwrap_or(document));
    let error = inner.map_or(&Value::Null, |inner| &inner["error"]);
    let message = inner.map_or_else(|| message(body), message_in);
    let text = |name: &str| error[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let code = text("code").or_else(|| error["code"].as_i64().map(|code| code.to_string()));
    let kind = kind_of(status, code.as_deref(), text("type").as_deref());
    // Vendors have the words of others without their codes.
    let fault = message.as_deref().and_then(wording::code);
    let kind = if status == 403 && fault.is_some() { ErrorKind::InvalidRequest } else { kind };
    if kind == ErrorKind::UpstreamAuthentication {
        return ProviderError { provider_type: text("type"), ..key_refused() };
    }
    let message = message.unwrap_or_else(|| format!("the provider answered HTTP {status} without an error message"));
    let fault = fault.filter(|_| kind == ErrorKind::InvalidRequest).map(Cow::Borrowed);
    // The answer is a page of a proxy in front of the provider.
    let unread = document.is_none() && status >= 500;
    ProviderError {
        status: if matches!(status, 403 | 422) { 400 } else { client_status(kind, status) },
        param: text("param"),
        provider_type: text("type"),
        code: fault.or(code.map(Cow::Owned)).or(unread.then_some(Cow::Borrowed("bad_upstream_response"))),
        retry_after: match kind {
            ErrorKind::RateLimited | ErrorKind::Overloaded => wait(&message),
            _ => None,
        },
        ..ProviderError::new(kind, message)
    }
}

/// The error of a provider that refused the gateway's own key. The provider's words may quote a part of the key, and
/// its code would make an SDK blame the client's key (`docs/TRANSLATION.md` section 5), so neither is passed on.
pub fn key_refused() -> ProviderError {
    ProviderError::new(ErrorKind::UpstreamAuthentication, "the provider refused the gateway's credentials")
        .code("upstream_authentication_failed")
}

/// How long the text of an error says to wait: "try again in 1m2.5s", "retry in 34.4s", "in 350ms".
fn wait(message: &str) -> Option<Duration> {
    let at = ["try again in ", "retry in ", "retry after "]
        .iter()
        .find_map(|words| message.to_ascii_lowercase().find(words).map(|at| at + words.len()))?;
    let mut rest = message.get(at..)?;
    let mut total = None;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, behind) = rest.split_at(digits);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else { break };
        let behind = behind.trim_start();
        let units = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let Some((unit, seconds)) = units.iter().find(|(unit, _)| behind.starts_with(unit)) else { break };
        let more = Duration::try_from_secs_f64(number * seconds).ok()?;
        total = Some(total.unwrap_or(Duration::ZERO).saturating_add(more));
        rest = &behind[unit.len()..];
    }
    total
}

/// Whether `body` is an error document of OpenAI's shape, to be passed on as it stands.
pub fn is_document(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|document| document["error"]["message"].is_string())
}

/// The kind of error that a provider's status stands for, together with its code and type where it has them.
pub fn kind_of(status: u16, code: Option<&str>, kind: Option<&str>) -> ErrorKind {
    if code == Some("insufficient_quota") || kind == Some("insufficient_quota") {
        return ErrorKind::Quota;
    }
    match status {
        401 | 403 => ErrorKind::UpstreamAuthentication,
        402 => ErrorKind::Quota,
        404 => ErrorKind::NotFound,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        408 | 504 => ErrorKind::Timeout,
        503 | 529 => ErrorKind::Overloaded,
        400..500 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Server,
    }
}

/// The status for the client: the provider's own where a client can make sense of it.
fn client_status(kind: ErrorKind, status: u16) -> u16 {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::NotFound | ErrorKind::TooLarge | ErrorKind::RateLimited => status,
        ErrorKind::Server if (500..600).contains(&status) => status,
        // The operator's account is empty, which is no limit of the client's.
        ErrorKind::Quota if status == 402 => 503,
        _ => kind.status(),
    }
}

/// The beginning of a text, on one line. Nothing of a page of HTML, which comes from a proxy in front of the provider
/// and says nothing of use.
pub fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..4 * LONGEST_WORDS).unwrap_or(body));
    if text.trim_start().starts_with('<') {
        return String::new();
    }
    let mut words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    line.truncate(line.floor_char_boundary(LONGEST_WORDS));
    line
}

#[cfg(test)]
mod tests;
