use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{provider, wait};
use crate::FakeProvider;
use crate::journal::End;
use crate::queue::Target;
use crate::script::{Cut, Script};

/// Sends `body` over a plain socket and reads to the end of the connection.
async fn exchange(provider: &FakeProvider, body: &Value) -> String {
    let mut stream = send(provider, body).await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn send(provider: &FakeProvider, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(provider.addr).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-test\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn chat(stream: bool) -> Value {
    json!({ "model": "gpt-4o", "stream": stream, "messages": [{ "role": "user", "content": "Hi" }] })
}

#[tokio::test]
async fn a_unary_answer_has_the_provider_s_shape() {
    let provider = provider().await;
    provider.script(Target::All, Script::saying("Bonjour").usage(3, 5));
    let answer = exchange(&provider, &chat(false)).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("x-request-id: req_fake"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Bonjour");
    assert_eq!(body["usage"]["total_tokens"], 8);
    let received = provider.journal().last().unwrap();
    assert_eq!((received.key(), received.json()["model"].as_str()), ("sk-test", Some("gpt-4o")));
}

#[tokio::test]
async fn a_stream_ends_with_usage_only_when_asked() {
    let provider = provider().await;
    let mut request = chat(true);
    let without = exchange(&provider, &request).await;
    assert!(without.contains("data: [DONE]") && !without.contains("\"usage\""), "{without}");
    request["stream_options"] = json!({ "include_usage": true });
    let with = exchange(&provider, &request).await;
    assert!(with.contains("\"choices\":[]") && with.contains("\"total_tokens\""), "{with}");
}

#[tokio::test]
async fn offered_tools_are_called_in_fragments() {
    let provider = provider().await;
    let mut request = chat(true);
    request["tools"] = json!([{ "type": "function", "function": {
        "name": "weather", "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } } }]);
    let answer = exchange(&provider, &request).await;
    assert!(answer.contains("\"name\":\"weather\"") && answer.contains("\"finish_reason\":\"tool_calls\""), "{answer}");
    request["stream"] = json!(false);
    let answer = exchange(&provider, &request).await;
    assert!(answer.contains(r#""arguments":"{\"city\":\"Paris\"}""#), "{answer}");
}

#[tokio::test]
async fn cuts_happen_where_the_script_says() {
    let provider = provider().await;
    let mut request = chat(true);
    request["fake"] = json!({ "cut": "before_head" });
    assert_eq!(exchange(&provider, &request).await, "");
    request["fake"] = json!({ "chunks": 9, "cut": { "after_chunks": 3 } });
    let answer = exchange(&provider, &request).await;
    assert!(answer.contains("\"2 \"") && !answer.contains("\"3 \"") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(provider.journal().last().unwrap().end().unwrap().0, End::Cut);
    provider.script(Target::Key("sk-test".into()), Script::new().cut(Cut::AfterChunks(1)));
    let answer = exchange(&provider, &chat(false)).await;
    assert!(answer.contains("content-length") && !answer.ends_with('}'), "{answer}");
}

#[tokio::test]
async fn raw_bytes_take_the_place_of_http() {
    let provider = provider().await;
    provider.script(Target::Model("gpt-4o".into()), Script { raw: Some("no HTTP at all".into()), ..Script::new() });
    assert_eq!(exchange(&provider, &chat(false)).await, "no HTTP at all");
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_before_and_within_the_answer() {
    let provider = provider().await;
    for model in ["fake-silent", "fake-endless"] {
        let mut request = chat(true);
        request["model"] = json!(model);
        provider.journal().clear();
        let stream = send(&provider, &request).await;
        let received = wait(|| provider.journal().last()).await;
        if model == "fake-endless" {
            wait(|| (received.chunks() > 2).then_some(())).await;
        }
        assert_eq!(received.end(), None);
        drop(stream);
        let (end, _) = wait(|| received.end()).await;
        assert_eq!(end, End::ClientGone, "{model}");
    }
    assert_eq!((provider.journal().client_gone(), provider.journal().open()), (2, 0));
}

#[tokio::test]
async fn errors_speak_as_the_provider_does() {
    let provider = provider().await;
    let mut request = chat(false);
    request["model"] = json!("fake-error-429");
    let answer = exchange(&provider, &request).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("rate_limit_exceeded"), "{answer}");
}

#[tokio::test]
async fn the_control_routes_script_and_report() {
    let provider = provider().await;
    let scripts = json!({ "for": { "model": "gpt-4o" }, "scripts": [{ "status": 503 }] }).to_string();
    let answer = control(&provider, "POST /_script", &scripts).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(exchange(&provider, &chat(false)).await.starts_with("HTTP/1.1 503"));
    let answer = control(&provider, "GET /_requests", "").await;
    let requests: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(requests["requests"][0]["path"], "/v1/chat/completions");
    assert_eq!(requests["requests"][0]["end"], "answered");
    let answer = control(&provider, "POST /_script", r#"{ "for": "all", "scripts": [{ "stauts": 503 }] }"#).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("stauts"), "{answer}");
}

async fn control(provider: &FakeProvider, route: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(provider.addr).await.unwrap();
    let request =
        format!("{route} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_structured_answer_fits_its_schema() {
    let provider = provider().await;
    let mut request = chat(false);
    request["response_format"] = json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": {
        "type": "object", "required": ["age"], "properties": { "age": { "type": "integer", "minimum": 18 } } } } });
    let answer = exchange(&provider, &request).await;
    assert!(answer.contains(r#""content":"{\"age\":18}""#), "{answer}");
}

#[tokio::test]
async fn choices_are_as_many_as_asked_for() {
    let provider = provider().await;
    let mut request = chat(true);
    request["n"] = json!(2);
    let answer = exchange(&provider, &request).await;
    assert_eq!(answer.matches("\"finish_reason\":\"stop\"").count(), 2, "{answer}");
}

#[tokio::test]
async fn thoughts_refusals_and_ends_are_scripted() {
    let provider = provider().await;
    provider.script(Target::All, Script::saying("Yes").thinking("Hm, hm").finish("length").usage(9, 5).cached(4, 2));
    let answer = exchange(&provider, &chat(false)).await;
    assert!(
        answer.contains(r#""reasoning_content":"Hm, hm""#) && answer.contains(r#""finish_reason":"length""#),
        "{answer}"
    );
    assert!(answer.contains(r#""cached_tokens":4"#) && answer.contains(r#""reasoning_tokens":2"#), "{answer}");
    provider.script(Target::All, Script::refusing("I will not"));
    let answer = exchange(&provider, &chat(true)).await;
    assert!(answer.contains(r#"{"refusal":"will "}"#) && answer.contains(r#""finish_reason":"stop""#), "{answer}");
}
