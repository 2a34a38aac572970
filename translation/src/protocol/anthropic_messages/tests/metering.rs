//! What metering reads.

use bytes::Bytes;
use serde_json::json;

use super::AnthropicMessages;
use crate::ir::Usage;
use crate::protocol::contract::{Protocol, Seen};

#[test]
fn point_07_tokens_from_and_to_the_cache_are_part_of_the_input() {
    let body = json!({"type": "message", "usage": {
        "input_tokens": 10, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 3000, "output_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
        "output_tokens_details": {"thinking_tokens": 20},
    }});
    let usage = AnthropicMessages.usage(body.to_string().as_bytes()).unwrap().unwrap();
    let expected = Usage {
        input: 3210,
        cached: 3000,
        cache_write: 200,
        cache_write_1h: 50,
        output: 50,
        reasoning: 20,
        ..Usage::default()
    };
    assert_eq!(usage, expected);
}

#[test]
fn iterations_are_summed_but_for_advice_and_a_model_to_fall_back_on() {
    let usage = |iterations| {
        let body = json!({"usage": {"input_tokens": 5, "output_tokens": 7, "iterations": iterations}});
        let usage = AnthropicMessages.usage(body.to_string().as_bytes()).unwrap().unwrap();
        (usage.input, usage.output)
    };
    let compacted = json!([
        {"type": "compaction", "input_tokens": 100, "output_tokens": 10},
        {"type": "message", "input_tokens": 5, "output_tokens": 7},
        {"type": "advisor_message", "input_tokens": 1000, "output_tokens": 1000},
    ]);
    assert_eq!(usage(compacted), (105, 17));
    let fallen_back = json!([
        {"type": "message", "input_tokens": 100, "output_tokens": 0},
        {"type": "fallback_message", "input_tokens": 5, "output_tokens": 7},
    ]);
    assert_eq!(usage(fallen_back), (5, 7));
}

#[test]
fn what_is_no_usage_counts_as_none() {
    let usage = |body: &str| AnthropicMessages.usage(body.as_bytes());
    assert_eq!(usage(r#"{"input_tokens": 17}"#).unwrap(), None, "an answer of count_tokens");
    assert_eq!(usage(r#"{"usage": "much"}"#).unwrap(), None);
    assert_eq!(usage(r#"{"usage": {"input_tokens": "many"}}"#).unwrap(), None);
    assert_eq!(usage("[1]").unwrap(), None);
    assert!(usage("<html>").is_err());
}

#[test]
fn the_last_usage_in_a_tail_is_found() {
    let tail = br#"... \"usage\": 5"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":4}}"#;
    let usage = AnthropicMessages.usage_in_tail(tail).unwrap();
    assert_eq!((usage.input, usage.output), (3, 4));
    assert_eq!(AnthropicMessages.usage_in_tail(b"nothing"), None);
}

#[test]
fn point_09_a_later_count_replaces_an_earlier_one() {
    let mut watcher = AnthropicMessages.watcher();
    let mut see = |data: serde_json::Value| watcher.event(&Bytes::from(data.to_string()));
    let seen = see(json!({"type": "message_start", "message": {"usage": {
        "input_tokens": 43, "cache_read_input_tokens": 7, "output_tokens": 1}}}));
    assert_eq!(seen.usage.map(|usage| (usage.input, usage.output)), Some((50, 1)));
    assert_eq!(
        see(json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "\"usage\""}})),
        Seen::default()
    );
    assert_eq!(see(json!({"type": "ping"})), Seen::default());
    let seen = see(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {
        "input_tokens": 61, "cache_read_input_tokens": null, "output_tokens": 9}}));
    assert_eq!(seen.usage.map(|usage| (usage.input, usage.cached, usage.output)), Some((68, 7, 9)));
    assert!(seen.finishes && !seen.only_usage && !seen.done);
    assert!(see(json!({"type": "message_stop"})).done);
}

#[test]
fn errors_are_seen_and_nonsense_is_not() {
    let mut watcher = AnthropicMessages.watcher();
    let mut see = |data: &'static str| watcher.event(&Bytes::from_static(data.as_bytes()));
    assert!(see(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#).error);
    assert!(see(r#"{"error":{"message":"Overloaded"}}"#).error);
    assert!(see(r#" { "index": 0, "type" : "message_stop" }"#).done);
    assert_eq!(see("not JSON"), Seen::default());
}
