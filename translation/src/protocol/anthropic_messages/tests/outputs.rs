//! The shape of the answer.

use serde_json::{Value, json};

use super::tools::tool;
use super::{OPUS_55, SONNET_4, SONNET_46, encode_for, hello, refused};
use crate::ir::{
    Choice, Effort, Finish, Output, Part, Reasoning, Request, Response, Schema, Tool, ToolChoice, ToolKind,
};
use crate::json::Json;
use crate::protocol::contract::Encoded;

const ANSWER: &str = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;
const MAP: &str = r#"{"type":"object","additionalProperties":{"type":"string"}}"#;

fn shaped(schema: &str) -> Request {
    let schema = Schema {
        name: Some("answer".into()),
        description: None,
        schema: Json::parse(schema).unwrap(),
        strict: Some(true),
    };
    Request { output: Output::JsonSchema(schema), ..hello() }
}

fn encoded(request: &Request, model: &str) -> (Value, Encoded) {
    let encoded = encode_for(request, model, true).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

#[test]
fn point_25_a_schema_is_held_to_natively() {
    let (body, encoded) = encoded(&shaped(ANSWER), SONNET_46);
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": schema}}));
    assert!(encoded.back.is_empty());
}

#[test]
fn point_25_a_model_without_schemas_answers_through_a_tool() {
    let (body, encoded) = encoded(&shaped(ANSWER), SONNET_4);
    assert!(body.get("output_config").is_none());
    assert_eq!(body["tools"][0]["name"], "json_output");
    assert_eq!(body["tools"][0]["input_schema"], serde_json::from_str::<Value>(ANSWER).unwrap());
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "json_output", "disable_parallel_tool_use": true}));
    assert_eq!(encoded.back.answer_tool.as_deref(), Some("json_output"));
    let mut response = Response {
        choices: vec![Choice {
            parts: vec![super::history::call("a", "json_output", r#"{"n":1}"#)],
            finish: Some(Finish::ToolCalls),
            ..Choice::default()
        }],
        ..Response::default()
    };
    encoded.back.response(&mut response);
    assert_eq!(response.choices[0].parts, [Part::text(r#"{"n":1}"#)]);
    assert_eq!(response.choices[0].finish, Some(Finish::Stop));
}

#[test]
fn a_schema_that_is_too_large_needs_the_tool_and_a_smaller_one_goes_before_strict_tools() {
    let properties = |count: usize| {
        let properties: Vec<_> = (0..count).map(|at| format!(r#""p{at}":{{"type":["string","null"]}}"#)).collect();
        format!(r#"{{"type":"object","properties":{{{}}}}}"#, properties.join(","))
    };
    let (body, encoded) = encoded(&shaped(&properties(17)), SONNET_46);
    assert_eq!((body.get("output_config"), encoded.back.answer_tool.is_some()), (None, true));
    let mut request = shaped(&properties(16));
    let kind = ToolKind::Function { parameters: Json::parse(&properties(1)), strict: Some(true) };
    request.tools = vec![Tool { kind, ..tool("f", "{}") }];
    let (body, encoded) = super::outputs::encoded(&request, SONNET_46);
    assert!(body["output_config"]["format"].is_object() && encoded.back.answer_tool.is_none());
    assert_eq!(body["tools"][0].get("strict"), None);
}

#[test]
fn a_map_with_free_keys_needs_the_tool_too() {
    let (body, encoded) = encoded(&shaped(MAP), SONNET_46);
    assert!(body["output_config"].get("format").is_none());
    assert_eq!(encoded.back.answer_tool.as_deref(), Some("json_output"));
    assert_eq!(body["tools"][0]["input_schema"]["additionalProperties"], json!({"type": "string"}));
}

#[test]
fn beside_the_clients_tools_the_model_may_choose() {
    let mut request = shaped(MAP);
    request.tools = vec![tool("json_output", "{}")];
    let (body, encoded) = encoded(&request, SONNET_4);
    assert_eq!(body["tool_choice"], json!({"type": "any", "disable_parallel_tool_use": true}));
    assert_eq!(encoded.back.answer_tool.as_deref(), Some("json_output_"), "the client has one of that name");
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(super::outputs::encoded(&request, SONNET_4).0["tool_choice"]["name"], "json_output_");
}

#[test]
fn the_tool_goes_before_a_thinking_budget() {
    let mut request = shaped(ANSWER);
    request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    assert!(encoded(&request, SONNET_4).0.get("thinking").is_none());
}

#[test]
fn a_model_that_cannot_be_forced_is_asked_to_use_the_tool() {
    let (body, encoded) = encoded(&shaped(MAP), OPUS_55);
    assert_eq!(body["tool_choice"]["type"], "auto");
    assert!(body["system"].as_str().unwrap().contains("`json_output`"));
    assert!(encoded.back.answer_tool.is_some() && encoded.back.unfence, "and may answer without it");
}

#[test]
fn a_schema_that_is_no_object_is_refused_where_a_tool_is_needed() {
    let list = r#"{"type":"array","items":{"type":"string"}}"#;
    assert_eq!(refused(&shaped(list), SONNET_4).param.as_deref(), Some("response_format"));
    assert!(encode_for(&shaped(list), SONNET_46, true).is_ok());
}

#[test]
fn point_25_any_json_object_is_asked_for_in_words_and_begun() {
    let request = Request { output: Output::JsonObject, ..hello() };
    let (body, encoded) = encoded(&request, SONNET_4);
    assert!(body["system"].as_str().unwrap().contains("one JSON object"));
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": [{"type": "text", "text": "{"}]}));
    assert_eq!((encoded.back.prefill.as_deref(), encoded.back.unfence), (Some("{"), true));
    let (body, encoded) = super::outputs::encoded(&request, SONNET_46);
    assert_eq!(body["messages"].as_array().unwrap().len(), 1, "this model continues nothing");
    assert_eq!((encoded.back.prefill, encoded.back.unfence), (None, true));
}

#[test]
fn nothing_is_begun_for_a_model_that_thinks_or_may_call() {
    let mut request = Request { output: Output::JsonObject, ..hello() };
    request.tools = vec![tool("f", "{}")];
    let (body, encoded) = encoded(&request, SONNET_4);
    assert!(body["system"].as_str().unwrap().starts_with("Unless you call a tool"));
    assert_eq!(encoded.back.prefill, None);
    request.tools.clear();
    request.reasoning = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    assert_eq!(super::outputs::encoded(&request, SONNET_4).1.back.prefill, None);
}
