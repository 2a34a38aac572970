//! The conversation (`docs/TRANSLATION.md` sections 2.1 and 2.6).

use serde_json::{Value, json};

use super::{LLAMA, NOVA, OPUS, SONNET, body, dropped, encode, encoded, request};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, CallKind, Message, Part, Request, Role, Signature, Tool, ToolCall, ToolKind, ToolResult,
};

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    })
}

fn result(id: &str, content: Vec<Part>) -> Message {
    let result = ToolResult { call_id: id.to_owned(), name: None, content, is_error: None, cache: None };
    Message::new(Role::Tool, vec![Part::ToolResult(result)], 2)
}

fn with(messages: Vec<Message>) -> Request {
    let mut request = request();
    request.messages.extend(messages);
    request
}

fn said(role: Role, words: &str) -> Message {
    Message::new(role, vec![Part::text(words)], 1)
}

fn cached(words: &str, ttl: Option<&str>) -> Part {
    let cache = Some(CacheControl { ttl: ttl.map(str::to_owned) });
    Part::Text { text: words.to_owned(), cache, citations: Vec::new(), signature: None }
}

fn messages(request: &Request, model: &str) -> Value {
    body(request, model)["messages"].clone()
}

#[test]
fn point_01_results_of_one_turn_are_one_message_in_the_order_of_the_calls() {
    let request = with(vec![
        Message::new(Role::Assistant, vec![Part::text("So."), call("a", "f", ""), call("b", "g", "{\"x\":1.0}")], 1),
        result("b", vec![Part::text("two")]),
        result("a", vec![]),
        said(Role::User, "And?"),
    ]);
    let written = messages(&request, SONNET);
    assert_eq!(
        written[1]["content"],
        json!([
            {"text": "So."},
            {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}},
            {"toolUse": {"toolUseId": "b", "name": "g", "input": {"x": 1.0}}},
        ])
    );
    assert_eq!(
        written[2],
        json!({"role": "user", "content": [
            {"toolResult": {"toolUseId": "a", "content": [{"text": "(no output)"}]}},
            {"toolResult": {"toolUseId": "b", "content": [{"text": "two"}]}},
            {"text": "And?"},
        ]})
    );
}

#[test]
fn arguments_keep_their_digits_and_are_always_an_object() {
    let arguments = r#"{"n":12345678901234567890,"f":1.0}"#;
    let request = with(vec![Message::new(Role::Assistant, vec![call("a", "f", arguments)], 1), result("a", vec![])]);
    let text = String::from_utf8(encode(&request, SONNET).unwrap().body.to_vec()).unwrap();
    assert!(text.contains(arguments), "{text}");
    let broken = with(vec![Message::new(Role::Assistant, vec![call("a", "f", "{oops")], 1), result("a", vec![])]);
    assert_eq!(messages(&broken, SONNET)[1]["content"][0]["toolUse"]["input"], json!({"input": "{oops"}));
}

#[test]
fn a_call_without_a_result_and_a_result_without_a_call_are_refused() {
    let without = with(vec![Message::new(Role::Assistant, vec![call("a", "f", "{}")], 1), said(Role::User, "?")]);
    assert_eq!(encode(&without, SONNET).unwrap_err().param.as_deref(), Some("messages[1]"));
    let foreign = with(vec![result("x", vec![])]);
    assert_eq!(encode(&foreign, SONNET).unwrap_err().param.as_deref(), Some("messages[2].tool_call_id"));
    let twice = with(vec![
        Message::new(Role::Assistant, vec![call("a", "f", "{}")], 1),
        result("a", vec![]),
        result("a", vec![]),
    ]);
    assert!(encode(&twice, SONNET).unwrap_err().message.contains("already"));
}

#[test]
fn an_error_of_a_tool_is_said_where_the_model_takes_it() {
    let mut failed = result("a", vec![Part::text("no")]);
    let Part::ToolResult(inner) = &mut failed.parts[0] else { panic!() };
    inner.is_error = Some(true);
    let request = with(vec![Message::new(Role::Assistant, vec![call("a", "f", "{}")], 1), failed]);
    let status = |model| messages(&request, model)[2]["content"][0]["toolResult"]["status"].clone();
    assert_eq!((status(SONNET), status(NOVA), status(LLAMA)), (json!("error"), json!("error"), Value::Null));
}

#[test]
fn ids_and_names_are_those_that_bedrock_takes() {
    let long = "i".repeat(80);
    let request = with(vec![
        Message::new(Role::Assistant, vec![call(&long, "a.b", "{}"), call("x:1", "a_b", "{}")], 1),
        result(&long, vec![]),
        result("x:1", vec![]),
    ]);
    let (written, encoded) = encoded(&request, SONNET);
    let uses = &written["messages"][1]["content"];
    let ids: Vec<_> = (0..2).map(|at| uses[at]["toolUse"]["toolUseId"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() <= 64 && !id.contains(':')), "{ids:?}");
    let results = &written["messages"][2]["content"];
    assert_eq!(ids, [0, 1].map(|at| results[at]["toolResult"]["toolUseId"].as_str().unwrap()));
    let first = uses[0]["toolUse"]["name"].as_str().unwrap();
    assert_eq!(encoded.back.tool_names[first], "a.b");
    let mistral = messages(&request, "mistral.mistral-large-2407-v1:0");
    assert_eq!(mistral[1]["content"][0]["toolUse"]["toolUseId"].as_str().unwrap().len(), 9);
}

#[test]
fn roles_alternate_and_the_user_begins() {
    let mut request = with(vec![said(Role::User, "there"), said(Role::Assistant, "Yes?"), said(Role::User, "Go.")]);
    assert_eq!(messages(&request, SONNET)[0]["content"], json!([{"text": "Hi"}, {"text": "there"}]));
    request.messages.drain(..2);
    let written = messages(&request, SONNET);
    assert_eq!(written[0], json!({"role": "user", "content": [{"text": "(start)"}]}));
    assert_eq!(written[1]["role"], "assistant");
    request.messages.clear();
    assert_eq!(encode(&request, SONNET).unwrap_err().param.as_deref(), Some("messages"));
}

#[test]
fn empty_texts_are_left_out_and_the_last_is_trimmed() {
    let request = with(vec![said(Role::User, " \n"), said(Role::Assistant, "Once \n")]);
    assert_eq!(messages(&request, SONNET)[0]["content"], json!([{"text": "Hi"}]));
    assert_eq!(messages(&request, SONNET)[1]["content"], json!([{"text": "Once"}]));
    assert_eq!(encode(&request, OPUS).unwrap_err().param.as_deref(), Some("messages"));
}

#[test]
fn point_21_thoughts_go_back_to_claude_alone() {
    let sign = |family, data: &str| Signature { family, data: data.to_owned() };
    let thought = |family| Part::Thinking { text: "Hm".to_owned(), signature: Some(sign(family, "sig")) };
    let parts = vec![
        Part::text("Well."),
        thought(Family::Anthropic),
        thought(Family::Gemini),
        Part::Thinking { text: "unsigned".to_owned(), signature: None },
        Part::RedactedThinking(sign(Family::Anthropic, "RW1w")),
        Part::RedactedThinking(sign(Family::Anthropic, "not base64!")),
        Part::text("So."),
    ];
    let request = with(vec![Message::new(Role::Assistant, parts, 1), said(Role::User, "?")]);
    let thoughts = [
        json!({"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "sig"}}}),
        json!({"reasoningContent": {"redactedContent": "RW1w"}}),
    ];
    let content = messages(&request, SONNET)[1]["content"].clone();
    assert_eq!(content, json!([thoughts[0], thoughts[1], {"text": "Well."}, {"text": "So."}]));
    assert_eq!(messages(&request, NOVA)[1]["content"], json!([{"text": "Well."}, {"text": "So."}]));
    // Anthropic's own clients give them in their places.
    let native = Request { origin: Format::AnthropicMessages, ..request };
    assert_eq!(
        messages(&native, SONNET)[1]["content"],
        json!([{"text": "Well."}, thoughts[0], thoughts[1], {"text": "So."}])
    );
}

#[test]
fn point_21_thoughts_that_nothing_came_of_are_no_turn() {
    let signature = Some(Signature { family: Family::Anthropic, data: "c2ln".to_owned() });
    let thought = Part::Thinking { text: "Hm".to_owned(), signature };
    let cut =
        with(vec![said(Role::User, "One"), Message::new(Role::Assistant, vec![thought], 1), said(Role::User, "Two")]);
    assert_eq!(
        messages(&cut, SONNET),
        json!([{"role": "user", "content": [{"text": "Hi"}, {"text": "One"}, {"text": "Two"}]}])
    );
}

#[test]
fn breakpoints_stand_behind_what_they_keep() {
    let mut request = request();
    request.messages[0].parts = vec![cached("long", Some("1h")), Part::text("short")];
    request.messages.insert(0, Message::new(Role::System, vec![cached("rules", None)], 0));
    request.tools.push(Tool {
        name: "f".to_owned(),
        description: None,
        kind: ToolKind::Function { parameters: None, strict: None },
        cache: Some(CacheControl::default()),
    });
    let written = body(&request, SONNET);
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(written["system"], json!([{"text": "rules"}, point]));
    assert_eq!(
        written["messages"][0]["content"],
        json!([{"text": "long"}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"text": "short"}])
    );
    assert_eq!(written["toolConfig"]["tools"][1], point);
    // Nova keeps no tools, and nothing for an hour.
    let (nova, nova_encoded) = encoded(&request, NOVA);
    assert_eq!(nova["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert_eq!(nova["messages"][0]["content"][1], point);
    assert_eq!(dropped(&nova_encoded), ["cache_control"]);
    let (llama, llama_encoded) = encoded(&request, LLAMA);
    assert!(!llama.to_string().contains("cachePoint"));
    assert_eq!(dropped(&llama_encoded), ["cache_control"]);
}

#[test]
fn the_last_four_breakpoints_stay() {
    let mut request = request();
    request.messages[0].parts = (0..6).map(|number| cached(&number.to_string(), None)).collect();
    let (written, encoded) = encoded(&request, SONNET);
    let content = written["messages"][0]["content"].as_array().unwrap();
    let points: Vec<_> = content.iter().map(|block| block.get("cachePoint").is_some()).collect();
    assert_eq!(points, [false, false, false, true, false, true, false, true, false, true]);
    assert_eq!(dropped(&encoded), ["cache_control"]);
}

#[test]
fn a_breakpoint_for_the_whole_prompt_stands_at_its_end() {
    let mut request = request();
    request.cache = Some(CacheControl::default());
    assert_eq!(messages(&request, SONNET)[0]["content"], json!([{"text": "Hi"}, {"cachePoint": {"type": "default"}}]));
}
