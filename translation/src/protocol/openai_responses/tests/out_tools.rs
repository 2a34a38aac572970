//! Tools, and what of other formats a provider of this one is told otherwise.

use serde_json::{Value, json};

use super::encoded;
use crate::format::Format;
use crate::ir::Request;

fn from(format: Format, body: &Value) -> Request {
    format.protocol().decode_request(body.to_string().as_bytes()).unwrap()
}

fn chat(more: Value) -> Request {
    let mut body = json!({"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    from(Format::OpenAiChat, &body)
}

fn anthropic(more: Value) -> Request {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    from(Format::AnthropicMessages, &body)
}

#[test]
fn a_grammar_of_chat_completions_is_flattened() {
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: \"a\""}});
    let tool = json!({"type": "custom", "custom": {"name": "c", "description": "d", "format": grammar}});
    let text = json!({"type": "custom", "custom": {"name": "t", "format": {"type": "text"}}});
    let (body, whole) = encoded(&chat(json!({"tools": [tool, text]})), "gpt-5");
    assert_eq!(
        body["tools"],
        json!([
            {"type": "custom", "name": "c", "description": "d",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"a\""}},
            {"type": "custom", "name": "t", "format": {"type": "text"}},
        ])
    );
    assert!(whole.dropped.is_empty());
    // What is no format is for the provider to refuse.
    for format in [json!("text"), json!([1]), json!(5), json!({"grammar": "x"})] {
        let tool = json!({"type": "custom", "custom": {"name": "c", "format": format}});
        let (body, _) = encoded(&chat(json!({"tools": [tool]})), "gpt-5");
        assert_eq!(body["tools"][0]["format"], format);
    }
}

#[test]
fn strictness_of_another_format_is_not_openais() {
    let tool = json!({"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}, "strict": true});
    let (body, whole) = encoded(&anthropic(json!({"tools": [tool]})), "gpt-5");
    assert_eq!(body["tools"][0]["strict"], false);
    assert_eq!(whole.dropped.names(), ["tools.strict"]);
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}});
    let (body, whole) = encoded(&chat(json!({"tools": [tool]})), "gpt-5");
    assert_eq!(body["tools"][0]["strict"], true);
    assert!(whole.dropped.is_empty());
}

#[test]
fn a_search_of_the_web_keeps_what_openai_has_the_like_of() {
    let place = json!({"type": "approximate", "city": "Bern", "country": "CH"});
    let tool = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a.ch"],
        "user_location": place});
    let (body, whole) = encoded(&anthropic(json!({"tools": [tool]})), "gpt-5");
    let expected = json!({"type": "web_search", "filters": {"allowed_domains": ["a.ch"]}, "user_location": place});
    assert_eq!(body["tools"], json!([expected]));
    assert_eq!(whole.dropped.names(), ["tools[0].max_uses"]);
    let options = json!({"search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Bern", "country": "CH"}}});
    let (body, whole) = encoded(&chat(json!({"web_search_options": options})), "gpt-5");
    assert_eq!(body["tools"], json!([{"type": "web_search", "search_context_size": "low", "user_location": place}]));
    assert!(whole.dropped.is_empty());
    let gemini = json!({"model": "m", "contents": "hi", "tools": [{"googleSearch": {"timeRangeFilter": {}}}]});
    let (body, whole) = encoded(&from(Format::GeminiGenerate, &gemini), "gpt-5");
    assert_eq!(body["tools"], json!([{"type": "web_search"}]));
    assert_eq!(whole.dropped.names(), ["tools[0].timeRangeFilter"]);
}

#[test]
fn encrypted_thoughts_are_asked_for_only_where_the_model_is_known_to_think() {
    let include = |request: &Request, model: &str| encoded(request, model).0.get("include").cloned();
    let wanted = Some(json!(["reasoning.encrypted_content"]));
    assert_eq!(include(&chat(json!({})), "gpt-5"), wanted);
    // OpenAI answers 400 where a model does not think, and of this one nothing is known.
    assert_eq!(include(&chat(json!({})), "acme-model"), None);
    assert_eq!(include(&chat(json!({"reasoning_effort": "low"})), "acme-model"), wanted);
}

#[test]
fn a_schema_that_openai_refuses_is_said_in_words() {
    let list = json!({"type": "ARRAY", "items": {"type": "STRING"}});
    let config = json!({"responseMimeType": "application/json", "responseSchema": list});
    let gemini = json!({"model": "m", "contents": "hi", "generationConfig": config});
    let (body, whole) = encoded(&from(Format::GeminiGenerate, &gemini), "gpt-5");
    assert_eq!(body.get("text"), None);
    assert_eq!(body["input"][0]["role"], "developer");
    assert!(
        body["input"][0]["content"].as_str().unwrap().contains(r#"{"items":{"type":"string"},"type":"array"}"#)
            || body["input"][0]["content"].as_str().unwrap().contains(r#"{"type":"array","items":{"type":"string"}}"#)
    );
    assert!(whole.back.unfence, "fences of an answer that is not held to a schema are taken off");
}

#[test]
fn what_is_left_out_of_a_conversation_is_named() {
    let request = anthropic(json!({
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "title": "a.txt"},
                {"type": "text", "text": "hi"},
            ]},
            {"role": "assistant", "content": [
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such file", "is_error": true},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true},
            ]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
    }));
    let (body, whole) = encoded(&request, "gpt-5");
    assert_eq!(body["instructions"], "s");
    assert_eq!(body["input"][0]["content"][0], json!({"type": "input_text", "text": "a.txt:\nwords"}));
    assert_eq!(body["input"][3]["output"], "no such file");
    assert_eq!(body["input"][4]["output"], "The tool failed.");
    assert_eq!(whole.dropped.names(), ["cache_control", "messages[1].content[0]", "is_error"]);
}

#[test]
fn a_model_that_thinks_only_when_told_is_told_to_where_the_client_leaves_it_to_the_model() {
    let request = anthropic(json!({"thinking": {"type": "adaptive"}}));
    assert_eq!(encoded(&request, "gpt-5.1").0["reasoning"]["effort"], "medium");
    assert_eq!(encoded(&request, "gpt-5").0["reasoning"].get("effort"), None);
}
