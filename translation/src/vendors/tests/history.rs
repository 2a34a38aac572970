//! Which turns carry their thoughts back to each vendor, and where.

use serde_json::{Value, json};

use super::vendor;
use crate::facts::Facts;
use crate::format::{Family, Format};
use crate::ir::{CallKind, Message, Part, Reasoning, Request, Role, Signature, Thinking, ToolCall, ToolResult};
use crate::protocol::contract::Target;

fn thought(text: &str) -> Part {
    Part::Thinking { text: text.into(), signature: None }
}

fn call(id: &str) -> Part {
    let (name, arguments) = ("f".to_owned(), "{}".to_owned());
    Part::ToolCall(ToolCall { id: id.into(), name, arguments, kind: CallKind::Function, signature: None, cache: None })
}

fn result(id: &str) -> Part {
    let content = vec![Part::text("1")];
    Part::ToolResult(ToolResult { call_id: id.into(), name: None, content, is_error: None, cache: None })
}

/// A plain turn, a turn with a call, and a loop that is under way.
fn conversation() -> Request {
    let mut request = Request::new(Format::AnthropicMessages, "m");
    let turns = [
        (Role::User, vec![Part::text("a")]),
        (Role::Assistant, vec![thought("plain"), Part::text("b")]),
        (Role::User, vec![Part::text("c")]),
        (Role::Assistant, vec![thought("early"), call("call_1")]),
        (Role::Tool, vec![result("call_1")]),
        (Role::Assistant, vec![Part::text("d")]),
        (Role::User, vec![Part::text("e")]),
        (Role::Assistant, vec![thought("now"), call("call_2")]),
        (Role::Tool, vec![result("call_2")]),
    ];
    for (at, (role, parts)) in turns.into_iter().enumerate() {
        request.messages.push(Message::new(role, parts, at));
    }
    request
}

fn told(name: &str, model: &str, request: &Request) -> Vec<Value> {
    let quirks = &vendor(name).quirks;
    let target = Target { model, facts: Facts::built_in().of(model), quirks, stream: true };
    let encoded = Format::OpenAiChat.protocol().encode_request(request, &target).unwrap();
    let mut body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let messages = body["messages"].as_array_mut().unwrap();
    messages.drain(..).filter(|message| message["role"] == "assistant").collect()
}

fn field(name: &str, model: &str, field: &str) -> [Value; 4] {
    let told = told(name, model, &conversation());
    let values = told.iter().map(|message| message.get(field).cloned().unwrap_or_default());
    values.collect::<Vec<_>>().try_into().unwrap()
}

#[test]
fn c1_every_earlier_turn_with_calls_carries_its_thoughts_where_a_vendor_demands_it() {
    for (name, model) in [("deepseek", "deepseek-v4-pro"), ("moonshot", "kimi-k2.6")] {
        let all = field(name, model, "reasoning_content");
        // What the history has lost is marked, because the vendor answers 400 to a turn without it.
        assert_eq!(all, [json!(null), json!("early"), json!(" "), json!("now")], "{name}");
    }
    let kept = field("moonshot", "kimi-k3", "reasoning_content");
    assert_eq!(kept, [json!("plain"), json!("early"), json!(null), json!("now")]);
    let mut off = conversation();
    off.reasoning = Some(Reasoning { thinking: Some(Thinking::Off), ..Reasoning::default() });
    assert_eq!(told("deepseek", "deepseek-v4-pro", &off)[2].get("reasoning_content"), None, "nothing is made up");
}

#[test]
fn c1_a_loop_under_way_carries_its_thoughts() {
    let in_loop = [json!(null), json!(null), json!(null), json!("now")];
    for (name, model) in
        [("zhipu", "glm-4.7"), ("qwen", "qwen3.8-max"), ("fireworks", "accounts/fireworks/models/glm-5")]
    {
        assert_eq!(field(name, model, "reasoning_content"), in_loop, "{name}");
    }
    assert_eq!(field("vllm", "Qwen/Qwen3-8B", "reasoning"), in_loop);
}

#[test]
fn c1_thoughts_are_parts_of_the_content_at_mistral() {
    let all = field("mistral", "mistral-medium-3-5", "content");
    let thinking = |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    assert_eq!(all[0], json!([thinking("plain"), {"type": "text", "text": "b"}]));
    assert_eq!(all[1], json!([thinking("early")]));
    assert_eq!(all[2], "d");
    assert_eq!(field("mistral", "codestral-2508", "content")[0], "b");
}

#[test]
fn c1_signed_thoughts_go_back_through_openrouter_to_their_maker() {
    let mut request = conversation();
    let signature = |family| Signature { family, data: "c2ln".to_owned() };
    request.messages[7].parts = vec![
        Part::Thinking { text: "now".into(), signature: Some(signature(Family::Anthropic)) },
        Part::RedactedThinking(signature(Family::Anthropic)),
        Part::RedactedThinking(signature(Family::Gemini)),
        call("call_2"),
    ];
    let told_to = |model: &str| told("openrouter", model, &request).pop().unwrap();
    let claude = told_to("anthropic/claude-opus-5");
    assert_eq!(
        claude["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "now", "signature": "c2ln", "format": "anthropic-claude-v1"},
            {"type": "reasoning.encrypted", "data": "c2ln", "format": "anthropic-claude-v1"},
        ])
    );
    assert!(claude.get("reasoning").is_none());
    let other = told_to("deepseek/deepseek-v4-pro");
    assert_eq!((&other["reasoning"], other.get("reasoning_details")), (&json!("now"), None));
    let gpt = told_to("openai/gpt-5.2");
    assert!(gpt.get("reasoning").is_none() && gpt.get("reasoning_details").is_none());
}

#[test]
fn c1_vendors_that_want_no_thoughts_back_get_none() {
    for (name, model) in [
        ("openai", "gpt-5.2"),
        ("azure_openai", "gpt-5.2"),
        ("groq", "openai/gpt-oss-120b"),
        ("groq", "qwen/qwen3-32b"),
        ("cerebras", "zai-glm-4.7"),
        ("xai", "grok-4.5"),
        ("together", "zai-org/GLM-5"),
        ("openai_compatible", "acme/new"),
    ] {
        let told = json!(told(name, model, &conversation())).to_string();
        assert!(!told.contains("reasoning") && !told.contains("thinking"), "{name}: {told}");
    }
}
