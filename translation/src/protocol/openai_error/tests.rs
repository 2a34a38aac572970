use serde_json::{Value, json};

use super::{decode, encode};
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
