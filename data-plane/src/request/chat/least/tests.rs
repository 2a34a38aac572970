use serde_json::json;

use super::least_tokens;

fn least(body: &serde_json::Value) -> u64 {
    least_tokens(body.to_string().as_bytes())
}

#[test]
fn the_words_of_a_conversation_are_counted_in_every_format() {
    let words = "one two, three - four";
    for body in [
        json!({"messages": [{"role": "user", "content": words}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": words}]}]}),
        json!({"input": words}),
        json!({"input": [{"type": "function_call_output", "call_id": "c", "output": words}]}),
        json!({"contents": [{"role": "user", "parts": [{"text": words}]}]}),
        json!({"system": [{"type": "text", "text": words}], "messages": []}),
        json!({"instructions": words, "input": []}),
        json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": words}]}]}),
    ] {
        assert_eq!(least(&body), 4, "{body}");
    }
}

#[test]
fn what_a_provider_may_not_read_is_not_counted() {
    for body in [
        json!({"metadata": {"a": "one two"}, "model": "a b"}),
        json!({"messages": [{"role": "assistant", "reasoning_content": "one two"}]}),
        json!({"messages": [{"content": [{"type": "thinking", "thinking": "one two"}]}]}),
        json!({"contents": [{"parts": [{"text": "one two", "thought": true}]}]}),
        json!({"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:a b c"}}]}]}),
        json!({"tools": [{"function": {"description": "one two"}}]}),
    ] {
        assert_eq!(least(&body), 0, "{body}");
    }
}

#[test]
fn text_without_spaces_is_one_word() {
    assert_eq!(least(&json!({"input": "今日は良い天気ですね"})), 1);
    assert_eq!(least_tokens(br#"{"input": "\u4f60\u597d \u4f60"}"#), 2);
    assert_eq!(least_tokens(b"no JSON"), 0);
}
