//! Errors (`docs/TRANSLATION.md` section 5).

use crate::ir::{ErrorKind, ProviderError};
use crate::protocol::contract::Protocol as _;

use super::BedrockConverse;

fn decode(status: u16, body: &str) -> ProviderError {
    BedrockConverse.decode_error(status, body.as_bytes())
}

fn of(status: u16, message: &str) -> ProviderError {
    decode(status, &serde_json::json!({ "message": message }).to_string())
}

#[test]
fn point_23_kinds_and_statuses() {
    for (status, kind, client) in [
        (400, ErrorKind::InvalidRequest, 400),
        (403, ErrorKind::UpstreamAuthentication, 502),
        (404, ErrorKind::NotFound, 404),
        (408, ErrorKind::Timeout, 504),
        // The model is at fault, not the request.
        (424, ErrorKind::Server, 502),
        (429, ErrorKind::RateLimited, 429),
        (500, ErrorKind::Server, 500),
        (503, ErrorKind::Overloaded, 503),
    ] {
        let error = of(status, "No.");
        assert_eq!((error.kind, error.status), (kind, client), "{status}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn point_23_words_about_the_key_are_not_passed_on() {
    let error = of(403, "User: arn:aws:iam::123456789012:user/x is not authorized to perform: bedrock:InvokeModel");
    assert!(!error.message.contains("123456789012"));
    assert_eq!(error.code.as_deref(), Some("upstream_authentication_failed"));
    let named = decode(400, r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"AKIA…"}"#);
    assert_eq!(named.kind, ErrorKind::UpstreamAuthentication);
    assert!(!named.message.contains("AKIA"));
}

#[test]
fn what_the_words_say_beyond_the_status() {
    let code = |status, message| of(status, message).code;
    let long = "Input is too long for requested model.";
    assert_eq!(code(400, long).as_deref(), Some("context_length_exceeded"));
    let long = "The model returned the following errors: prompt is too long: 210000 tokens > 200000 maximum";
    assert_eq!(code(400, long).as_deref(), Some("context_length_exceeded"));
    let unknown = of(400, "The provided model identifier is invalid.");
    assert_eq!(
        (unknown.kind, unknown.status, unknown.code.as_deref()),
        (ErrorKind::NotFound, 404, Some("model_not_found"))
    );
    assert_eq!(of(429, "Too many tokens per day, please wait before trying again.").kind, ErrorKind::Quota);
    assert_eq!(code(400, "Malformed input request"), None);
}

#[test]
fn any_body_is_an_error() {
    assert_eq!(decode(502, "<html><body>Bad Gateway</body></html>").kind, ErrorKind::Server);
    assert_eq!(decode(400, r#"{"Message":"Capital."}"#).message, "Capital.");
    assert!(decode(503, "").message.contains("503"));
    assert!(decode(500, "{}").message.contains("500"));
    assert_eq!(decode(403, "[1]").kind, ErrorKind::UpstreamAuthentication);
}
