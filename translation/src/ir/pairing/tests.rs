use std::borrow::Cow;

use serde_json::{Value, json};

use super::paired;
use crate::facts::ModelFacts;
use crate::format::Format;
use crate::ir::{Part, Request, Role};
use crate::protocol::contract::{Quirks, Target};

fn calls(ids: &[&str]) -> Value {
    let calls =
        ids.iter().map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}));
    json!({"role": "assistant", "tool_calls": calls.collect::<Vec<_>>()})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": format!("result of {id}")})
}

fn said(role: &str) -> Value {
    json!({"role": role, "content": "and on"})
}

fn request(messages: &[Value]) -> Request {
    let mut all = vec![json!({"role": "user", "content": "go"})];
    all.extend_from_slice(messages);
    let body = json!({"model": "m", "messages": all});
    Format::OpenAiChat.protocol().decode_request(body.to_string().as_bytes()).unwrap()
}

/// The conversation in short: roles, with the ids of calls and results.
fn short(request: &Request) -> String {
    let messages = request.messages.iter().map(|message| {
        let ids = message.parts.iter().map(|part| match part {
            Part::ToolCall(call) => call.id.as_str(),
            Part::ToolResult(result) => result.call_id.as_str(),
            _ => "-",
        });
        let role = match message.role {
            Role::System | Role::Developer => "system",
            Role::User => "user",
            Role::Assistant => "calls",
            Role::Tool => "tool",
        };
        format!("{role}:{}", ids.collect::<Vec<_>>().join(","))
    });
    messages.collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_in_order_is_not_copied() {
    let messages = [
        calls(&["a", "b"]),
        result("a"),
        result("b"),
        said("user"),
        // Some vendors count from the beginning in every turn.
        calls(&["a"]),
        result("a"),
        said("assistant"),
        said("user"),
    ];
    let request = request(&messages);
    assert!(matches!(paired(&request), Ok(Cow::Borrowed(_))));
}

#[test]
fn what_is_out_of_order_is_put_in_order() {
    let cases = [
        (vec![calls(&["a", "b"]), result("b"), result("a")], "user:- calls:a,b tool:a tool:b"),
        (
            vec![calls(&["a", "b", "c"]), result("a"), said("user"), result("b"), result("c")],
            "user:- calls:a,b,c tool:a tool:b tool:c user:-",
        ),
        (vec![calls(&["a"]), said("user"), result("a")], "user:- calls:a tool:a user:-"),
        (vec![calls(&["a"]), said("system"), result("a"), said("user")], "user:- calls:a tool:a system:- user:-"),
        (vec![calls(&["a"]), calls(&["b"]), result("a"), result("b")], "user:- calls:a,b tool:a tool:b"),
        (vec![calls(&["a", "a"]), said("user"), result("a"), result("a")], "user:- calls:a,a tool:a tool:a user:-"),
        (
            vec![calls(&["a"]), said("user"), result("a"), said("assistant"), said("user"), calls(&["a"]), result("a")],
            "user:- calls:a tool:a user:- calls:- user:- calls:a tool:a",
        ),
    ];
    for (messages, ordered) in cases {
        let request = request(&messages);
        assert_eq!(short(&paired(&request).unwrap()), ordered, "{messages:?}");
    }
}

#[test]
fn a_call_or_result_without_its_other_half_is_refused_by_name_for_every_target() {
    let cases = [
        (vec![calls(&["a", "b"]), result("a"), said("user")], "messages[1]", "`b` has no result"),
        (vec![calls(&["a", "b"]), result("a")], "messages[1]", "`b` has no result"),
        (vec![calls(&["a"])], "messages[1]", "`a` has no result"),
        (vec![calls(&["a"]), said("user"), said("assistant"), result("a")], "messages[1]", "`a` has no result"),
        (vec![calls(&["a"]), result("a"), result("a")], "messages[3].tool_call_id", "`a` has a result already"),
        (vec![result("x")], "messages[1].tool_call_id", "no tool call `x`"),
        (vec![calls(&["a"]), result("a"), result("x")], "messages[3].tool_call_id", "no tool call `x`"),
        (
            vec![calls(&["a"]), result("a"), said("assistant"), said("user"), result("a")],
            "messages[5].tool_call_id",
            "no tool call `a`",
        ),
    ];
    let facts = ModelFacts::default();
    for (messages, param, words) in cases {
        let request = request(&messages);
        for format in Format::ALL {
            let target = Target { model: "m", facts: &facts, quirks: &Quirks::NONE, stream: false };
            let refusal = format.protocol().encode_request(&request, &target).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some(param), "{format}: {messages:?}");
            assert!(refusal.message.contains(words), "{format}: {}", refusal.message);
        }
    }
}

#[test]
fn every_clients_history_is_put_in_order() {
    let anthropic = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}},
                                          {"type": "tool_use", "id": "b", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "text", "text": "so"}, {"type": "tool_result", "tool_use_id": "b"},
                                     {"type": "tool_result", "tool_use_id": "a"}]},
    ]});
    let responses = json!({"model": "m", "input": [
        {"role": "user", "content": "go"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "b", "output": "2"},
        {"role": "user", "content": "so"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
    ]});
    let gemini = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"functionCall": {"id": "a", "name": "f"}}, {"functionCall": {"id": "b", "name": "g"}}]},
        {"role": "user", "parts": [{"text": "so"}, {"functionResponse": {"id": "b", "name": "g", "response": {}}},
                                   {"functionResponse": {"id": "a", "name": "f", "response": {}}}]},
    ]});
    for (format, body) in
        [(Format::AnthropicMessages, anthropic), (Format::OpenAiResponses, responses), (Format::GeminiGenerate, gemini)]
    {
        let request = format.protocol().decode_request(body.to_string().as_bytes()).unwrap();
        let request = paired(&request).unwrap();
        let ids: Vec<_> =
            request.messages.iter().flat_map(|message| &message.parts).filter_map(super::result_in).collect();
        assert_eq!(ids.iter().map(|result| &*result.call_id).collect::<Vec<_>>(), ["a", "b"], "{format}");
        assert_eq!(request.messages.last().map(|last| last.role), Some(Role::User), "{format}");
    }
}
