use serde_json::{Value, json};

use crate::format::Format;
use crate::protocol::contract::{FOREIGN_BUT_REASONING, Quirks};

fn cleaned(format: Format, quirks: &Quirks, messages: &Value) -> Option<Value> {
    let cleaned = format.protocol().without_foreign(&messages.to_string(), quirks)?;
    Some(serde_json::from_str(&cleaned).unwrap())
}

fn chat(messages: &Value) -> Option<Value> {
    cleaned(Format::OpenAiChat, &Quirks::NONE, messages)
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"n\":1.0}"}})
}

/// Whoever sends it would have the cleaning of it take all the stack, and hours.
#[test]
fn what_is_nested_deeper_than_a_history_is_passed_over() {
    let (open, close) = (r#"{"type":"tool_result","thinking":1,"content":["#, "]}");
    for depth in [6, 200_000] {
        let messages = format!("[{}{}]", open.repeat(depth), close.repeat(depth));
        for format in [Format::OpenAiChat, Format::AnthropicMessages] {
            let cleaned = format.protocol().without_foreign(&messages, &Quirks::NONE);
            let left = cleaned.as_deref().unwrap_or(&messages).matches("tool_result").count();
            assert_eq!(left, depth, "{format}");
        }
    }
}

#[test]
fn c3_history_without_anything_foreign_is_left_alone() {
    let messages = json!([
        {"role": "user", "content": "reasoning_content, a signature and cache_control"},
        {"role": "user", "content": "\"reasoning_content\": 1, \"id\": \"0123456789012345678901234567890123456789x\""},
        {"role": "assistant", "content": null, "tool_calls": [call("call_1"), call(&"x".repeat(40))]},
        {"role": "assistant", "content": "x", "audio": {"id": "audio_0123456789012345678901234567890123456789"}},
    ]);
    assert_eq!(chat(&messages), None);
    for text in ["null", "{}", "[1,\"extra_content\"", "\"__thought__\"", "[\"\\\"reasoning\"]"] {
        assert_eq!(Format::OpenAiChat.protocol().without_foreign(text, &Quirks::NONE), None, "{text}");
    }
}

#[test]
fn c3_case_10_reasoning_content_alone_is_removed() {
    let messages = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho", "reasoning_content": "x"},
        {"role": "user", "content": "Hu"},
    ]);
    assert_eq!(
        chat(&messages),
        Some(json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Ho"},
            {"role": "user", "content": "Hu"},
        ]))
    );
    let spaced =
        r#"[ {"role":"user", "content":"1.0e0"}, {"role" : "assistant","reasoning" :null ,"content": "é\u00e9" } ]"#;
    assert_eq!(
        Format::OpenAiChat.protocol().without_foreign(spaced, &Quirks::NONE).unwrap(),
        r#"[{"role":"user", "content":"1.0e0"},{"role":"assistant","content":"é\u00e9"}]"#,
        "what is not cleaned keeps its bytes"
    );
}

#[test]
fn c3_breakpoints_alone_are_removed_where_they_are_refused() {
    let marked = json!([{"role": "user", "content": "Hi", "cache_control": {"type": "ephemeral"}}]);
    assert_eq!(chat(&marked), None);
    let groq = Quirks { foreign_fields: FOREIGN_BUT_REASONING, ..Quirks::COMPATIBLE };
    let clean = json!([{"role": "user", "content": "Hi"}]);
    assert_eq!(cleaned(Format::OpenAiChat, &groq, &marked), Some(clean));
}

#[test]
fn c3_every_foreign_field_is_removed_wherever_it_stands() {
    let mut signed = call("call_1__thought__c2ln");
    signed["extra_content"] = json!({"google": {"thought_signature": "c2ln"}});
    signed["provider_specific_fields"] = json!({"thought_signature": "c2ln"});
    signed["cache_control"] = json!({"type": "ephemeral"});
    signed["function"]["thought_signature"] = json!("c2ln");
    let messages = json!([
        {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "Hi", "name": "ann", "cache_control": {"type": "ephemeral"}},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                {"type": "text", "text": "said", "signature": "s"},
            ],
            "thinking_blocks": [{"type": "thinking"}],
            "reasoning": "r",
            "reasoning_content": "x",
            "reasoning_details": [],
            "provider_specific_fields": {},
            "tool_calls": [signed],
        },
        {"role": "tool", "tool_call_id": "call_1__thought__c2ln", "content": "1"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]},
    ]);
    assert_eq!(
        chat(&messages),
        Some(json!([
            {"role": "system", "content": [{"type": "text", "text": "s"}]},
            {"role": "user", "content": "Hi", "name": "ann"},
            {"role": "assistant", "content": [{"type": "text", "text": "said"}], "tool_calls": [call("call_1")]},
            {"role": "tool", "tool_call_id": "call_1", "content": "1"},
            {"role": "assistant", "content": ""},
        ]))
    );
}

#[test]
fn c3_case_10_long_ids_are_mapped_one_to_one() {
    let (long, other) = (format!("{}a", "x".repeat(52)), format!("{}b", "x".repeat(52)));
    let messages = json!([
        {"role": "assistant", "content": null, "tool_calls": [call(&long), call(&other), call("call_1")]},
        {"role": "tool", "tool_call_id": other, "content": "2"},
        {"role": "tool", "tool_call_id": long, "content": "1"},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
    ]);
    let clean = chat(&messages).unwrap();
    let ids: Vec<_> = (0..3).map(|at| clean[0]["tool_calls"][at]["id"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() <= 40) && ids[0] != ids[1] && ids[2] == "call_1", "{ids:?}");
    assert_eq!((&clean[1]["tool_call_id"], &clean[2]["tool_call_id"]), (&json!(ids[1]), &json!(ids[0])));
    assert_eq!(chat(&messages), Some(clean.clone()), "the same in every turn");
    // An id that another was cut to is not given twice.
    let taken = json!([
        {"role": "assistant", "content": null, "tool_calls": [call(&long), call(ids[0])]},
        {"role": "tool", "tool_call_id": long, "content": "1"},
        {"role": "tool", "tool_call_id": ids[0], "content": "2"},
    ]);
    let clean = chat(&taken).unwrap();
    assert_eq!(clean[0]["tool_calls"][1]["id"], ids[0]);
    assert_ne!(clean[0]["tool_calls"][0]["id"], ids[0]);
    assert_eq!(clean[0]["tool_calls"][0]["id"], clean[1]["tool_call_id"]);
}

#[test]
fn c3_other_targets_have_their_own_bounds() {
    let history = |id: &str| {
        json!([
            {"role": "assistant", "content": null, "reasoning": "r", "reasoning_content": "x", "tool_calls": [call(id)]},
            {"role": "tool", "tool_call_id": id, "content": "1"},
        ])
    };
    // A vendor of which nothing is known gets what the client wrote.
    assert_eq!(cleaned(Format::OpenAiChat, &Quirks::COMPATIBLE, &history(&"x".repeat(99))), None);
    let mistral = Quirks { call_id_length: Some(9), ..Quirks::COMPATIBLE };
    let clean = cleaned(Format::OpenAiChat, &mistral, &history("call_1")).unwrap();
    let id = clean[0]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    assert_eq!(clean[1]["tool_call_id"], id);
    let groq = Quirks { foreign_fields: FOREIGN_BUT_REASONING, ..Quirks::COMPATIBLE };
    let clean = cleaned(Format::OpenAiChat, &groq, &history("call_1")).unwrap();
    assert_eq!((&clean[0]["reasoning"], clean[0].get("reasoning_content")), (&json!("r"), None));

    let messages = json!([
        {"role": "assistant", "content": [{"type": "tool_use", "id": "functions.f:0", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "functions.f:0", "content": "1"}]},
    ]);
    let clean = cleaned(Format::AnthropicMessages, &Quirks::NONE, &messages).unwrap();
    let id = clean[0]["content"][0]["id"].as_str().unwrap();
    assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{id}");
    assert_eq!(clean[1]["content"][0]["tool_use_id"], id);
    let fine = messages.to_string().replace("functions.f:0", "toolu_1");
    assert_eq!(Format::AnthropicMessages.protocol().without_foreign(&fine, &Quirks::NONE), None);
}

#[test]
fn c3_items_for_openai_itself_are_clean() {
    let long = "x".repeat(70);
    let items = json!([
        {"role": "user", "content": [{"type": "input_text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {"type": "reasoning", "id": "rs_0123456789abcdefABCDEFGH_0", "summary": [{"type": "summary_text", "text": "t"}]},
        {"type": "reasoning", "id": "rs_68af", "summary": [], "encrypted_content": null},
        {"type": "reasoning", "id": "rs_68ae", "summary": [], "encrypted_content": "c2ln"},
        {"type": "function_call", "id": "call_9", "call_id": long, "name": "f", "arguments": "{}", "reasoning_content": "x"},
        {"type": "function_call_output", "call_id": long, "output": "1"},
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
    ]);
    let clean = cleaned(Format::OpenAiResponses, &Quirks::NONE, &items).unwrap();
    let id = clean[3]["call_id"].as_str().unwrap();
    assert!(id.len() <= 64);
    assert_eq!(
        clean,
        json!([
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "reasoning", "id": "rs_68af", "summary": [], "encrypted_content": null},
            {"type": "reasoning", "id": "rs_68ae", "summary": [], "encrypted_content": "c2ln"},
            {"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": id, "output": "1"},
            {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        ])
    );
    assert_eq!(cleaned(Format::OpenAiResponses, &Quirks::NONE, &clean), None);
    assert_eq!(cleaned(Format::OpenAiResponses, &Quirks::COMPATIBLE, &items), None);
    assert_eq!(Format::OpenAiResponses.protocol().without_foreign("\"say thinking\"", &Quirks::NONE), None);
}
