use serde_json::{Value, json};

use super::{openai, post, provider, send};
use crate::FakeProvider;

fn chat() -> Value {
    json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi" }] })
}

async fn order(provider: &FakeProvider, order: &Value) {
    let got = post(provider, "/_fake/script", order).await;
    assert_eq!(got.status, 200, "{}", got.text());
}

#[tokio::test]
async fn each_kind_of_script_is_understood() {
    let provider = provider().await;
    let cases = [
        (json!({ "kind": "saying", "values": { "text": "Bonjour" } }), 200, "Bonjour"),
        (json!({ "kind": "error", "values": { "status": 429, "headers": [["retry-after", "9"]] } }), 429, "rate_limit"),
        (
            json!({ "kind": "thinking", "values": { "text": "Hm", "content": "Yes" } }),
            200,
            r#""reasoning_content":"Hm""#,
        ),
        (json!({ "kind": "refusal", "values": { "text": "No" } }), 200, r#""refusal":"No""#),
        (json!({ "kind": "blocked", "values": { "reason": "X" } }), 200, "content_filter"),
        (
            json!({ "kind": "tool_calls", "values": { "calls": [{ "name": "f", "arguments": { "x": 1 } }] } }),
            200,
            r#""arguments":"{\"x\":1}""#,
        ),
        (json!({ "kind": "sse", "values": { "events": "data: x\n\n" } }), 200, "data: x\n\n"),
        (json!({ "kind": "json", "values": { "document": [1] } }), 200, "[1]"),
        (json!({ "kind": "verbatim", "values": { "status": 418, "body": "tea" } }), 418, "tea"),
        (json!({ "kind": "echo" }), 200, "sk-test"),
        (json!({ "values": { "content": "plain" } }), 200, "plain"),
    ];
    for (body, status, words) in cases {
        order(&provider, &body).await;
        openai(&provider, "/v1/chat/completions", &chat()).await.refuses(status, words);
    }
}

#[tokio::test]
async fn scripts_apply_once_or_more_often_and_to_whom_they_are_for() {
    let provider = provider().await;
    let error = |apply: Value| json!({ "target": { "key": "sk-test" }, "kind": "error", "apply": apply });
    let status = async || openai(&provider, "/v1/chat/completions", &chat()).await.status;
    order(&provider, &error(json!({ "times": 2 }))).await;
    assert_eq!((status().await, status().await, status().await), (500, 500, 200));
    order(&provider, &error(json!("always"))).await;
    assert_eq!((status().await, status().await), (500, 500));
    send(&provider, "DELETE /_fake/script", b"").await;
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn one_key_is_told_apart() {
    let provider = provider().await;
    for key in ["sk-test", "sk-other"] {
        order(&provider, &json!({ "target": { "key": key }, "kind": "error", "apply": "always" })).await;
    }
    send(&provider, "DELETE /_fake/script?key=sk-other", b"").await;
    assert_eq!(openai(&provider, "/v1/chat/completions", &chat()).await.status, 500);
    send(&provider, "DELETE /_fake/script?key=sk-test", b"").await;
    assert_eq!(openai(&provider, "/v1/chat/completions", &chat()).await.status, 200);
    let received = async |key: &str| {
        let journal = send(&provider, &format!("GET /_fake/journal?key={key}"), b"").await.json();
        journal["requests"].as_array().unwrap().len()
    };
    assert_eq!((received("sk-test").await, received("sk-other").await), (2, 0));
}

#[tokio::test]
async fn the_journal_tells_what_came() {
    let provider = provider().await;
    post(&provider, "/v1beta/models/gemini-2.5-flash:generateContent?key=AIza", &json!({})).await;
    let journal = send(&provider, "GET /_fake/journal", b"").await.json();
    let request = &journal["requests"][0];
    assert_eq!(
        (&request["method"], &request["query"], &request["body"]),
        (&json!("POST"), &json!("key=AIza"), &json!("{}"))
    );
    send(&provider, "DELETE /_fake/journal", b"").await;
    assert_eq!(send(&provider, "GET /_fake/journal", b"").await.json()["requests"], json!([]));
}

#[tokio::test]
async fn what_is_no_script_is_refused() {
    let provider = provider().await;
    for (body, words) in [
        (json!({ "kind": "sayng" }), "unknown kind: sayng"),
        (json!({ "values": { "stauts": 1 } }), "stauts"),
        (json!({ "aply": "once" }), "aply"),
    ] {
        post(&provider, "/_fake/script", &body).await.refuses(400, words);
    }
}
