//! Bedrock, from a client's request to what arrives there, and back.

use std::sync::Arc;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use serde_json::{Value, json};
use shared::pb::usage_record::Outcome;

use super::vertex::{Bench, serving};
use super::{Fake, Say, Seen, say};
use crate::route::fixtures::group;

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

async fn bench(answer: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Bench {
    let fake = Fake::new(move |_, seen| answer(seen)).await;
    let mut group = group("g", &["claude"]);
    group.models.clear();
    group.model_aliases.insert("claude".into(), MODEL.into());
    group.provider_type = "bedrock".into();
    group.base_url = fake.url.clone().into();
    Arc::make_mut(&mut group.upstream_keys[0]).secret = "AKIA1:secret@us-east-1".into();
    serving(fake, group)
}

fn frame(name: &str, payload: &Value) -> Vec<u8> {
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let message = Message::new(payload.to_string().into_bytes())
        .add_header(Header::new(":event-type", text(name)))
        .add_header(Header::new(":message-type", text("event")));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn hello(stream: bool) -> Value {
    json!({"model": "claude", "stream": stream, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50})
}

#[tokio::test]
async fn a_client_of_openais_gets_an_answer_of_bedrocks() {
    let answer = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 8, "outputTokens": 3, "totalTokens": 11},
    });
    let mut bench = bench(move |_| say(200, answer.to_string())).await;
    let (status, body) = bench.send("/v1/chat/completions", &hello(false)).await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(body["usage"]["total_tokens"], 11);
    let seen = bench.fake.seen();
    assert_eq!(seen[0].uri.path(), "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    assert!(seen[0].header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIA1/"));
    let sent: Value = serde_json::from_slice(&seen[0].body).unwrap();
    let messages = json!([{"role": "user", "content": [{"text": "Hi"}]}]);
    assert_eq!(sent, json!({"messages": messages, "inferenceConfig": {"maxTokens": 50}}));
    let record = bench.records.try_recv().unwrap().counted();
    assert_eq!((record.outcome(), record.input_tokens, record.output_tokens), (Outcome::Success, 8, 3));
}

#[tokio::test]
async fn a_stream_of_bedrocks_becomes_the_clients() {
    let frames = [
        frame("messageStart", &json!({"role": "assistant"})),
        frame("contentBlockDelta", &json!({"contentBlockIndex": 0, "delta": {"text": "Hello."}})),
        frame("contentBlockStop", &json!({"contentBlockIndex": 0})),
        frame("messageStop", &json!({"stopReason": "end_turn"})),
        frame("metadata", &json!({"usage": {"inputTokens": 8, "outputTokens": 3, "totalTokens": 11}})),
    ];
    let bytes = frames.concat();
    let mut bench =
        bench(move |_| Say { content_type: "application/vnd.amazon.eventstream", ..say(200, bytes.clone()) }).await;
    let (status, body) = bench.send("/v1/chat/completions", &hello(true)).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""content":"Hello.""#) && body.ends_with("data: [DONE]\n\n"), "{body}");
    let seen = bench.fake.seen();
    assert!(seen[0].uri.path().ends_with("/converse-stream"));
    assert_eq!(seen[0].header("accept"), "application/vnd.amazon.eventstream");
    assert_eq!(bench.records.try_recv().unwrap().counted().output_tokens, 3);
    // The same for a client of Anthropic's.
    let (status, body) = bench.send("/v1/messages", &hello(true)).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("event: message_stop"), "{body}");
}

#[tokio::test]
async fn a_model_that_failed_is_the_providers_fault() {
    let mut bench = bench(|_| say(424, r#"{"message":"The model failed.","originalStatusCode":500}"#)).await;
    let (status, body) = bench.send("/v1/chat/completions", &hello(false)).await;
    assert_eq!(status, 502, "{body}");
    assert!(body.contains("The model failed."), "{body}");
    assert_eq!(bench.records.try_recv().unwrap().counted().attempts[0].status, 424);
}
