//! How much to think (`docs/TRANSLATION.md` section 2.5).

use serde_json::{Value, json};

use super::{LLAMA, NOVA, OPUS, SONNET, body, dropped, encoded, request};
use crate::facts::Facts;
use crate::format::Format;
use crate::ir::{
    CallKind, Effort, Message, Part, Reasoning, Request, Role, Summary, Thinking, Tool, ToolCall, ToolChoice, ToolKind,
    ToolResult,
};
use crate::protocol::contract::{Quirks, Target};

fn wants(effort: Effort) -> Request {
    Request { reasoning: Some(Reasoning { effort: Some(effort), ..Reasoning::default() }), ..request() }
}

fn fields(request: &Request, model: &str) -> Value {
    body(request, model).get("additionalModelRequestFields").cloned().unwrap_or_default()
}

#[test]
fn older_claude_models_are_given_a_budget() {
    let written = body(&wants(Effort::Medium), SONNET);
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}});
    assert_eq!(written["additionalModelRequestFields"], thinking);
    assert_eq!(written["inferenceConfig"]["maxTokens"], 21_333);
}

#[test]
fn point_13_a_budget_leaves_room_for_the_answer() {
    let mut request = wants(Effort::High);
    request.max_output_tokens = Some(1000);
    assert_eq!(body(&request, SONNET)["inferenceConfig"]["maxTokens"], 17_384);
    let small = "anthropic.claude-opus-4-20250514-v1:0";
    request.reasoning = Some(Reasoning { thinking: Some(Thinking::Budget(90_000)), ..Reasoning::default() });
    let written = body(&request, small);
    assert_eq!(written["inferenceConfig"]["maxTokens"], 32_000);
    assert_eq!(written["additionalModelRequestFields"]["thinking"]["budget_tokens"], 31_999);
}

#[test]
fn newer_claude_models_are_given_an_effort_and_asked_to_show_their_thoughts() {
    let thinking = json!({
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "low"},
    });
    assert_eq!(fields(&wants(Effort::Minimal), OPUS), thinking);
    let mut hidden = wants(Effort::High);
    hidden.reasoning.as_mut().unwrap().summary = Some(Summary::Omitted);
    assert_eq!(fields(&hidden, OPUS)["thinking"]["display"], "omitted");
}

#[test]
fn opus_4_5_takes_an_effort_as_a_beta() {
    let written = fields(&wants(Effort::Low), "anthropic.claude-opus-4-5-20251101-v1:0");
    assert_eq!(written["output_config"], json!({"effort": "low"}));
    assert_eq!(written["anthropic_beta"], json!(["effort-2025-11-24"]));
    assert_eq!(fields(&wants(Effort::Low), OPUS).get("anthropic_beta"), None);
}

#[test]
fn none_is_as_little_as_the_model_can() {
    assert_eq!(fields(&wants(Effort::None), SONNET), Value::Null);
    assert_eq!(fields(&wants(Effort::None), OPUS), json!({"output_config": {"effort": "low"}}));
    let between = json!({"thinking": {"type": "between_tools"}, "output_config": {"effort": "low"}});
    assert_eq!(fields(&wants(Effort::None), "anthropic.claude-sonnet-5-5"), between);
    assert_eq!(fields(&wants(Effort::None), "anthropic.claude-opus-5"), json!({"thinking": {"type": "disabled"}}));
}

#[test]
fn other_makers_have_words_of_their_own() {
    let nova = "us.amazon.nova-2-lite-v1:0";
    let reasoning = |effort: &str| json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}});
    assert_eq!(fields(&wants(Effort::Max), nova), reasoning("high"));
    // With `high` it takes no limit.
    let limited = Request { max_output_tokens: Some(100), ..wants(Effort::Max) };
    assert_eq!(fields(&limited, nova), reasoning("medium"));
    assert_eq!(fields(&wants(Effort::None), nova), json!({"reasoningConfig": {"type": "disabled"}}));
    assert_eq!(fields(&wants(Effort::XHigh), "openai.gpt-oss-120b-1:0"), json!({"reasoning_effort": "high"}));
    for model in [NOVA, LLAMA, "qwen.qwen3-32b-v1:0"] {
        let (body, written) = encoded(&wants(Effort::High), model);
        assert_eq!(body.get("additionalModelRequestFields"), None, "{model}");
        assert_eq!(dropped(&written), ["reasoning_effort"]);
    }
}

#[test]
fn a_model_that_does_not_think_is_not_asked_to() {
    let (body, written) = encoded(&wants(Effort::High), "anthropic.claude-3-5-sonnet-20241022-v2:0");
    assert_eq!(body.get("additionalModelRequestFields"), None);
    assert_eq!(dropped(&written), ["reasoning_effort"]);
}

fn with_tool(mut request: Request, choice: Option<ToolChoice>) -> Request {
    let kind = ToolKind::Function { parameters: None, strict: None };
    request.tools.push(Tool { name: "f".to_owned(), description: None, kind, cache: None });
    request.tool_choice = choice;
    request
}

#[test]
fn point_17_a_forced_tool_goes_before_thinking() {
    let (body, written) = encoded(&with_tool(wants(Effort::High), Some(ToolChoice::Required)), SONNET);
    assert_eq!(body.get("additionalModelRequestFields"), None);
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"any": {}}));
    assert_eq!(dropped(&written), ["reasoning_effort"]);
}

#[test]
fn point_21_a_loop_whose_thoughts_were_lost_goes_on_without_thinking() {
    let mut request = with_tool(wants(Effort::High), None);
    let call = ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    };
    let result = ToolResult { call_id: "a".to_owned(), name: None, content: Vec::new(), is_error: None, cache: None };
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)], 1));
    request.messages.push(Message::new(Role::Tool, vec![Part::ToolResult(result)], 2));
    assert_eq!(fields(&request, SONNET), Value::Null);
    assert_eq!(fields(&request, OPUS)["thinking"]["type"], "adaptive");
}

#[test]
fn thinking_narrows_sampling() {
    let mut request = wants(Effort::Low);
    request.temperature = Some(0.2);
    let (body, written) = encoded(&request, SONNET);
    assert_eq!(body["inferenceConfig"].get("temperature"), None);
    assert_eq!(dropped(&written), ["temperature"]);
}

#[test]
fn the_arn_of_an_inference_profile_tells_the_model_or_the_operator_does() {
    let profile =
        "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(fields(&wants(Effort::Low), profile)["thinking"]["budget_tokens"], 2048);
    let named = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";
    let facts = Facts::built_in().of("claude-sonnet-4-5");
    let target = Target { model: named, facts, quirks: &Quirks::NONE, stream: false };
    let encoded =
        crate::protocol::contract::Protocol::encode_request(&super::BedrockConverse, &wants(Effort::Low), &target)
            .unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["additionalModelRequestFields"]["thinking"]["budget_tokens"], 2048);
}

#[test]
fn rule_2_5_a_budget_is_the_same_effort_as_at_anthropic_itself() {
    for tokens in [600, 5_000, 14_000, 30_000] {
        let reasoning = Reasoning { thinking: Some(Thinking::Budget(tokens)), ..Reasoning::default() };
        let request = Request { reasoning: Some(reasoning), ..request() };
        let target = Target {
            model: "claude-opus-4-7",
            facts: Facts::built_in().of("claude-opus-4-7"),
            quirks: &Quirks::NONE,
            stream: false,
        };
        let own = Format::AnthropicMessages.protocol().encode_request(&request, &target).unwrap();
        let own: Value = serde_json::from_slice(&own.body).unwrap();
        let here = fields(&request, "anthropic.claude-opus-4-7");
        assert!(own["output_config"]["effort"].is_string(), "{own}");
        assert_eq!(here["output_config"]["effort"], own["output_config"]["effort"], "{tokens}");
    }
}
