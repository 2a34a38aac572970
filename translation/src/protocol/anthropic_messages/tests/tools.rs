//! Tools, and whether they must be called.

use serde_json::{Value, json};

use super::history::{call, result};
use super::{OPUS_55, SONNET_4, SONNET_46, body, chat, encode_for, hello, refused, written};
use crate::format::Format;
use crate::ir::{CacheControl, CallKind, Part, Request, Role, Tool, ToolCall, ToolChoice, ToolKind};
use crate::json::Json;

pub(super) fn tool(name: &str, parameters: &str) -> Tool {
    let kind = ToolKind::Function { parameters: Json::parse(parameters), strict: None };
    Tool { name: name.to_owned(), description: Some(String::new()), kind, cache: None }
}

const CITY: &str = r#"{"type":"object","properties":{"city":{"type":"string"}},"$defs":{"x":{"type":"null"}},"additionalProperties":false}"#;

fn with_tools(tools: Vec<Tool>) -> Request {
    Request { tools, ..hello() }
}

fn weather(choice: Option<ToolChoice>, parallel: Option<bool>) -> Request {
    Request { tool_choice: choice, parallel_tool_calls: parallel, ..with_tools(vec![tool("weather", CITY)]) }
}

#[test]
fn a_schema_keeps_all_of_its_keywords() {
    let body = body(&weather(None, None), SONNET_4);
    let schema: Value = serde_json::from_str(CITY).unwrap();
    assert_eq!(body["tools"], json!([{"name": "weather", "input_schema": schema}]));
    assert!(body.get("tool_choice").is_none());
}

#[test]
fn parameters_are_always_an_object() {
    let parameters =
        |text: &str| body(&with_tools(vec![tool("f", text)]), SONNET_4)["tools"][0]["input_schema"].clone();
    let empty = json!({"type": "object", "properties": {}});
    assert_eq!(parameters("null"), empty);
    assert_eq!(parameters("{}"), empty);
    let described = parameters(r#"{"properties":{"a":{"type":"string"}},"required":["a"]}"#);
    assert_eq!(described, json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}));
    for schema in [r#"{"type":"string"}"#, r#"{"type":"object","anyOf":[{"required":["a"]}]}"#, "[]"] {
        let error = refused(&with_tools(vec![tool("f", schema)]), SONNET_4);
        assert_eq!(error.param.as_deref(), Some("tools[0]"), "{schema}");
    }
}

#[test]
fn strict_is_for_models_that_can_and_schemas_that_fit() {
    let strict = |schema: &str, model: &str| {
        let kind = ToolKind::Function { parameters: Json::parse(schema), strict: Some(true) };
        let (body, dropped) = written(&with_tools(vec![Tool { kind, ..tool("f", "{}") }]), model);
        (body["tools"][0].clone(), dropped)
    };
    let (tool, dropped) = strict(r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}"#, SONNET_46);
    assert_eq!(tool["strict"], true);
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "description": "(minimum: 1)"}}, "additionalProperties": false});
    assert_eq!(tool["input_schema"], schema);
    assert!(dropped.is_empty());
    let (tool, dropped) = strict(CITY, SONNET_4);
    assert_eq!((tool.get("strict"), dropped), (None, vec!["tools.strict".to_owned()]));
    let map = r#"{"type":"object","properties":{"m":{"type":"object","additionalProperties":{"type":"string"}}}}"#;
    let (tool, dropped) = strict(map, SONNET_46);
    assert_eq!((tool.get("strict"), dropped.len()), (None, 1));
    assert_eq!(tool["input_schema"], serde_json::from_str::<Value>(map).unwrap());
}

#[test]
fn no_more_is_strict_than_a_request_may_hold() {
    let strict = |count: usize, schema: &Value| {
        let kind = ToolKind::Function { parameters: Json::parse(&schema.to_string()), strict: Some(true) };
        let tools = (0..count).map(|at| Tool { kind: kind.clone(), ..tool(&format!("f{at}"), "{}") });
        let (body, dropped) = written(&with_tools(tools.collect()), SONNET_46);
        let tools = body["tools"].as_array().unwrap().clone();
        assert_eq!(tools.len(), count);
        // What is not strict is as the client wrote it.
        assert!(tools.iter().all(|tool| tool["strict"] == true || tool["input_schema"] == *schema));
        let strict = tools.iter().filter(|tool| tool["strict"] == true).count();
        assert_eq!(dropped.is_empty(), strict == count, "{dropped:?}");
        strict
    };
    let of = |value: Value, required: &[&str]| json!({"type": "object", "properties": {"a": value.clone(), "b": value}, "required": required});
    assert_eq!(strict(25, &of(json!({"type": "string"}), &["a", "b"])), 20, "tools");
    assert_eq!(strict(20, &of(json!({"type": "string"}), &[])), 12, "properties that may be left out");
    assert_eq!(strict(20, &of(json!({"type": ["string", "null"]}), &["a", "b"])), 8, "values of several types");
    assert_eq!(strict(20, &of(json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), &["a", "b"])), 8);
}

#[test]
fn names_that_anthropic_does_not_allow_are_mapped_back_and_forth() {
    let mut request = chat([
        (Role::User, vec![Part::text("Hi")]),
        (Role::Assistant, vec![call("a", "fs.read", "{}")]),
        (Role::Tool, vec![result("a", "ok")]),
    ]);
    request.tools = vec![tool("fs.read", "{}"), tool("fs_read", "{}")];
    request.tool_choice = Some(ToolChoice::Named("fs.read".to_owned()));
    let encoded = encode_for(&request, SONNET_4, true).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let told = body["tools"][0]["name"].as_str().unwrap();
    assert_ne!(told, "fs_read");
    assert_eq!(body["tools"][1]["name"], "fs_read");
    assert_eq!(body["messages"][1]["content"][0]["name"], told);
    assert_eq!(body["tool_choice"]["name"], told);
    assert_eq!(encoded.back.tool_names.get(told).map(String::as_str), Some("fs.read"));
}

#[test]
fn two_tools_of_one_name_are_refused() {
    let request = with_tools(vec![tool("f", "{}"), tool("f", "{}")]);
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("tools[1]"));
}

#[test]
fn a_tool_of_free_text_is_a_function_with_one_string() {
    let mut request = with_tools(vec![Tool {
        kind: ToolKind::Custom { format: Json::parse(r#"{"type":"grammar","syntax":"lark"}"#) },
        ..tool("run", "{}")
    }]);
    request.messages = chat([
        (Role::User, vec![Part::text("Hi")]),
        (
            Role::Assistant,
            vec![Part::ToolCall(ToolCall {
                id: "a".into(),
                name: "run".into(),
                arguments: "ls \"x\"".into(),
                kind: CallKind::Custom,
                signature: None,
                cache: None,
            })],
        ),
        (Role::Tool, vec![result("a", "ok")]),
    ])
    .messages;
    let encoded = encode_for(&request, SONNET_4, true).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["tools"][0]["input_schema"]["required"], json!(["input"]));
    assert!(body["tools"][0]["description"].as_str().unwrap().contains("lark"));
    assert_eq!(body["messages"][1]["content"][0]["input"], json!({"input": "ls \"x\""}));
    assert!(encoded.back.custom_tools.contains("run"));
}

#[test]
fn built_in_tools_pass_from_anthropics_clients_only() {
    let declaration = r#"{"type":"code_execution_20250522","name":"code_execution"}"#;
    let kind = ToolKind::Builtin(Json::parse(declaration).unwrap());
    let mut request = with_tools(vec![Tool { kind, ..tool("code_execution", "{}") }]);
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("tools[0]"));
    request.origin = Format::AnthropicMessages;
    assert_eq!(body(&request, SONNET_4)["tools"][0], serde_json::from_str::<Value>(declaration).unwrap());
}

#[test]
fn point_17_each_choice_has_its_word() {
    let choice = |choice, parallel| body(&weather(choice, parallel), SONNET_4)["tool_choice"].clone();
    assert_eq!(choice(Some(ToolChoice::Auto), None), json!({"type": "auto"}));
    assert_eq!(choice(Some(ToolChoice::Required), None), json!({"type": "any"}));
    let named = ToolChoice::Named("weather".to_owned());
    assert_eq!(choice(Some(named.clone()), Some(true)), json!({"type": "tool", "name": "weather"}));
    assert_eq!(
        choice(Some(named), Some(false)),
        json!({"type": "tool", "name": "weather", "disable_parallel_tool_use": true})
    );
    assert_eq!(choice(Some(ToolChoice::None), Some(false)), json!({"type": "none"}));
}

#[test]
fn point_17_none_keeps_the_tools() {
    let body = body(&weather(Some(ToolChoice::None), None), SONNET_4);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
}

#[test]
fn point_17_one_call_at_a_time_needs_no_choice() {
    let body = body(&weather(None, Some(false)), SONNET_4);
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
}

#[test]
fn point_17_a_model_that_cannot_be_forced_is_asked() {
    let (body, dropped) = written(&weather(Some(ToolChoice::Required), Some(false)), OPUS_55);
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert!(body["system"].as_str().unwrap().contains("call one of your tools"));
    assert_eq!(dropped, ["tool_choice"]);
    let (body, _) = written(&weather(Some(ToolChoice::Named("weather".to_owned())), None), OPUS_55);
    assert!(body["system"].as_str().unwrap().contains("`weather`"));
}

#[test]
fn a_choice_has_to_be_possible() {
    let named = weather(Some(ToolChoice::Named("other".to_owned())), None);
    assert_eq!(refused(&named, SONNET_4).param.as_deref(), Some("tool_choice"));
    let mut none = hello();
    none.tool_choice = Some(ToolChoice::Required);
    assert_eq!(refused(&none, SONNET_4).param.as_deref(), Some("tool_choice"));
    for choice in [ToolChoice::Auto, ToolChoice::None] {
        none.tool_choice = Some(choice);
        assert!(body(&none, SONNET_4).get("tool_choice").is_none(), "clients say so beside an empty list of tools");
    }
}

#[test]
fn allowed_tools_are_the_only_ones_that_are_told() {
    let mut request = with_tools(vec![tool("a", "{}"), tool("b", "{}")]);
    request.tool_choice = Some(ToolChoice::Allowed { required: true, names: vec!["b".to_owned()] });
    let body = body(&request, SONNET_4);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!((&body["tools"][0]["name"], &body["tool_choice"]), (&json!("b"), &json!({"type": "any"})));
}

#[test]
fn a_breakpoint_behind_a_tool_stays() {
    let cached = Tool { cache: Some(CacheControl { ttl: Some("1h".to_owned()) }), ..tool("a", "{}") };
    let body = body(&with_tools(vec![cached]), SONNET_4);
    assert_eq!(body["tools"][0]["cache_control"], json!({"type": "ephemeral", "ttl": "1h"}));
}
