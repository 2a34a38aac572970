use serde_json::{Value, json};

use super::without_foreign;

#[test]
fn history_without_foreign_signatures_is_left_alone() {
    let messages =
        json!([{ "role": "user", "content": "a thought" }, { "role": "assistant", "reasoning_content": "x" }]);
    assert_eq!(without_foreign(&messages.to_string()), None);
}

#[test]
fn foreign_signatures_and_thoughts_are_taken_out_and_ids_are_short_again() {
    let call =
        |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{\"n\":1.0}" } });
    let mut signed = call("call_1__thought__c2ln");
    signed["extra_content"] = json!({ "google": { "thought_signature": "c2ln" } });
    let messages = json!([
        { "role": "user", "content": "Hi", "name": "ann" },
        { "role": "assistant", "content": null, "thinking_blocks": [{ "type": "thinking" }], "reasoning_content": "x", "tool_calls": [signed] },
        { "role": "tool", "tool_call_id": "call_1__thought__c2ln", "content": "1" },
    ]);
    let clean: Value = serde_json::from_str(&without_foreign(&messages.to_string()).unwrap()).unwrap();
    let expected = json!([
        { "role": "user", "content": "Hi", "name": "ann" },
        { "role": "assistant", "content": null, "tool_calls": [call("call_1")] },
        { "role": "tool", "tool_call_id": "call_1", "content": "1" },
    ]);
    assert_eq!(clean, expected);
}

#[test]
fn what_is_no_history_is_left_alone() {
    for text in ["null", "{}", "[1,\"extra_content\"", "\"__thought__\""] {
        assert_eq!(without_foreign(text), None);
    }
}
