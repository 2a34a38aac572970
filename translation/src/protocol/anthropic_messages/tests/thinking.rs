//! How much a model is told to think.

use serde_json::{Value, json};

use super::history::{call, result};
use super::tools::tool;
use super::{OPUS_55, SONNET_4, SONNET_46, body, chat, hello, written};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{Effort, Part, Reasoning, Request, Role, Signature, Summary, Thinking, ToolChoice};

const OPUS_5: &str = "claude-opus-5";
const SONNET_55: &str = "claude-sonnet-5-5";

fn by_effort(effort: Effort) -> Request {
    Request { reasoning: Some(Reasoning { effort: Some(effort), ..Reasoning::default() }), ..hello() }
}

fn native(thinking: Thinking) -> Request {
    Request { reasoning: Some(Reasoning { thinking: Some(thinking), ..Reasoning::default() }), ..hello() }
}

/// `thinking` and the effort.
fn thought(request: &Request, model: &str) -> (Value, Value) {
    let body = body(request, model);
    (body["thinking"].clone(), body["output_config"]["effort"].clone())
}

#[test]
fn nothing_is_said_where_nothing_was_asked() {
    for model in [SONNET_4, SONNET_46, OPUS_5, OPUS_55, "claude-3-5-haiku-20241022"] {
        assert_eq!(thought(&hello(), model), (Value::Null, Value::Null), "{model}");
    }
}

#[test]
fn point_21_adaptive_models_are_asked_to_show_their_thoughts() {
    let (thinking, effort) = thought(&by_effort(Effort::Medium), SONNET_46);
    assert_eq!(thinking, json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!(effort, "medium");
    let mut request = by_effort(Effort::Medium);
    request.reasoning.as_mut().unwrap().summary = Some(Summary::Omitted);
    assert_eq!(thought(&request, SONNET_46).0["display"], "omitted");
}

/// Those clients see thoughts only where they say `includeThoughts`.
#[test]
fn clients_of_gemini_are_shown_no_thoughts_unasked() {
    for (model, shown) in [(SONNET_46, json!({"type": "adaptive"})), (OPUS_55, json!({"type": "adaptive"}))] {
        let asked = Request { origin: Format::GeminiGenerate, ..by_effort(Effort::Low) };
        assert_eq!(thought(&asked, model).0, shown);
    }
    let mut asked = Request { origin: Format::GeminiGenerate, ..native(Thinking::Budget(2048)) };
    assert_eq!(thought(&asked, SONNET_4).0["display"], "omitted");
    asked.reasoning.as_mut().unwrap().summary = Some(Summary::Auto);
    assert_eq!(thought(&asked, SONNET_4).0.get("display"), None);
}

#[test]
fn an_effort_that_the_model_does_not_know_becomes_the_nearest() {
    let effort = |effort, model| thought(&by_effort(effort), model).1;
    assert_eq!(effort(Effort::Minimal, SONNET_46), "low");
    assert_eq!(effort(Effort::XHigh, SONNET_46), "max", "more than high stays more than that");
    assert_eq!(effort(Effort::XHigh, OPUS_55), "xhigh");
    assert_eq!(effort(Effort::Max, OPUS_55), "max");
}

#[test]
fn models_of_a_budget_get_tokens() {
    let budget = |effort| thought(&by_effort(effort), SONNET_4).0["budget_tokens"].clone();
    assert_eq!(budget(Effort::Minimal), 1024);
    assert_eq!(budget(Effort::Low), 2048);
    assert_eq!(budget(Effort::Medium), 10_000);
    assert_eq!(budget(Effort::High), 16_384);
    assert_eq!(budget(Effort::XHigh), 32_768);
    assert_eq!(thought(&native(Thinking::Adaptive), SONNET_4).0, json!({"type": "enabled", "budget_tokens": 16_384}));
    assert_eq!(thought(&native(Thinking::Budget(5)), SONNET_4).0["budget_tokens"], 1024);
}

#[test]
fn point_13_a_budget_leaves_room_for_the_answer() {
    let mut request = by_effort(Effort::High);
    request.max_output_tokens = Some(2000);
    let body = body(&request, SONNET_4);
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(18_384), &json!(16_384)));
    request.max_output_tokens = Some(20_000);
    assert_eq!(super::body(&request, SONNET_4)["max_tokens"], 20_000, "it holds as it is");
    request.reasoning = native(Thinking::Budget(100_000)).reasoning;
    request.max_output_tokens = Some(1000);
    let body = super::body(&request, SONNET_4);
    assert_eq!((&body["max_tokens"], &body["thinking"]["budget_tokens"]), (&json!(64_000), &json!(63_000)));
    request.max_output_tokens = Some(64_000);
    assert_eq!(super::body(&request, SONNET_4)["thinking"]["budget_tokens"], 63_999, "there is no more");
}

#[test]
fn point_13_thinking_is_left_out_where_no_budget_fits() {
    let mut facts = crate::facts::Facts::built_in().of(SONNET_4).clone();
    facts.max_output = Some(1024);
    let target = crate::protocol::contract::Target {
        model: SONNET_4,
        facts: &facts,
        quirks: &crate::protocol::contract::Quirks::NONE,
        stream: true,
    };
    let encoded = crate::protocol::contract::Protocol::encode_request(
        &super::AnthropicMessages,
        &by_effort(Effort::Low),
        &target,
    );
    let encoded = encoded.unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert!(body.get("thinking").is_none());
    assert_eq!(encoded.dropped.names(), ["reasoning_effort"]);
}

#[test]
fn no_thinking_is_as_little_as_the_model_can() {
    let none = by_effort(Effort::None);
    assert_eq!(thought(&none, SONNET_4), (Value::Null, Value::Null), "it is off already");
    assert_eq!(thought(&none, SONNET_46), (Value::Null, Value::Null));
    assert_eq!(thought(&none, OPUS_5).0, json!({"type": "disabled"}));
    assert_eq!(thought(&none, SONNET_55).0, json!({"type": "between_tools"}));
    assert_eq!(thought(&none, OPUS_55), (Value::Null, json!("low")), "it always thinks");
    assert_eq!(thought(&none, "claude-haiku-5-5").0, json!({"type": "disabled"}));
    let mut off = native(Thinking::Off);
    off.reasoning.as_mut().unwrap().effort = Some(Effort::Max);
    assert_eq!(thought(&off, OPUS_5), (json!({"type": "disabled"}), json!("high")), "not off above that");
    assert_eq!(thought(&off, SONNET_55), (json!({"type": "between_tools"}), json!("high")), "nor this");
}

#[test]
fn a_budget_for_an_adaptive_model_becomes_an_effort() {
    let effort = |tokens| thought(&native(Thinking::Budget(tokens)), OPUS_55);
    assert_eq!(effort(1024), (json!({"type": "adaptive", "display": "summarized"}), json!("low")));
    assert_eq!(effort(8000).1, "medium");
    assert_eq!(effort(20_000).1, "high");
    assert_eq!(effort(32_000).1, "xhigh", "as the same budget is said to every other target");
}

#[test]
fn the_clients_own_thinking_goes_before_an_effort() {
    let mut request = native(Thinking::Budget(3000));
    request.reasoning.as_mut().unwrap().effort = Some(Effort::High);
    assert_eq!(thought(&request, SONNET_4).0["budget_tokens"], 3000);
}

#[test]
fn a_model_that_does_not_think_is_not_asked_to() {
    let (body, dropped) = written(&by_effort(Effort::High), "claude-3-5-haiku-20241022");
    assert!(body.get("thinking").is_none() && body.get("output_config").is_none());
    assert_eq!(dropped, ["reasoning_effort"]);
}

#[test]
fn point_17_a_forced_tool_goes_before_a_thinking_budget() {
    let mut request = by_effort(Effort::High);
    request.tools = vec![tool("f", "{}")];
    request.tool_choice = Some(ToolChoice::Required);
    let (body, dropped) = written(&request, SONNET_4);
    assert!(body.get("thinking").is_none());
    assert_eq!((&body["tool_choice"]["type"], dropped), (&json!("any"), vec!["reasoning_effort".to_owned()]));
    let (body, _) = written(&request, SONNET_46);
    assert_eq!((&body["tool_choice"]["type"], &body["thinking"]["type"]), (&json!("any"), &json!("adaptive")));
}

fn in_a_loop(thought: Option<Part>) -> Request {
    let assistant: Vec<Part> = thought.into_iter().chain([call("a", "f", "{}")]).collect();
    let messages =
        [(Role::User, vec![Part::text("Hi")]), (Role::Assistant, assistant), (Role::Tool, vec![result("a", "ok")])];
    Request { reasoning: by_effort(Effort::High).reasoning, tools: vec![tool("f", "{}")], ..chat(messages) }
}

#[test]
fn point_21_a_tool_loop_whose_thoughts_are_lost_goes_on_without() {
    let signed = Part::Thinking {
        text: "Hm".to_owned(),
        signature: Some(Signature { family: Family::Anthropic, data: "c2ln".to_owned() }),
    };
    assert_eq!(thought(&in_a_loop(None), SONNET_4).0, Value::Null);
    assert_eq!(thought(&in_a_loop(Some(signed)), SONNET_4).0["type"], "enabled");
    assert_eq!(thought(&in_a_loop(None), SONNET_46).0["type"], "adaptive", "such a turn need not begin with a thought");
}

#[test]
fn anthropics_own_words_are_kept() {
    let mut request = by_effort(Effort::Low);
    request.origin = Format::AnthropicMessages;
    assert_eq!(thought(&request, SONNET_46), (Value::Null, json!("low")), "an effort alone does not make it think");
    request.reasoning.as_mut().unwrap().thinking = Some(Thinking::Adaptive);
    assert_eq!(thought(&request, SONNET_46).0, json!({"type": "adaptive"}));
}

#[test]
fn a_step_that_was_paused_goes_on_as_it_began() {
    let block =
        crate::json::Json::of(&json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}));
    let paused = vec![Part::text("I have read five."), Part::Opaque { family: Family::Anthropic, block }];
    let mut request = chat([(Role::User, vec![Part::text("Hi")]), (Role::Assistant, paused)]);
    request.reasoning = by_effort(Effort::High).reasoning;
    let body = body(&request, SONNET_46);
    assert_eq!((&body["messages"][1]["role"], &body["thinking"]["type"]), (&json!("assistant"), &json!("adaptive")));
}

#[test]
fn a_prefill_goes_before_a_thinking_budget() {
    let mut request = chat([(Role::User, vec![Part::text("Hi")]), (Role::Assistant, vec![Part::text("{")])]);
    request.reasoning = by_effort(Effort::High).reasoning;
    assert_eq!(thought(&request, SONNET_4).0, Value::Null);
}
