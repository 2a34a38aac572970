//! Tools (`docs/TRANSLATION.md` sections 2.2 and 2.3).

use serde_json::{Value, json};

use super::{LLAMA, NOVA, OPUS, SONNET, body, dropped, encode, encoded, request};
use crate::ir::{CallKind, Message, Part, Request, Role, Tool, ToolCall, ToolChoice, ToolKind, ToolResult};
use crate::json::Json;

const MISTRAL: &str = "mistral.mistral-large-3-675b-instruct";

fn function(name: &str, parameters: Option<&Value>, strict: Option<bool>) -> Tool {
    let kind = ToolKind::Function { parameters: parameters.map(Json::of), strict };
    Tool { name: name.to_owned(), description: Some("d".to_owned()), kind, cache: None }
}

fn with(tools: Vec<Tool>, choice: Option<ToolChoice>) -> Request {
    let mut request = request();
    request.tools = tools;
    request.tool_choice = choice;
    request
}

fn two(choice: ToolChoice) -> Request {
    with(vec![function("f", None, None), function("g", None, None)], Some(choice))
}

fn called(mut request: Request) -> Request {
    let call = ToolCall {
        id: "a".to_owned(),
        name: "old".to_owned(),
        arguments: "{}".to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    };
    let result =
        ToolResult { call_id: "a".to_owned(), name: None, content: vec![Part::text("r")], is_error: None, cache: None };
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)], 1));
    request.messages.push(Message::new(Role::Tool, vec![Part::ToolResult(result)], 2));
    request
}

fn names(body: &Value) -> Vec<&str> {
    let tools = body["toolConfig"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["toolSpec"]["name"].as_str().unwrap()).collect()
}

fn choice(request: &Request, model: &str) -> Value {
    body(request, model)["toolConfig"]["toolChoice"].clone()
}

#[test]
fn a_tool_and_all_keywords_of_its_schema() {
    let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "string"}}, "additionalProperties": false});
    let request = with(vec![function("f", Some(&schema), None), function("g", Some(&json!({})), None)], None);
    assert_eq!(
        body(&request, SONNET)["toolConfig"],
        json!({"tools": [
            {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": schema}}},
            {"toolSpec": {"name": "g", "description": "d", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
        ]})
    );
    let any_of = with(vec![function("f", Some(&json!({"anyOf": []})), None)], None);
    assert_eq!(encode(&any_of, SONNET).unwrap_err().param.as_deref(), Some("tools[0]"));
}

#[test]
fn two_tools_of_one_name_are_refused() {
    let request = with(vec![function("f", None, None), function("f", None, None)], None);
    assert_eq!(encode(&request, SONNET).unwrap_err().param.as_deref(), Some("tools[1]"));
}

#[test]
fn strictness_is_for_models_that_bedrock_holds_to_schemas() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]});
    let request = with(vec![function("f", Some(&schema), Some(true))], None);
    let spec = body(&request, SONNET)["toolConfig"]["tools"][0]["toolSpec"].clone();
    assert_eq!(spec["strict"], true);
    assert_eq!(spec["inputSchema"]["json"]["additionalProperties"], false);
    assert_eq!(spec["inputSchema"]["json"]["properties"]["a"]["description"], "(minimum: 1)");
    let (newer, written) = encoded(&request, OPUS);
    assert_eq!(newer["toolConfig"]["tools"][0]["toolSpec"].get("strict"), None);
    assert_eq!(dropped(&written), ["tools.strict"]);
}

#[test]
fn point_17_choices() {
    assert_eq!(choice(&two(ToolChoice::Auto), SONNET), Value::Null);
    assert_eq!(choice(&two(ToolChoice::Required), SONNET), json!({"any": {}}));
    let named = two(ToolChoice::Named("g".to_owned()));
    assert_eq!(choice(&named, SONNET), json!({"tool": {"name": "g"}}));
    assert_eq!(choice(&named, NOVA), json!({"tool": {"name": "g"}}));
    // Other makers' models take no name: it is the only tool.
    let mistral = body(&named, MISTRAL);
    assert_eq!((&mistral["toolConfig"]["toolChoice"], names(&mistral)), (&json!({"any": {}}), vec!["g"]));
    let allowed = body(&two(ToolChoice::Allowed { required: true, names: vec!["f".to_owned()] }), SONNET);
    assert_eq!((&allowed["toolConfig"]["toolChoice"], names(&allowed)), (&json!({"any": {}}), vec!["f"]));
    let unknown = two(ToolChoice::Named("h".to_owned()));
    assert_eq!(encode(&unknown, SONNET).unwrap_err().param.as_deref(), Some("tool_choice"));
    let toolless = with(vec![], Some(ToolChoice::Required));
    assert_eq!(encode(&toolless, SONNET).unwrap_err().param.as_deref(), Some("tool_choice"));
}

#[test]
fn point_17_a_model_that_cannot_be_forced_is_asked() {
    for model in [OPUS, LLAMA] {
        let (written, encoded) = encoded(&two(ToolChoice::Named("g".to_owned())), model);
        assert_eq!(written["toolConfig"].get("toolChoice"), None);
        assert!(written["system"][0]["text"].as_str().unwrap().contains("You have to call"), "{written}");
        assert_eq!(dropped(&encoded), ["tool_choice"]);
    }
}

#[test]
fn point_17_no_tool_is_none_declared_unless_the_conversation_holds_calls() {
    let none = two(ToolChoice::None);
    assert_eq!(body(&none, SONNET).get("toolConfig"), None);
    let written = body(&called(none), SONNET);
    assert_eq!(names(&written), ["old"]);
    assert!(written["system"][0]["text"].as_str().unwrap().contains("Do not call"), "{written}");
    // Bedrock refuses calls in a conversation where no tool is declared at all.
    assert_eq!(names(&body(&called(request()), SONNET)), ["old"]);
}

#[test]
fn one_call_at_most() {
    let mut one = with(vec![function("f", None, None)], None);
    one.parallel_tool_calls = Some(false);
    let (auto, encoded_auto) = encoded(&one, SONNET);
    assert_eq!(
        auto["additionalModelRequestFields"]["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    assert!(!encoded_auto.back.first_call_only);
    // Bedrock answers 400 where the type stands in both places.
    one.tool_choice = Some(ToolChoice::Required);
    let forced = body(&one, SONNET);
    assert_eq!(forced["additionalModelRequestFields"]["tool_choice"], json!({"disable_parallel_tool_use": true}));
    assert_eq!(forced["toolConfig"]["toolChoice"], json!({"any": {}}));
    let (nova, encoded_nova) = encoded(&one, NOVA);
    assert_eq!(nova.get("additionalModelRequestFields"), None);
    assert!(encoded_nova.back.first_call_only);
}

#[test]
fn a_tool_of_free_text_is_a_function_with_one_string() {
    let custom = Tool { kind: ToolKind::Custom { format: None }, ..function("c", None, None) };
    let (written, encoded) = encoded(&with(vec![custom], None), SONNET);
    let schema = &written["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"];
    assert_eq!(schema["required"], json!(["input"]));
    assert!(encoded.back.custom_tools.contains("c"));
    let builtin = Tool { kind: ToolKind::Builtin(Json::of(&json!({}))), ..function("web_search", None, None) };
    assert_eq!(encode(&with(vec![builtin], None), SONNET).unwrap_err().param.as_deref(), Some("tools[0]"));
}
