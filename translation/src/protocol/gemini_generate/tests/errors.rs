//! Errors, both ways (`docs/TRANSLATION.md` section 9).

use std::time::Duration;

use serde_json::{Value, json};

use crate::ir::{ErrorKind, ProviderError};
use crate::protocol::contract::Protocol as _;
use crate::protocol::gemini_generate::GeminiGenerate;

fn read(http: u16, status: &str, message: &str, details: Value) -> ProviderError {
    let body = json!({"error": {"code": http, "message": message, "status": status, "details": details}});
    GeminiGenerate.decode_error(http, body.to_string().as_bytes())
}

fn kind(http: u16, status: &str) -> (ErrorKind, u16) {
    let error = read(http, status, "words", json!([]));
    assert_eq!(error.provider_type.as_deref(), Some(status));
    (error.kind, error.status)
}

#[test]
fn statuses_have_their_kinds() {
    assert_eq!(kind(400, "INVALID_ARGUMENT"), (ErrorKind::InvalidRequest, 400));
    assert_eq!(kind(400, "FAILED_PRECONDITION"), (ErrorKind::InvalidRequest, 400));
    assert_eq!(kind(400, "OUT_OF_RANGE"), (ErrorKind::InvalidRequest, 400));
    assert_eq!(kind(404, "NOT_FOUND"), (ErrorKind::NotFound, 404));
    assert_eq!(kind(413, "INVALID_ARGUMENT"), (ErrorKind::TooLarge, 413));
    assert_eq!(kind(429, "RESOURCE_EXHAUSTED"), (ErrorKind::RateLimited, 429));
    assert_eq!(kind(500, "INTERNAL"), (ErrorKind::Server, 500));
    assert_eq!(kind(503, "UNAVAILABLE"), (ErrorKind::Overloaded, 503));
    assert_eq!(kind(504, "DEADLINE_EXCEEDED"), (ErrorKind::Timeout, 504));
    assert_eq!(kind(499, "CANCELLED"), (ErrorKind::Server, 502));
    // Clients try a conflict again, and a malformed request not.
    assert_eq!(kind(409, "ABORTED"), (ErrorKind::InvalidRequest, 409));
}

#[test]
fn point_23_the_gateways_key_is_no_matter_of_the_client() {
    let reason = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]);
    let told = [
        read(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", json!([])),
        read(400, "INVALID_ARGUMENT", "key AIzaSecret is bad", reason),
        read(401, "UNAUTHENTICATED", "token AIzaSecret", json!([])),
        read(403, "PERMISSION_DENIED", "consumer AIzaSecret", json!([])),
        // Whatever word there is for it.
        read(401, "OF_TOMORROW", "token AIzaSecret", json!([])),
        GeminiGenerate.decode_error(403, br#"{"error": {"message": "AIzaSecret"}}"#),
    ];
    for error in told {
        assert_eq!((error.kind, error.status), (ErrorKind::UpstreamAuthentication, 502));
        assert_eq!(error.code.as_deref(), Some("upstream_authentication_failed"));
        assert!(!error.message.contains("AIza"), "{error:?}");
    }
}

#[test]
fn point_23_bodies_may_stand_in_an_array() {
    let body = json!([{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}]).to_string();
    let error = GeminiGenerate.decode_error(503, body.as_bytes());
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Overloaded, "busy"));
}

#[test]
fn what_is_no_document_is_an_error_of_the_server() {
    for body in ["<html><title>502</title></html>", "", "busy", "{}", "[]", "null", r#"{"error": 5}"#] {
        let error = GeminiGenerate.decode_error(502, body.as_bytes());
        assert_eq!((error.kind, error.status), (ErrorKind::Server, 502), "{body}");
        assert!(!error.message.is_empty() && !error.message.contains('<'));
    }
    let error = GeminiGenerate.decode_error(500, br#"{"error": "all wrong"}"#);
    assert_eq!(error.message, "all wrong");
}

#[test]
fn a_delay_is_rounded_up() {
    let retry = |delay: &str| json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]);
    let wait = |message: &str, details| read(429, "RESOURCE_EXHAUSTED", message, details).retry_after;
    assert_eq!(wait("slow down", retry("34.4s")), Some(Duration::from_secs(35)));
    assert_eq!(wait("slow down", retry("48s")), Some(Duration::from_secs(48)));
    assert_eq!(wait("Please retry in 48.939935699s.", json!([])), Some(Duration::from_secs(49)));
    for odd in ["", "s", "-5s", "1e300s", "soon"] {
        assert_eq!(wait("slow down", retry(odd)), None, "{odd}");
    }
}

#[test]
fn a_quota_of_the_day_is_spent() {
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9s"},
    ]);
    let error = read(429, "RESOURCE_EXHAUSTED", "quota", details);
    assert_eq!((error.kind, error.status, error.retry_after), (ErrorKind::Quota, 429, None));
    assert_eq!(error.code.as_deref(), Some("insufficient_quota"));
}

#[test]
fn codes_tell_what_a_client_can_act_on() {
    let code = |http, status: &str, message: &str| read(http, status, message, json!([])).code;
    let long = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).";
    assert_eq!(code(400, "INVALID_ARGUMENT", long).as_deref(), Some("context_length_exceeded"));
    assert_eq!(code(400, "INVALID_ARGUMENT", "bad temperature"), None);
    assert_eq!(code(404, "NOT_FOUND", "models/x is not found").as_deref(), Some("model_not_found"));
    assert_eq!(code(429, "RESOURCE_EXHAUSTED", "x").as_deref(), Some("rate_limit_exceeded"));
    let signature = "Function call is missing a thought_signature in functionCall parts.";
    assert_eq!(code(400, "INVALID_ARGUMENT", signature).as_deref(), Some("invalid_thought_signature"));
}

#[test]
fn a_place_that_is_not_served_is_the_gateways_trouble() {
    let error = read(400, "FAILED_PRECONDITION", "User location is not supported for the API use.", json!([]));
    assert_eq!((error.kind, error.status), (ErrorKind::Server, 502));
}

#[test]
fn errors_are_told_in_googles_words() {
    let words = [
        (ErrorKind::InvalidRequest, 400, "INVALID_ARGUMENT"),
        (ErrorKind::Authentication, 401, "UNAUTHENTICATED"),
        (ErrorKind::PermissionDenied, 403, "PERMISSION_DENIED"),
        (ErrorKind::NotFound, 404, "NOT_FOUND"),
        (ErrorKind::TooLarge, 413, "INVALID_ARGUMENT"),
        (ErrorKind::RateLimited, 429, "RESOURCE_EXHAUSTED"),
        (ErrorKind::Quota, 429, "RESOURCE_EXHAUSTED"),
        (ErrorKind::Overloaded, 503, "UNAVAILABLE"),
        (ErrorKind::Timeout, 504, "DEADLINE_EXCEEDED"),
        (ErrorKind::UpstreamAuthentication, 502, "INTERNAL"),
        (ErrorKind::Server, 502, "INTERNAL"),
    ];
    for (kind, status, word) in words {
        let (told, body) = GeminiGenerate.encode_error(&ProviderError::new(kind, "words"), "");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((told, body), (status, json!({"error": {"code": status, "message": "words", "status": word}})));
    }
    let overloaded = ProviderError { status: 529, ..ProviderError::new(ErrorKind::Overloaded, "words") };
    assert_eq!(GeminiGenerate.encode_error(&overloaded, "").0, 503);
}

#[test]
fn details_name_the_field_the_wait_and_the_request() {
    let error = ProviderError {
        param: Some("contents[0]".to_owned()),
        retry_after: Some(Duration::from_secs(7)),
        ..ProviderError::new(ErrorKind::RateLimited, "words")
    };
    let body: Value = serde_json::from_slice(&GeminiGenerate.encode_error(&error, "req-1").1).unwrap();
    let details = &body["error"]["details"];
    assert_eq!(details[0]["fieldViolations"][0], json!({"field": "contents[0]", "description": "words"}));
    assert_eq!(details[1], json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}));
    assert_eq!(details[2]["requestId"], "req-1");
}

#[test]
fn an_error_in_a_stream_ends_as_googles_events_do() {
    let event = GeminiGenerate.error_event(&ProviderError::truncated(), "r-1");
    let event = String::from_utf8(event).unwrap();
    let document = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\r\n\r\n")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(document).unwrap()["error"]["code"], 502);
}

#[test]
fn a_provider_without_capacity_is_unavailable_whatever_it_says() {
    let mut error = ProviderError::new(ErrorKind::Server, "Overloaded");
    error.status = 503;
    let (status, body) = GeminiGenerate.encode_error(&error, "");
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &document["error"]["status"]), (503, &json!("UNAVAILABLE")));
}
