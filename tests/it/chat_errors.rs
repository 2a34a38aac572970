//! Tests of the gateway's answers to mistakes of the client, in the shape of OpenAI's errors.

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::http::{Answer, Connection, bare};
use harness::planes::chat;
use harness::wait;
use hyper::Method;
use serde_json::json;

use crate::support::{Bed, SOON, standalone};

/// Checks the shape of the error, and returns type, code and message.
fn error(answer: &Answer) -> (String, String, String) {
    assert!(answer.header("content-type").starts_with("application/json"), "{}", answer.header("content-type"));
    assert!(!answer.header("x-request-id").is_empty());
    let body = answer.json();
    let error = &body["error"];
    assert!(error.get("param").is_some() && error.get("code").is_some(), "{body}");
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    assert!(!text("message").is_empty() && !text("type").is_empty(), "{body}");
    (text("type"), text("code"), text("message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_serve_is_401() {
    let bed = Bed::start(standalone()).await.unwrap();
    let admin = &bed.planes.admin;
    let disabled = admin.create_key(&json!({ "name": "disabled" })).await.unwrap();
    bed.planes.knows(&disabled).await.unwrap();
    let path = format!("/admin/proxy-keys/{}", disabled.id);
    admin.ok(Method::PATCH, &path, &json!({ "enabled": false })).await.unwrap();
    let api = bed.planes.api();
    wait::until_async("the key is refused", SOON, async || {
        (api.chat(&disabled.value, &chat("gpt-4o", false)).await.ok()?.status == 401).then_some(())
    })
    .await
    .unwrap();
    let before = bed.provider.journal().total();
    for key in ["", "sk-unknown", disabled.value.as_str(), "sk-\u{7f}"] {
        let Ok(request) = harness::planes::chat_request(key, &chat("gpt-4o", false)) else { continue };
        let answer = Connection::to(api.http).fetch(request).await.unwrap();
        assert_eq!(answer.status, 401, "{key}: {}", answer.text());
        let (kind, code, message) = error(&answer);
        assert_eq!((kind.as_str(), code.as_str()), ("invalid_request_error", "invalid_api_key"));
        assert!(key.is_empty() || !message.contains(key), "the message repeats the key: {message}");
    }
    // A credential of another scheme does not count.
    let mut request = harness::planes::chat_request("", &chat("gpt-4o", false)).unwrap();
    request.headers_mut().insert("authorization", format!("Basic {}", bed.key.value).parse().unwrap());
    assert_eq!(Connection::to(api.http).fetch(request).await.unwrap().status, 401);
    assert_eq!(bed.provider.journal().total(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_checked_before_the_body() {
    let bed = Bed::start(standalone()).await.unwrap();
    let request = crate::support::raw_post("/v1/chat/completions", "sk-unknown", "no JSON").unwrap();
    assert_eq!(Connection::to(bed.planes.api().http).fetch(request).await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_404() {
    let bed = Bed::start(standalone()).await.unwrap();
    for stream in [false, true] {
        let answer = bed.chat(&chat("gpt-99", stream)).await.unwrap();
        assert_eq!(answer.status, 404);
        let (kind, code, message) = error(&answer);
        assert_eq!((kind.as_str(), code.as_str()), ("invalid_request_error", "model_not_found"));
        assert!(message.contains("gpt-99"), "{message}");
        assert_eq!(answer.json()["error"]["param"], "model");
    }
    // Names of models are compared with regard to case.
    assert_eq!(bed.chat(&chat("GPT-4O", false)).await.unwrap().status, 404);
    assert_eq!(bed.provider.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_json_is_400_and_the_message_says_where() {
    let bed = Bed::start(standalone()).await.unwrap();
    let bad = [
        "",
        "{",
        "not json",
        "{\"model\":\"gpt-4o\",\n\"messages\": [}",
        "{\"model\":\"gpt-4o\",\"messages\":[]} trailing",
        "{\"model\":\"gpt-4o\",\"messages\":[],}",
    ];
    for body in bad {
        let answer = bed.post(&[], body).await.unwrap();
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
        let (kind, _, message) = error(&answer);
        assert_eq!(kind, "invalid_request_error");
        let where_it_is = ["line", "column", "offset", "byte", "position"].iter().any(|word| message.contains(word));
        assert!(where_it_is && message.contains(|c: char| c.is_ascii_digit()), "{body:?}: {message}");
    }
    let answer = bed.post(&[], &b"{\"model\":\"gpt-4o\",\"messages\":\"\xff\xfe\"}"[..]).await.unwrap();
    assert_eq!(answer.status, 400, "bytes that are no UTF-8: {}", answer.text());
    assert_eq!(bed.provider.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_names_no_model_is_400() {
    let bed = Bed::start(standalone()).await.unwrap();
    for body in [r#"{"messages":[]}"#, r#"{"model":5,"messages":[]}"#, r#"{"model":null}"#, "[]", "\"text\"", "null"] {
        let answer = bed.post(&[], body).await.unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        let (kind, _, message) = error(&answer);
        assert_eq!(kind, "invalid_request_error");
        assert!(!body.starts_with('{') || message.contains("model"), "{body}: {message}");
    }
    assert_eq!(bed.provider.journal().total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_an_unknown_path_404() {
    let bed = Bed::start(standalone()).await.unwrap();
    let http = bed.planes.api().http;
    for (method, path, allowed) in [
        (Method::GET, "/v1/chat/completions", "POST"),
        (Method::DELETE, "/v1/chat/completions", "POST"),
        (Method::POST, "/v1/models", "GET"),
    ] {
        let request = bare(method.clone(), path, &bed.key.value).unwrap();
        let answer = Connection::to(http).fetch(request).await.unwrap();
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.header("allow").contains(allowed), "{:?}", answer.headers);
        error(&answer);
    }
    let request = bare(Method::POST, "/v1/no/such/path", &bed.key.value).unwrap();
    let answer = Connection::to(http).fetch(request).await.unwrap();
    assert_eq!(answer.status, 404);
    error(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413() {
    let limit = 64 * 1024;
    let bed = Bed::start(standalone().set("Limits:MaxBodyBytes", limit)).await.unwrap();
    let body = |size: usize| {
        let frame = chat("gpt-4o", false);
        let mut text = frame.to_string();
        text.insert_str(text.len() - 1, &" ".repeat(size - text.len()));
        text
    };
    let answer = bed.post(&[], body(limit)).await.unwrap();
    assert_eq!(answer.status, 200, "a body of just the limit is served: {}", answer.text());
    let answer = bed.post(&[], body(limit + 1)).await.unwrap();
    assert_eq!(answer.status, 413);
    let (kind, _, message) = error(&answer);
    assert_eq!(kind, "invalid_request_error");
    assert!(message.contains("65536"), "the message names the limit: {message}");
    assert_eq!(bed.provider.journal().total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_got_wrong_harms_no_key() {
    let bed = Bed::start(standalone()).await.unwrap();
    for status in [400, 404, 413, 422] {
        bed.provider.script(Target::All, Script::error(status));
        let before = bed.provider.journal().total();
        let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(bed.provider.journal().total(), before + 1, "{status} was tried again");
        assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200, "after {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_breaks_off_within_its_stream_ends_in_an_error_event() {
    let bed = Bed::start(standalone()).await.unwrap();
    for inside in [false, true] {
        let cut = if inside {
            fake_provider::script::Cut::InsideChunk(3)
        } else {
            fake_provider::script::Cut::AfterChunks(3)
        };
        bed.provider.script(Target::All, Script { chunks: Some(9), ..Script::new() }.cut(cut));
        let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("gpt-4o", true)).await.unwrap();
        assert_eq!(stream.status, 200);
        let chunks = crate::support::chunks(&stream.rest().await.unwrap());
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!(crate::support::content(before), "0 1 2 ");
        assert!(last["error"]["message"].is_string() && last["error"]["type"].is_string(), "{last}");
        assert!(last.get("choices").is_none(), "{last}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_own_error_event_passes_through() {
    let bed = Bed::start(standalone()).await.unwrap();
    let mut stream = bed.planes.api().chat_stream(&bed.key.value, &chat("fake-stream-error", true)).await.unwrap();
    let chunks = crate::support::chunks(&stream.rest().await.unwrap());
    let errors: Vec<_> = chunks.iter().filter(|chunk| chunk.get("error").is_some()).collect();
    assert_eq!(errors.len(), 1, "{chunks:?}");
    let message = errors[0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("The server had an error"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_any_length_leaves_its_record_and_no_long_line_in_the_log() {
    let bed = Bed::start(standalone()).await.unwrap();
    let answer = bed.chat(&chat(&"m".repeat(2_000_000), false)).await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text().len());
    error(&answer);
    assert_eq!(answer.json()["error"]["param"], "model");
    let records = bed.chat_records(1).await.unwrap();
    assert_eq!((&records[0]["status"], &records[0]["outcome"]), (&json!(400), &json!("refused")));
    let log = bed.planes.api().process().unwrap().log();
    assert!(log.lines().all(|line| line.len() < 4096));
}

/// Errors of providers, and of what stands in front of them, do not all have OpenAI's shape.
#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_words_reach_the_client_whatever_their_shape() {
    let bed = Bed::start(standalone()).await.unwrap();
    for (status, content_type, body, words) in [
        (422, "application/json", r#"{"detail":"max_tokens too large: 9 > 5"}"#, "max_tokens too large: 9 > 5"),
        (400, "application/json", r#"[{"error":{"message":"API version not valid"}}]"#, "API version not valid"),
        (400, "text/plain", "overloaded:\n come back at noon", "overloaded: come back at noon"),
        (
            413,
            "text/html",
            "<html><h1>413 Too Large</h1></html>",
            "the provider answered HTTP 413 without an error message",
        ),
    ] {
        bed.provider.script(Target::All, Script::verbatim(status, content_type, body));
        let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        let (_, code, message) = error(&answer);
        assert_eq!((code.as_str(), message.as_str()), ("upstream_error", words));
    }
    let records = bed.chat_records(4).await.unwrap();
    assert!(records.iter().any(|record| record["errorMessage"] == "API version not valid"), "{records:?}");
}

/// Some vendors refuse content with the status of a refused key.
#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_a_filter_refuses_is_the_clients_matter_and_harms_no_key() {
    let words = "m requires moderation on X. Your input was flagged for \"violence\".";
    for body in [json!({ "error": { "message": words, "code": 403 } }), json!({ "error": words })] {
        let bed = Bed::start(standalone()).await.unwrap();
        bed.provider.script(Target::All, Script::verbatim(403, "application/json", body.to_string()));
        let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 400, "{}", answer.text());
        let (kind, code, message) = error(&answer);
        assert_eq!(
            (kind.as_str(), code.as_str(), message.as_str()),
            ("invalid_request_error", "content_policy_violation", words)
        );
        // The key is as good as before.
        assert_eq!(bed.chat(&chat("gpt-4o", false)).await.unwrap().status, 200);
        let records = bed.chat_records(2).await.unwrap();
        assert!(records.iter().all(|record| record["attempts"].as_array().map(Vec::len) == Some(1)), "{records:?}");
    }
}

/// The status of a refused key is the operator's business, and so are the words of a 401, which tend to repeat a part
/// of the key.
#[tokio::test(flavor = "multi_thread")]
async fn why_the_provider_refused_the_key_is_in_the_record() {
    for (status, told) in [(401, false), (403, true)] {
        let bed = Bed::start(standalone()).await.unwrap();
        let body = json!({ "error": { "message": "not from here", "type": "x", "code": "y" } });
        bed.provider.always(Target::All, Script::verbatim(status, "application/json", body.to_string()));
        let answer = bed.chat(&chat("gpt-4o", false)).await.unwrap();
        assert_eq!((answer.status, answer.header("x-should-retry")), (502, "false"));
        let (_, code, message) = error(&answer);
        assert_eq!(code, "upstream_authentication_failed");
        assert!(message.contains(&status.to_string()), "{message}");
        assert_eq!(message.contains("not from here"), told, "{message}");
        let records = bed.chat_records(1).await.unwrap();
        let attempt = &records[0]["attempts"][0];
        assert!(attempt["error"].as_str().unwrap().contains("not from here"), "{attempt}");
    }
}
