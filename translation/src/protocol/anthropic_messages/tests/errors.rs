//! Errors, of the provider and for the client.

use serde_json::{Value, json};

use super::AnthropicMessages;
use crate::ir::{ErrorCode, ErrorKind, ProviderError};
use crate::protocol::contract::Protocol;

fn read(status: u16, kind: &str, message: &str) -> ProviderError {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
    AnthropicMessages.decode_error(status, body.to_string().as_bytes())
}

fn code(error: &ProviderError) -> &str {
    error.code.as_deref().unwrap_or_default()
}

#[test]
fn each_type_has_its_kind_and_status() {
    let cases = [
        (400, "invalid_request_error", ErrorKind::InvalidRequest, 400, ""),
        (402, "billing_error", ErrorKind::Quota, 503, "insufficient_quota"),
        (413, "request_too_large", ErrorKind::TooLarge, 413, "request_too_large"),
        (422, "invalid_request_error", ErrorKind::InvalidRequest, 400, ""),
        (429, "rate_limit_error", ErrorKind::RateLimited, 429, "rate_limit_exceeded"),
        (500, "api_error", ErrorKind::Server, 500, ""),
        (502, "api_error", ErrorKind::Server, 502, ""),
        (503, "api_error", ErrorKind::Overloaded, 503, "overloaded"),
        (504, "api_error", ErrorKind::Timeout, 504, "timeout"),
        (504, "timeout_error", ErrorKind::Timeout, 504, "timeout"),
        (529, "overloaded_error", ErrorKind::Overloaded, 503, "overloaded"),
        // Not known: by the status.
        (429, "new_error", ErrorKind::RateLimited, 429, "rate_limit_exceeded"),
    ];
    for (status, kind, expected, to_client, expected_code) in cases {
        let error = read(status, kind, "words");
        assert_eq!((error.kind, error.status, code(&error)), (expected, to_client, expected_code), "{kind}");
        assert_eq!((&*error.message, error.provider_type.as_deref()), ("words", Some(kind)));
    }
}

#[test]
fn point_23_a_refused_key_is_the_gateways_matter_and_its_words_are_kept_back() {
    for (status, kind) in [(401, "authentication_error"), (403, "permission_error")] {
        let error = read(status, kind, "invalid x-api-key sk-ant-secret");
        assert_eq!((error.kind, error.status), (ErrorKind::UpstreamAuthentication, 502));
        assert_eq!(code(&error), "upstream_authentication_failed");
        assert!(!error.message.contains("sk-ant"));
    }
    let bare = AnthropicMessages.decode_error(401, b"no such key sk-ant-secret");
    assert!(!bare.message.contains("sk-ant") && bare.status == 502);
}

#[test]
fn an_empty_account_is_not_the_clients_fault() {
    let error = read(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.");
    assert_eq!((error.kind, error.status, code(&error)), (ErrorKind::Quota, 503, "insufficient_quota"));
}

#[test]
fn a_prompt_that_is_too_long_is_known_by_its_words() {
    for message in [
        "prompt is too long: 3333404 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    ] {
        let error = read(400, "invalid_request_error", message);
        assert_eq!((code(&error), error.param.as_deref()), ("context_length_exceeded", None), "{message}");
    }
}

#[test]
fn the_path_that_leads_a_message_is_the_param() {
    let param = |message: &str| read(400, "invalid_request_error", message).param;
    assert_eq!(param("messages.0.content: Field required").as_deref(), Some("messages[0].content"));
    assert_eq!(
        param("tools.3.custom.input_schema.type: Field required").as_deref(),
        Some("tools[3].custom.input_schema.type")
    );
    assert_eq!(param("max_tokens: 70000 > 64000, which is …").as_deref(), Some("max_tokens"));
    assert_eq!(param("This organization: has no …"), None);
    assert_eq!(param("no path"), None);
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let error = read(404, "not_found_error", "model: claude-nope");
    assert_eq!((error.kind, error.status, code(&error)), (ErrorKind::NotFound, 404, "model_not_found"));
    assert!(error.message.contains("`claude-nope`") && error.param.is_none());
}

#[test]
fn point_23_what_is_no_document_is_a_bad_answer() {
    let html = AnthropicMessages.decode_error(502, b"<html><h1>502 Bad Gateway</h1></html>");
    assert_eq!((html.kind, html.status, code(&html)), (ErrorKind::Server, 502, "bad_upstream_response"));
    assert!(!html.message.is_empty() && !html.message.contains('<'));
    assert!(!AnthropicMessages.decode_error(500, b"").message.is_empty());
    let openai = AnthropicMessages.decode_error(400, br#"{"error":{"message":"bad","param":"x"}}"#);
    assert_eq!((&*openai.message, openai.kind), ("bad", ErrorKind::InvalidRequest));
}

fn told(kind: ErrorKind) -> (u16, Value) {
    let (status, body) = AnthropicMessages.encode_error(&ProviderError::new(kind, "words"), "req_9");
    (status, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_client_gets_anthropics_types_and_statuses() {
    let cases = [
        (ErrorKind::InvalidRequest, 400, "invalid_request_error"),
        (ErrorKind::Authentication, 401, "authentication_error"),
        (ErrorKind::PermissionDenied, 403, "permission_error"),
        (ErrorKind::NotFound, 404, "not_found_error"),
        (ErrorKind::TooLarge, 413, "request_too_large"),
        (ErrorKind::RateLimited, 429, "rate_limit_error"),
        (ErrorKind::Quota, 429, "rate_limit_error"),
        (ErrorKind::Overloaded, 529, "overloaded_error"),
        (ErrorKind::Timeout, 504, "timeout_error"),
        (ErrorKind::UpstreamAuthentication, 502, "api_error"),
        (ErrorKind::Server, 502, "api_error"),
    ];
    for (kind, status, word) in cases {
        let document = json!({"type": "error", "error": {"type": word, "message": "words"}, "request_id": "req_9"});
        assert_eq!(told(kind), (status, document), "{kind:?}");
    }
}

#[test]
fn the_path_leads_the_message_as_anthropic_has_it() {
    let mut error = ProviderError::new(ErrorKind::InvalidRequest, "Input should be text");
    error.param = Some("messages[0].content[1]".to_owned());
    let message = |error: &ProviderError| -> Value {
        let (_, body) = AnthropicMessages.encode_error(error, "");
        serde_json::from_slice::<Value>(&body).unwrap()["error"]["message"].clone()
    };
    assert_eq!(message(&error), "messages.0.content.1: Input should be text");
    error.message = "messages.0.content.1: Input should be text".to_owned();
    assert_eq!(message(&error), "messages.0.content.1: Input should be text");
}

#[test]
fn a_thread_is_refused_in_the_words_that_clients_recover_from() {
    let request = |thread: Value| {
        let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
        body["thread"] = thread;
        AnthropicMessages.decode_request(body.to_string().as_bytes()).unwrap()
    };
    assert_eq!(super::super::refused_thread(&request(Value::Null)), None);
    for thread in [json!({"type": "create"}), json!({"type": "continue", "previous_message_id": "msg_1"})] {
        let refusal = super::super::refused_thread(&request(thread)).unwrap();
        assert_eq!((refusal.param.as_deref(), refusal.code), (Some("thread"), ErrorCode::UnsupportedThread));
        let mut error = ProviderError::new(ErrorKind::InvalidRequest, refusal.message).code(refusal.code.word());
        error.param = refusal.param;
        let (status, body) = AnthropicMessages.encode_error(&error, "");
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &document["error"]["type"]), (400, &json!("invalid_request_error")));
        assert_eq!(document["error"]["details"], json!({"error_code": "thread_unsupported_request"}));
    }
}

#[test]
fn an_error_in_the_guise_of_an_answer_is_one() {
    let body = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let error = AnthropicMessages.decode_response(body.to_string().as_bytes()).unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Overloaded, 503));
    let error = AnthropicMessages.decode_response(b"<html>").unwrap_err();
    assert_eq!((error.status, code(&error)), (502, "bad_upstream_response"));
    assert!(AnthropicMessages.decode_response(br#"{"choices":[]}"#).is_err());
}
