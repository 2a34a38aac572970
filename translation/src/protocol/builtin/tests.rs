use serde_json::{Value, json};

use crate::facts::ModelFacts;
use crate::format::Format;
use crate::ir::{Request, TranslateError};
use crate::protocol::contract::{Encoded, Quirks, Target};

fn read(client: Format, body: &Value) -> Request {
    let mut request = client.protocol().decode_request(body.to_string().as_bytes()).unwrap();
    request.model = "m".to_owned();
    request
}

fn written(request: &Request, format: Format) -> Result<Encoded, TranslateError> {
    let facts = ModelFacts { json_schema_with_tools: true, ..ModelFacts::default() };
    format
        .protocol()
        .encode_request(request, &Target { model: "m", facts: &facts, quirks: &Quirks::NONE, stream: false })
}

/// A request of a client with one tool that it has declared, beside a function.
fn asking(client: Format, tool: &Value) -> Request {
    let schema = json!({"type": "object", "properties": {}});
    let body = match client {
        Format::OpenAiResponses => json!({"model": "m", "input": "go", "tools": [
            {"type": "function", "name": "f", "parameters": schema}, tool]}),
        Format::AnthropicMessages => json!({"model": "m", "max_tokens": 9,
            "messages": [{"role": "user", "content": "go"}], "tools": [{"name": "f", "input_schema": schema}, tool]}),
        Format::GeminiGenerate => json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}], "tools": [
            {"functionDeclarations": [{"name": "f"}]}, tool]}),
        _ => unreachable!("{client} has no such tools"),
    };
    read(client, &body)
}

fn searches() -> [(Format, Value); 3] {
    [
        (
            Format::OpenAiResponses,
            json!({"type": "web_search", "search_context_size": "low", "filters": {"allowed_domains": ["a.org"]},
                "user_location": {"type": "approximate", "country": "DE", "city": null}}),
        ),
        (
            Format::AnthropicMessages,
            json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a.org"]}),
        ),
        (Format::GeminiGenerate, json!({"googleSearch": {}})),
    ]
}

#[test]
fn a_search_of_the_web_becomes_the_targets_own_or_is_left_out_by_name() {
    for (client, tool) in searches() {
        for target in Format::ALL.into_iter().filter(|target| *target != client) {
            let encoded = written(&asking(client, &tool), target).unwrap();
            let body: Value = serde_json::from_slice(&encoded.body).unwrap();
            let dropped = encoded.dropped.names().join(" ");
            let context = format!("{client} to {target}: {body} without {dropped}");
            match target {
                Format::OpenAiResponses => assert_eq!(body["tools"][1]["type"], "web_search", "{context}"),
                Format::AnthropicMessages => {
                    let tool = &body["tools"][1];
                    assert_eq!(
                        (&tool["type"], &tool["name"]),
                        (&json!("web_search_20250305"), &json!("web_search")),
                        "{context}"
                    );
                    if client == Format::OpenAiResponses {
                        assert_eq!(tool["allowed_domains"], json!(["a.org"]), "{context}");
                        assert_eq!(tool["user_location"], json!({"type": "approximate", "country": "DE"}), "{context}");
                    }
                }
                Format::GeminiGenerate => assert_eq!(body["tools"][0], json!({"googleSearch": {}}), "{context}"),
                Format::OpenAiChat | Format::BedrockConverse => {
                    assert!(dropped.contains("earch"), "{context}");
                    assert!(body.to_string().contains("\"f\""), "the function stays: {context}");
                    assert!(!body.to_string().contains("earch"), "{context}");
                }
            }
        }
    }
}

#[test]
fn a_search_among_stored_pages_only_is_not_made_one_of_the_live_web() {
    let tool = json!({"type": "web_search", "external_web_access": false});
    for target in [Format::AnthropicMessages, Format::GeminiGenerate] {
        let encoded = written(&asking(Format::OpenAiResponses, &tool), target).unwrap();
        assert_eq!(encoded.dropped.names(), ["tools.web_search"], "{target}");
    }
}

#[test]
fn older_gemini_models_keep_the_functions_where_they_take_one_or_the_other() {
    let (client, tool) = &searches()[0];
    let facts = ModelFacts { json_schema_with_tools: false, ..ModelFacts::default() };
    let target = Target { model: "m", facts: &facts, quirks: &Quirks::NONE, stream: false };
    let encoded = Format::GeminiGenerate.protocol().encode_request(&asking(*client, tool), &target).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["tools"].as_array().unwrap().len(), 1, "{body}");
    assert_eq!(encoded.dropped.names(), ["tools.web_search"]);
}

#[test]
fn a_tool_on_which_the_answer_depends_is_refused_in_one_wording() {
    let tools = [
        (Format::OpenAiResponses, json!({"type": "file_search", "vector_store_ids": ["v"]}), "tools[1]"),
        (Format::AnthropicMessages, json!({"type": "code_execution_20250522", "name": "code_execution"}), "tools[1]"),
        (Format::GeminiGenerate, json!({"codeExecution": {}}), "tools[1]"),
    ];
    for (client, tool, param) in tools {
        for target in Format::ALL.into_iter().filter(|target| *target != client) {
            let refusal = written(&asking(client, &tool), target).unwrap_err();
            assert_eq!(refusal.param.as_deref(), Some(param), "{client} to {target}");
            assert!(
                refusal.message.starts_with("The provider of this model has no tool like `"),
                "{}",
                refusal.message
            );
        }
    }
    // One that is left out elsewhere cannot be the one that must be called.
    let mut request = asking(Format::OpenAiResponses, &searches()[0].1);
    request.tool_choice = Some(crate::ir::ToolChoice::Named("web_search".to_owned()));
    for target in [Format::OpenAiChat, Format::BedrockConverse] {
        assert_eq!(written(&request, target).unwrap_err().param.as_deref(), Some("tools[1]"), "{target}");
    }
}

#[test]
fn what_a_search_among_tools_says_reaches_models_that_do_not_search() {
    let schema = json!({"type": "object", "properties": {}});
    let body = json!({"model": "m", "max_tokens": 9,
    "system": [{"type": "text", "text": "be kind"}, {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "g"}}],
    "tools": [
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        {"name": "f", "input_schema": schema, "defer_loading": true},
        {"name": "g", "input_schema": schema, "defer_loading": true},
    ],
    "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
            "content": [{"type": "tool_reference", "tool_name": "g"}]}]},
        {"role": "system", "content": [{"type": "text", "text": "on"}, {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "g"}}]},
        {"role": "user", "content": "and?"},
    ]});
    for target in Format::ALL.into_iter().filter(|target| *target != Format::AnthropicMessages) {
        let encoded = written(&read(Format::AnthropicMessages, &body), target).unwrap();
        let text = String::from_utf8(encoded.body.to_vec()).unwrap();
        for wanted in ["be kind", "\"f\"", "\"g\"", "The tool `g` can be called now."] {
            assert!(text.contains(wanted), "{target}: {wanted}: {text}");
        }
        assert!(!text.contains("tool_addition") && !text.contains("defer_loading"), "{target}: {text}");
        let dropped = encoded.dropped.names().join(" ");
        for named in ["tools.tool_search_tool_regex", "defer_loading"] {
            assert!(dropped.contains(named), "{target}: {named}: {dropped}");
        }
        assert!(dropped.contains("messages[3].content[1]"), "{target}: {dropped}");
    }
}
