//! Errors: point 23.

use serde_json::{Value, json};
use translation::Format;
use translation::ir::{ErrorKind, ProviderError};

use super::asked::others;
use super::{FORMATS, pairs};

const KEY: &str = "sk-proj-abcdefghijklmnop";

/// What a provider says of `status`, in its form.
fn body(provider: Format, status: u16, message: &str) -> Value {
    match provider {
        Format::OpenAiChat | Format::OpenAiResponses => {
            json!({"error": {"message": message, "type": "some_error", "code": "some_code", "param": null}})
        }
        Format::AnthropicMessages => json!({"type": "error", "error": {"type": "some_error", "message": message}}),
        // Google wraps it in a list, on some paths.
        _ => json!([{"error": {"code": status, "message": message, "status": "SOME_ERROR"}}]),
    }
}

fn error(provider: Format, status: u16, message: &str) -> ProviderError {
    provider.protocol().decode_error(status, body(provider, status, message).to_string().as_bytes())
}

fn told(client: Format, error: &ProviderError) -> (u16, Value) {
    let (status, body) = client.protocol().encode_error(error, "req_1");
    let document: Value = serde_json::from_slice(&body).unwrap();
    let error = &document["error"];
    assert!(error["message"].is_string(), "{client}: {document}");
    match client {
        Format::OpenAiChat | Format::OpenAiResponses => {
            assert!(error["type"].is_string(), "{client}: {document}");
            assert!(error["code"].is_string() || error["code"].is_null(), "no number: {client}: {document}");
        }
        Format::AnthropicMessages => {
            assert_eq!((&document["type"], error["type"].is_string()), (&json!("error"), true), "{document}");
        }
        _ => {
            assert_eq!(error["code"], status, "{document}");
            assert!(error["status"].is_string(), "{document}");
        }
    }
    (status, document)
}

#[test]
fn point_23_errors_have_the_clients_form_and_the_status_that_its_sdk_knows() {
    let statuses = [(400, 400), (404, 404), (413, 413), (429, 429), (500, 502), (503, 503)];
    for (client, provider) in pairs() {
        for (given, wanted) in statuses {
            let (status, document) = told(client, &error(provider, given, "Some words."));
            assert!(
                status == wanted || (given >= 500 && status >= 500) || (given == 413 && status == 400),
                "{client} of {provider}: {given} is told as {status}: {document}"
            );
            assert!(document.to_string().contains("Some words."), "{client} of {provider}: {document}");
        }
    }
}

#[test]
fn point_23_what_a_provider_says_of_the_operators_key_stays_with_the_operator() {
    for provider in FORMATS {
        let words = format!("Incorrect API key provided: {KEY}. You can find your key at example.com.");
        let mut errors = vec![error(provider, 401, &words), error(provider, 403, &words)];
        if provider == Format::GeminiGenerate {
            let details = json!([{"reason": "API_KEY_INVALID", "domain": "googleapis.com"}]);
            let body = json!({"error": {"code": 400, "message": format!("API key not valid: {KEY}"), "status": "INVALID_ARGUMENT", "details": details}});
            errors.push(provider.protocol().decode_error(400, body.to_string().as_bytes()));
        }
        for error in errors {
            if error.kind != ErrorKind::UpstreamAuthentication {
                // 403 may be about the request.
                continue;
            }
            for client in others(provider) {
                let (status, document) = told(client, &error);
                assert!(status >= 500, "it is not the client's key: {client} of {provider}: {status}");
                let document = document.to_string();
                assert!(
                    !document.contains("sk-proj") && !document.contains("example.com"),
                    "{client} of {provider}: {document}"
                );
            }
        }
        assert_eq!(error(provider, 401, &words).kind, ErrorKind::UpstreamAuthentication, "{provider}");
    }
}

#[test]
fn point_23_an_overload_is_one_and_529_stays_with_anthropics_clients() {
    let overloaded = error(Format::AnthropicMessages, 529, "Overloaded");
    for client in others(Format::AnthropicMessages) {
        assert_eq!(told(client, &overloaded).0, 503, "{client}");
    }
    for provider in others(Format::AnthropicMessages) {
        let (status, document) = told(Format::AnthropicMessages, &error(provider, 503, "busy"));
        assert_eq!((status, &document["error"]["type"]), (529, &json!("overloaded_error")), "{provider}");
    }
}

#[test]
fn point_23_bodies_that_are_no_error_of_the_format_are_one_all_the_same() {
    for (client, provider) in pairs() {
        for body in
            ["", "<html>Bad Gateway</html>", "[]", "{\"detail\": \"x\"}", "null", "\"words\"", "{\"error\": \"words\"}"]
        {
            let error = provider.protocol().decode_error(502, body.as_bytes());
            let (status, _) = told(client, &error);
            assert!(status >= 500, "{client} of {provider}: {status} for {body:?}");
        }
    }
}

#[test]
fn point_23_a_wait_that_a_body_asks_for_is_kept() {
    let retry = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]);
    let body = json!({"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": retry}});
    let error = Format::GeminiGenerate.protocol().decode_error(429, body.to_string().as_bytes());
    assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(17)));
    for provider in [Format::OpenAiChat, Format::OpenAiResponses] {
        let error = error_of_wait(provider);
        assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(20)), "{provider}");
    }
}

fn error_of_wait(provider: Format) -> ProviderError {
    error(provider, 429, "Rate limit reached. Please try again in 20s.")
}
