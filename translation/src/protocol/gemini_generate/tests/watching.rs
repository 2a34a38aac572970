//! What metering needs of answers that pass through.

use bytes::Bytes;
use serde_json::json;

use crate::ir::Usage;
use crate::protocol::contract::{Protocol as _, Seen};
use crate::protocol::gemini_generate::GeminiGenerate;

fn seen(data: &str) -> Seen {
    GeminiGenerate.watcher().event(&Bytes::copy_from_slice(data.as_bytes()))
}

fn counts() -> serde_json::Value {
    json!({"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1, "totalTokenCount": 8})
}

const USAGE: Usage = Usage {
    input: 5,
    cached: 0,
    cache_write: 0,
    cache_write_1h: 0,
    input_audio: 0,
    output: 3,
    reasoning: 1,
    output_audio: 0,
    capped: false,
    input_image: 0,
    output_image: 0,
};

#[test]
fn events_are_told_apart() {
    let text = json!({"candidates": [{"content": {"parts": [{"text": "\"usageMetadata\" \"error\""}]}}]});
    assert_eq!(seen(&text.to_string()), Seen::default());
    let with_counts = json!({"candidates": [{}], "usageMetadata": counts()});
    assert_eq!(seen(&with_counts.to_string()), Seen { usage: Some(USAGE), ..Seen::default() });
    let last = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": counts()});
    assert_eq!(seen(&last.to_string()), Seen { usage: Some(USAGE), finishes: true, ..Seen::default() });
    let numbered = json!({"candidates": [{"finishReason": 1}]});
    assert!(seen(&numbered.to_string()).finishes);
    let unspecified = json!({"candidates": [{"finishReason": "FINISH_REASON_UNSPECIFIED"}]});
    assert!(!seen(&unspecified.to_string()).finishes);
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    assert!(seen(&blocked.to_string()).finishes);
    let error = json!({"error": {"code": 503, "status": "UNAVAILABLE"}});
    assert_eq!(seen(&error.to_string()), Seen { error: true, ..Seen::default() });
    let argument = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"error": 1, "finishReason": "STOP"}}}]}}]});
    assert_eq!(seen(&argument.to_string()), Seen::default());
    assert_eq!(seen("not json \"error\""), Seen::default());
}

#[test]
fn usage_of_a_whole_answer() {
    let usage = |body: &str| GeminiGenerate.usage(body.as_bytes());
    let answer = json!({"candidates": [], "usageMetadata": counts()});
    assert_eq!(usage(&answer.to_string()).unwrap(), Some(USAGE));
    let array = json!([{"usageMetadata": {"promptTokenCount": 1}}, {"usageMetadata": counts()}, {}]);
    assert_eq!(usage(&array.to_string()).unwrap(), Some(USAGE));
    for body in
        [json!({"embedding": {"values": [0.5]}}), json!({"totalTokens": 7}), json!({"usageMetadata": "?"}), json!(5)]
    {
        assert_eq!(usage(&body.to_string()).unwrap(), None, "{body}");
    }
    assert!(usage("<html>").is_err());
}

#[test]
fn usage_in_a_tail() {
    let tail = |text: String| GeminiGenerate.usage_in_tail(text.as_bytes());
    assert_eq!(tail(format!(r#"..."}}]}}],"usageMetadata" : {}, "modelVersion": "m"}}"#, counts())), Some(USAGE));
    let text = r#"... \"usageMetadata\": {} "#;
    assert_eq!(tail(text.to_owned()), None);
    assert_eq!(tail(r#""usageMetadata":{"promptTokenCount":"#.to_owned()), None);
    assert_eq!(tail(String::new()), None);
}
