use std::time::Duration;

use serde_json::{Value, json};

use super::{decode, encode};
use crate::format::Format;
use crate::ir::{ErrorKind, ProviderError};

#[test]
fn every_document_has_the_four_fields() {
    for kind in [ErrorKind::InvalidRequest, ErrorKind::RateLimited, ErrorKind::Overloaded, ErrorKind::Server] {
        let (_, body) = encode(&ProviderError::new(kind, "why"));
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["error"]["message"], "why");
        assert!(document["error"]["type"].is_string() && document["error"].get("param").is_some());
        assert_eq!(document.as_object().unwrap().len(), 1);
    }
    assert_eq!(encode(&ProviderError { status: 529, ..ProviderError::new(ErrorKind::Overloaded, "") }).0, 503);
}

#[test]
fn shapes_of_vendors_are_read() {
    let read = |status, body: &str| decode(status, body.as_bytes());
    let error = read(400, r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"c"}}"#);
    assert_eq!(
        (error.message.as_str(), error.param.as_deref(), error.code.as_deref()),
        ("m", Some("messages"), Some("c"))
    );
    assert_eq!(read(400, r#"[{"error":{"message":"m","code":400}}]"#).code.unwrap(), "400");
    assert_eq!(read(422, r#"{"detail":[{"msg":"m"}]}"#).message, "m");
    assert_eq!(read(422, r#"{"detail":[{"msg":"m"}]}"#).status, 400);
    assert_eq!(read(429, r#"{"error":{"message":"m","code":"insufficient_quota"}}"#).kind, ErrorKind::Quota);
    assert_eq!(read(401, r#"{"error":{"message":"Incorrect API key provided: sk-x"}}"#).status, 502);
    let html = read(502, "<html>");
    assert_eq!((html.code.as_deref(), html.message.contains("html")), (Some("bad_upstream_response"), false));
    for body in ["", "null", "[]", "1", "\u{0}", &json!({"error": {"message": ""}}).to_string()] {
        assert!(!read(500, body).message.is_empty(), "{body}");
    }
}

/// `docs/TRANSLATION.md` section 5: neither its words, which may quote the key, nor its code, which would make an SDK
/// blame the client's.
#[test]
fn point_23_what_a_provider_says_of_our_key_stays_here() {
    use Format::{AnthropicMessages, GeminiGenerate, OpenAiChat, OpenAiResponses};
    let formats = [OpenAiChat, OpenAiResponses, AnthropicMessages, GeminiGenerate];
    let refusals = [
        (401, r#"{"error":{"message":"Incorrect API key provided: sk-abc","code":"invalid_api_key"}}"#),
        (403, r#"{"type":"error","error":{"type":"permission_error","message":"sk-abc may not"}}"#),
        (400, r#"{"error":{"code":400,"message":"API key not valid: sk-abc","status":"INVALID_ARGUMENT"}}"#),
        (401, "sk-abc"),
    ];
    for provider in formats {
        for (status, body) in refusals {
            let error = provider.protocol().decode_error(status, body.as_bytes());
            if status == 400 && provider != GeminiGenerate {
                continue;
            }
            assert_eq!(error.kind, ErrorKind::UpstreamAuthentication, "{provider}: {body}");
            for client in formats {
                let (status, document) = client.protocol().encode_error(&error, "req");
                let document = String::from_utf8(document).unwrap();
                assert_eq!(status, 502, "{provider} to {client}");
                assert!(!document.contains("sk-abc") && !document.contains("invalid_api_key"), "{document}");
            }
            let (_, document) = OpenAiResponses.protocol().encode_error(&error, "req");
            let document: Value = serde_json::from_slice(&document).unwrap();
            assert_eq!(document["error"]["code"], "upstream_authentication_failed");
        }
    }
}

#[test]
fn point_23_errors_say_how_long_to_wait() {
    for format in [Format::OpenAiChat, Format::OpenAiResponses] {
        let read = |status, text: &str| {
            let body = json!({"error": {"message": text}}).to_string();
            format.protocol().decode_error(status, body.as_bytes())
        };
        let wait = |text: &str| read(429, text).retry_after;
        assert_eq!(
            wait("Rate limit reached. Please try again in 1m2.5s. Visit x"),
            Some(Duration::from_millis(62_500))
        );
        assert_eq!(wait("Please try again in 350ms."), Some(Duration::from_millis(350)));
        assert_eq!(wait("Please retry in 34.4s."), Some(Duration::from_millis(34_400)));
        assert_eq!(wait("try again in a while"), None);
        assert_eq!(wait("no"), None);
        let long = read(400, "This model's maximum context length is 8 tokens.");
        assert_eq!(long.code.as_deref(), Some("context_length_exceeded"));
    }
}

/// The table of `docs/TRANSLATION.md` section 5: an empty account is the operator's matter.
#[test]
fn an_empty_account_is_no_limit_of_the_clients() {
    let error = decode(402, br#"{"error":{"message":"Insufficient Balance"}}"#);
    assert_eq!((error.kind, error.status), (ErrorKind::Quota, 503));
    let (status, body) = encode(&error);
    assert_eq!(status, 503);
    assert!(String::from_utf8(body).unwrap().contains(r#""code":"insufficient_quota""#));
}
