//! The shape of the answer (`docs/TRANSLATION.md` section 2.4).

use serde_json::{Value, json};

use super::{LLAMA, NOVA, OPUS, SONNET, body, encode, encoded, request};
use crate::ir::{Output, Request, Schema, Tool, ToolChoice, ToolKind};
use crate::json::Json;

fn held_to(schema: &Value) -> Request {
    let schema =
        Schema { name: Some("city".to_owned()), description: None, schema: Json::of(schema), strict: Some(true) };
    Request { output: Output::JsonSchema(schema), ..request() }
}

fn city() -> Value {
    json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}, "required": ["name"]})
}

fn with_tool(mut request: Request) -> Request {
    let kind = ToolKind::Function { parameters: None, strict: None };
    request.tools.push(Tool { name: "f".to_owned(), description: None, kind, cache: None });
    request
}

fn specs(body: &Value) -> Vec<&str> {
    let tools = body["toolConfig"]["tools"].as_array().unwrap();
    tools.iter().map(|tool| tool["toolSpec"]["name"].as_str().unwrap()).collect()
}

#[test]
fn a_schema_is_given_as_text_closed_and_plain() {
    for model in [SONNET, "qwen.qwen3-235b-a22b-2507-v1:0"] {
        let body = body(&held_to(&city()), model);
        let format = &body["outputConfig"]["textFormat"];
        assert_eq!(format["type"], "json_schema");
        assert_eq!(format["structure"]["jsonSchema"]["name"], "city");
        let text = format["structure"]["jsonSchema"]["schema"].as_str().unwrap();
        let expected = json!({
            "type": "object",
            "properties": {"name": {"type": "string", "description": "(maxLength: 9)"}},
            "required": ["name"],
            "additionalProperties": false,
        });
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected, "{model}");
    }
}

#[test]
fn point_25_other_models_answer_through_a_tool() {
    for model in [NOVA, "anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-opus-4-1-20250805-v1:0"] {
        let (body, encoded) = encoded(&held_to(&city()), model);
        assert_eq!(body.get("outputConfig"), None, "{model}");
        assert_eq!(specs(&body), ["json_output"]);
        assert_eq!(body["toolConfig"]["toolChoice"], json!({"tool": {"name": "json_output"}}));
        assert_eq!(encoded.back.answer_tool.as_deref(), Some("json_output"));
    }
}

#[test]
fn point_25_models_that_cannot_be_forced_are_asked_for_the_tool() {
    // Bedrock's own copy of Anthropic's API has no schemas for the newer models.
    for model in [OPUS, LLAMA] {
        let (body, encoded) = encoded(&held_to(&city()), model);
        assert_eq!(body["toolConfig"].get("toolChoice"), None);
        assert!(body["system"][0]["text"].as_str().unwrap().contains("json_output"), "{body}");
        // The client chose no tool, so nothing of its was left out.
        assert!(encoded.dropped.is_empty());
    }
}

#[test]
fn a_schema_that_cannot_be_held_to_becomes_a_tool_too() {
    let free = json!({"type": "object", "additionalProperties": {"type": "string"}});
    assert_eq!(specs(&body(&held_to(&free), SONNET)), ["json_output"]);
    let recursive = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
    assert_eq!(specs(&body(&held_to(&recursive), SONNET)), ["json_output"]);
    let list = json!({"type": "array", "items": {"type": "string"}});
    assert_eq!(encode(&held_to(&list), SONNET).unwrap_err().param.as_deref(), Some("response_format"));
}

#[test]
fn beside_the_clients_tools_any_is_to_be_called() {
    let request = with_tool(held_to(&city()));
    let nova = body(&request, NOVA);
    assert_eq!((specs(&nova), &nova["toolConfig"]["toolChoice"]), (vec!["f", "json_output"], &json!({"any": {}})));
    // A model that can be held to the schema keeps its choice.
    let sonnet = body(&request, SONNET);
    assert_eq!(specs(&sonnet), ["f"]);
    assert!(sonnet["outputConfig"].is_object());
    let named = Request { tool_choice: Some(ToolChoice::Named("f".to_owned())), ..request };
    assert_eq!(body(&named, NOVA)["toolConfig"]["toolChoice"], json!({"tool": {"name": "f"}}));
}

#[test]
fn any_object_is_asked_for_in_words() {
    let request = Request { output: Output::JsonObject, ..request() };
    let (body, encoded) = encoded(&request, SONNET);
    assert!(body["system"][0]["text"].as_str().unwrap().contains("one JSON object"));
    assert!(encoded.back.unfence);
}
