use std::time::Duration;

use super::{ErrorRules, Refused};

const RULES: ErrorRules = ErrorRules::USUAL;

#[test]
fn words_and_codes_are_found_in_any_shape() {
    let spent = Some(Refused::Exhausted);
    for body in [
        r#"{"error":{"code":"insufficient_quota"}}"#,
        r#"[{"error":{"type":"insufficient_quota"}}]"#,
        r#"{"errors":[{"detail":{"reason":"INSUFFICIENT_QUOTA"}}]}"#,
        r#"{"error":"Insufficient Balance"}"#,
        r#"{"msg":"余额不足"}"#,
        r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
        r#"{"error":{"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"code\":\"insufficient_quota\"}}"}}}"#,
        r#""insufficient balance""#,
        "insufficient balance",
    ] {
        assert_eq!(RULES.refused(429, None, body.as_bytes()), spent, "{body}");
    }
    for body in ["", "{}", "null", "<html>insufficient balance</html>", r#"{"input":"insufficient balance"}"#] {
        assert_eq!(RULES.refused(429, None, body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_limit_of_a_minute_is_no_empty_account() {
    let google =
        r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded for metric: requests per minute"}}"#;
    assert_eq!(RULES.refused(429, None, google.as_bytes()), None);
    assert!(RULES.is_of_model(None, google.as_bytes()) && !RULES.is_of_model(None, b"{}"));
}

#[test]
fn the_name_of_an_error_may_stand_in_a_header() {
    let refused = |name| RULES.refused(403, Some(name), br#"{"message":"No."}"#);
    assert_eq!(refused("ExpiredTokenException"), Some(Refused::Key));
    assert_eq!(refused("ExpiredTokenException:http://internal.amazon.com/coral/com.amazon.coral/"), Some(Refused::Key));
    assert_eq!(refused("aws.protocols#ExpiredTokenException:http://x,y"), Some(Refused::Key));
    assert_eq!(refused("AccessDeniedException"), Some(Refused::Right));
    assert_eq!(refused("ServiceException"), None);
    assert!(RULES.is_of_model(Some("ThrottlingException"), b"{}"));
}

#[test]
fn the_clients_fault_stays_the_clients() {
    for body in [
        r#"{"error":{"code":"context_length_exceeded","message":"This model's maximum context length is 8192 tokens."}}"#,
        r#"{"error":{"message":"Invalid value for 'model_kwargs'"}}"#,
        r#"{"error":{"code":"content_filter","message":"The response was filtered"}}"#,
    ] {
        assert_eq!(RULES.refused(400, None, body.as_bytes()), None, "{body}");
    }
}

#[test]
fn a_pause_is_read_from_fields_and_words() {
    let pause = |body: &str| RULES.pause(body.as_bytes()).map(|pause| pause.as_secs_f64());
    for (body, seconds) in [
        (r#"{"error":{"message":"Please try again in 1m2.5s."}}"#, 62.5),
        (r#"{"error":{"message":"Please retry after 20 seconds."}}"#, 20.0),
        (r#"{"error":{"message":"try again in 350ms"}}"#, 0.35),
        (r#"{"message":"Retry in 2 hours, 3 minutes and 4 secs"}"#, 7384.0),
        (r#"{"message":"Please retry after 7"}"#, 7.0),
        (r#"{"message":"请在 30 秒后重试"}"#, 30.0),
        (r#"{"error":{"details":[{"retryDelay":"34.4s"}]}}"#, 34.4),
        (r#"{"detail":{"retry_after_ms":1500}}"#, 1.5),
        (r#"{"parameters":{"retry_after":0.3}}"#, 0.3),
        (r#"{"retry_after":"12"}"#, 12.0),
    ] {
        assert_eq!(pause(body), Some(seconds), "{body}");
    }
    for body in ["", "{}", r#"{"message":"try again in a while"}"#, r#"{"retry_after":-1}"#, r#"{"retry_after":0}"#] {
        assert_eq!(pause(body), None, "{body}");
    }
    assert_eq!(RULES.duration("6m0s"), Some(Duration::from_mins(6)));
    assert_eq!(RULES.duration("1s"), Some(Duration::from_secs(1)));
    assert_eq!(RULES.duration("soon"), None);
}
