//! A request for a provider: functions, and the shape of the answer (`docs/TRANSLATION.md` sections 6.3 and 6.4).

use serde_json::{Value, json};

use super::scenes::{body, dropped, encoded};
use crate::back::Back;
use crate::format::Format;
use crate::ir::{
    CallKind, ErrorCode, Message, Output, Part, Request, Role, Schema, Tool, ToolCall, ToolChoice, ToolKind,
    ToolResult, TranslateError,
};
use crate::json::Json;

const OLD: &str = "gemini-2.5-flash";
const NEW: &str = "gemini-3-flash-preview";
const OLDEST: &str = "gemini-1.5-pro";

fn json_of(value: &Value) -> Json {
    Json::of(value)
}

fn function(name: &str, parameters: Option<Value>) -> Tool {
    let kind = ToolKind::Function { parameters: parameters.as_ref().map(json_of), strict: None };
    Tool { name: name.to_owned(), description: Some("d".to_owned()), kind, cache: None }
}

fn with(tools: Vec<Tool>, choice: Option<ToolChoice>) -> Request {
    let mut request = Request::new(Format::OpenAiChat, "gemini");
    request.messages = vec![Message::new(Role::User, vec![Part::text("x")], 0)];
    (request.tools, request.tool_choice) = (tools, choice);
    request
}

fn of(names: &[&str]) -> Vec<Tool> {
    names
        .iter()
        .map(|name| function(name, Some(json!({"type": "object", "properties": {"a": {"type": "string"}}}))))
        .collect()
}

fn back(request: &Request, model: &str) -> Back {
    encoded(request, model).unwrap().back
}

fn refused(request: &Request, model: &str) -> TranslateError {
    encoded(request, model).unwrap_err()
}

fn declarations(request: &Request, model: &str) -> Value {
    body(request, model)["tools"][0]["functionDeclarations"].clone()
}

#[test]
fn functions_are_declared_by_json_schema_as_it_is() {
    let schema = json!({"type": "object", "$defs": {"X": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/X"}}, "additionalProperties": false});
    let request =
        with(vec![function("f", Some(schema.clone())), function("g", None), function("h", Some(json!({})))], None);
    let wanted = json!([
        {"name": "f", "description": "d", "parametersJsonSchema": schema}, {"name": "g", "description": "d"}, {"name": "h", "description": "d"},
    ]);
    assert_eq!(declarations(&request, OLD), wanted);
    assert_eq!(body(&request, OLD)["tools"].as_array().unwrap().len(), 1);
}

#[test]
fn older_models_take_the_subset() {
    let schema = json!({"type": "object", "$defs": {"X": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/X"}}, "additionalProperties": false});
    let request =
        with(vec![function("f", Some(schema)), function("g", Some(json!({"type": "object", "properties": {}})))], None);
    let wanted = json!([
        {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}, {"name": "g", "description": "d"},
    ]);
    assert_eq!(declarations(&request, OLDEST), wanted);
}

#[test]
fn names_that_gemini_does_not_take_are_mapped_everywhere() {
    let mut request = with(of(&["9lives", "größe", "a.b-c:d", "plain"]), Some(ToolChoice::Named("9lives".to_owned())));
    let call = ToolCall {
        id: "1".to_owned(),
        name: "größe".to_owned(),
        arguments: "{}".to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    };
    let result = ToolResult { call_id: "1".to_owned(), name: None, content: vec![], is_error: None, cache: None };
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)], 1));
    request.messages.push(Message::new(Role::Tool, vec![Part::ToolResult(result)], 2));
    let body = body(&request, OLD);
    let names: Vec<&str> = body["tools"][0]["functionDeclarations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[2..], ["a.b-c:d", "plain"]);
    let back = back(&request, OLD);
    assert_eq!(back.tool_names[names[0]], "9lives");
    assert_eq!(back.tool_names[names[1]], "größe");
    assert_eq!(back.tool_names.len(), 2);
    assert_eq!(body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"], json!([names[0]]));
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["name"], names[1]);
    assert_eq!(body["contents"][2]["parts"][0]["functionResponse"]["name"], names[1]);
}

#[test]
fn point_17_choices_of_tools() {
    let config = |choice: Option<ToolChoice>| {
        body(&with(of(&["f", "g"]), choice), OLD)["toolConfig"]["functionCallingConfig"].clone()
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(config(None), json!(null));
    assert_eq!(config(Some(ToolChoice::Auto)), json!({"mode": "AUTO"}));
    assert_eq!(config(Some(ToolChoice::None)), json!({"mode": "NONE"}));
    assert_eq!(config(Some(ToolChoice::Required)), json!({"mode": "ANY"}));
    assert_eq!(config(Some(ToolChoice::Named("g".to_owned()))), json!({"mode": "ANY", "allowedFunctionNames": ["g"]}));
    let must = ToolChoice::Allowed { required: true, names: named(&["g", "f"]) };
    assert_eq!(config(Some(must)), json!({"mode": "ANY", "allowedFunctionNames": ["g", "f"]}));
    // None keeps the declarations, and a list of those that may be called leaves the others out.
    assert_eq!(declarations(&with(of(&["f", "g"]), Some(ToolChoice::None)), OLD).as_array().unwrap().len(), 2);
    let may = with(of(&["f", "g"]), Some(ToolChoice::Allowed { required: false, names: named(&["g"]) }));
    assert_eq!(body(&may, OLD)["toolConfig"]["functionCallingConfig"], json!({"mode": "AUTO"}));
    assert_eq!(declarations(&may, OLD)[0]["name"], "g");
}

#[test]
fn choices_of_no_tool_are_refused() {
    for choice in [
        ToolChoice::Named("x".to_owned()),
        ToolChoice::Allowed { required: true, names: vec!["x".to_owned()] },
        ToolChoice::Allowed { required: false, names: vec!["x".to_owned()] },
    ] {
        assert_eq!(refused(&with(of(&["f"]), Some(choice)), OLD).param.as_deref(), Some("tool_choice"));
    }
    assert_eq!(refused(&with(vec![], Some(ToolChoice::Required)), OLD).param.as_deref(), Some("tool_choice"));
    let twice = refused(&with(of(&["f", "f"]), None), OLD);
    assert_eq!((twice.param.as_deref(), twice.code), (Some("tools[1]"), ErrorCode::InvalidValue));
}

#[test]
fn one_call_at_a_time_is_kept_on_the_answer() {
    let mut request = with(of(&["f"]), None);
    request.parallel_tool_calls = Some(false);
    assert!(back(&request, OLD).first_call_only && dropped(&request, OLD).is_empty());
    request.parallel_tool_calls = Some(true);
    assert!(back(&request, OLD).is_empty());
}

#[test]
fn tools_of_free_text_are_functions_of_one_string() {
    let format = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: \"a\""}});
    let kind = ToolKind::Custom { format: Some(json_of(&format)) };
    let mut request = with(vec![Tool { name: "sh".to_owned(), description: None, kind, cache: None }], None);
    let call = ToolCall {
        id: "1".to_owned(),
        name: "sh".to_owned(),
        arguments: "ls \"x\"".to_owned(),
        kind: CallKind::Custom,
        signature: None,
        cache: None,
    };
    let result = ToolResult { call_id: "1".to_owned(), name: None, content: vec![], is_error: None, cache: None };
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(call)], 1));
    request.messages.push(Message::new(Role::Tool, vec![Part::ToolResult(result)], 2));
    let body = body(&request, OLD);
    let schema = &body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"];
    assert_eq!((&schema["required"], &schema["properties"]["input"]["type"]), (&json!(["input"]), &json!("string")));
    assert!(schema["properties"]["input"]["description"].as_str().unwrap().contains("lark"));
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["args"], json!({"input": "ls \"x\""}));
    assert!(back(&request, OLD).custom_tools.contains("sh"));
}

#[test]
fn strictness_is_named_as_left_out() {
    let mut request = with(of(&["f"]), None);
    request.tools[0].kind = ToolKind::Function { parameters: None, strict: Some(true) };
    assert_eq!(dropped(&request, OLD), ["tools.strict"]);
}

#[test]
fn tools_of_geminis_own() {
    let builtin = |block: Value| Tool {
        name: "t".to_owned(),
        description: None,
        kind: ToolKind::Builtin(json_of(&block)),
        cache: None,
    };
    let search = with(vec![builtin(json!({"googleSearch": {}})), builtin(json!({"url_context": {}}))], None);
    assert_eq!(body(&search, OLD)["tools"], json!([{"googleSearch": {}}, {"url_context": {}}]));
    let mixed = with([of(&["f"]), vec![builtin(json!({"googleSearch": {}}))]].concat(), None);
    assert_eq!(body(&mixed, NEW)["tools"].as_array().unwrap().len(), 2);
    assert_eq!(refused(&mixed, OLD).param.as_deref(), Some("tools"));
    let foreign = with(vec![builtin(json!({"type": "web_search_20250305", "name": "web_search"}))], None);
    assert_eq!(body(&foreign, NEW)["tools"], json!([{"googleSearch": {}}]));
    let unlike = with(vec![builtin(json!({"type": "code_execution_20250522", "name": "code_execution"}))], None);
    assert_eq!(refused(&unlike, NEW).param.as_deref(), Some("tools[0]"));
}

fn shaped(schema: Option<Value>, tools: Vec<Tool>, choice: Option<ToolChoice>) -> Request {
    let mut request = with(tools, choice);
    request.output = match schema {
        Some(schema) => Output::JsonSchema(Schema {
            name: Some("answer".to_owned()),
            description: None,
            schema: json_of(&schema),
            strict: Some(true),
        }),
        None => Output::JsonObject,
    };
    request
}

fn object() -> Value {
    json!({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}})
}

#[test]
fn shapes_of_the_answer() {
    let config = |request: &Request, model| body(request, model)["generationConfig"].clone();
    assert_eq!(config(&shaped(None, vec![], None), OLD), json!({"responseMimeType": "application/json"}));
    let wanted = json!({"responseMimeType": "application/json", "responseJsonSchema": object()});
    assert_eq!(config(&shaped(Some(object()), vec![], None), OLD), wanted);
    assert_eq!(config(&shaped(Some(object()), of(&["f"]), None), NEW), wanted);
    let subset = json!({"type": "object", "properties": {"n": {"type": "integer", "nullable": true}}});
    assert_eq!(config(&shaped(Some(object()), vec![], None), OLDEST)["responseSchema"], subset);
}

#[test]
fn an_answer_of_a_shape_comes_through_a_function_beside_others() {
    let config = |request: &Request| body(request, OLD)["toolConfig"]["functionCallingConfig"].clone();
    let request = shaped(Some(object()), of(&["f"]), None);
    let body = body(&request, OLD);
    assert!(body["generationConfig"].is_null(), "{body}");
    let declared = &body["tools"][0]["functionDeclarations"][1];
    assert_eq!((&declared["name"], &declared["parametersJsonSchema"]), (&json!("final_answer"), &object()));
    assert_eq!(config(&request), json!({"mode": "ANY"}));
    assert_eq!(back(&request, OLD).answer_tool.as_deref(), Some("final_answer"));
    let none = shaped(Some(object()), of(&["f"]), Some(ToolChoice::None));
    assert_eq!(config(&none), json!({"mode": "ANY", "allowedFunctionNames": ["final_answer"]}));
    let required = shaped(Some(object()), of(&["f"]), Some(ToolChoice::Required));
    assert_eq!(config(&required), json!({"mode": "ANY", "allowedFunctionNames": ["f"]}));
    // Its name is no other's.
    let taken = shaped(Some(object()), of(&["final_answer", "final answer_"]), None);
    let names = back(&taken, OLD);
    assert_eq!(names.answer_tool.as_deref(), Some("final_answer_"));
    assert_eq!(names.tool_names.values().collect::<Vec<_>>(), ["final answer_"]);
    let list = refused(&shaped(Some(json!({"type": "array"})), of(&["f"]), None), OLD);
    assert_eq!((list.param.as_deref(), list.code), (Some("response_format"), ErrorCode::UnsupportedValue));
}

#[test]
fn any_json_beside_functions_is_asked_for_in_words() {
    let request = shaped(None, of(&["f"]), None);
    let body = body(&request, OLD);
    assert!(body["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains("JSON object"));
    assert!(body["generationConfig"].is_null() && back(&request, OLD).unfence);
}
