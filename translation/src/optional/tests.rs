use bytes::Bytes;
use serde_json::json;

use super::{refused, without};
use crate::format::Format;

/// The field that a provider of `format` refuses in `document`, of a request with `body`.
fn named(format: Format, status: u16, document: &serde_json::Value, body: &serde_json::Value) -> Option<&'static str> {
    let document = document.to_string();
    let error = format.protocol().decode_error(status, document.as_bytes());
    let body = Bytes::from(body.to_string());
    refused(format.facts().optional_fields, &error, document.as_bytes(), &body).map(|field| field.name)
}

#[test]
fn a_refused_field_is_found_in_the_words_of_vendors() {
    let body = json!({ "model": "m", "stream_options": {}, "parallel_tool_calls": true, "reasoning_effort": "low",
        "max_tokens": 5, "temperature": 0.5, "tools": [{ "type": "function", "function": { "name": "f", "strict": true } }],
        "messages": [{ "role": "user", "content": "unsupported seed" }] });
    let error = |message: &str| json!({ "error": { "message": message, "type": "invalid_request_error" } });
    for (document, expected) in [
        (error("Unrecognized request argument supplied: stream_options"), Some("stream_options")),
        (error("Unknown parameter: 'parallel_tool_calls'."), Some("parallel_tool_calls")),
        (
            json!({ "detail": [{ "type": "extra_forbidden", "loc": ["body", "reasoning_effort"],
            "msg": "Extra inputs are not permitted", "input": "low" }] }),
            Some("reasoning_effort"),
        ),
        (
            error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            ),
            Some("max_tokens"),
        ),
        (
            json!({ "error": { "message": "Unsupported value", "param": "temperature", "code": "unsupported_value" } }),
            Some("temperature"),
        ),
        (error("property 'tools[0].function.strict' is unsupported"), Some("strict")),
        // Nothing of the request, nothing that is refused, and no field at all.
        (error("Unknown parameter: 'seed'."), None),
        (error("'temperature' must be at most 1"), None),
        (error("the model does not support images"), None),
        (error("strict rules: this is not allowed"), None),
    ] {
        assert_eq!(named(Format::OpenAiChat, 400, &document, &body), expected, "{document}");
    }
    let gemini = json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT",
        "message": "Invalid JSON payload received. Unknown name \"thinkingConfig\" at 'generation_config': Cannot find field." } });
    let body = json!({ "contents": [], "generationConfig": { "thinkingConfig": {}, "temperature": 1 } });
    assert_eq!(named(Format::GeminiGenerate, 400, &gemini, &body), Some("thinkingConfig"));
}

#[test]
fn a_field_is_left_out_wherever_it_stands() {
    let fields = Format::OpenAiChat.facts().optional_fields;
    let left = |name: &str, body: serde_json::Value| {
        let field = fields.iter().filter(|field| field.name == name);
        without(&Bytes::from(body.to_string()), field)
            .map(|body| serde_json::from_slice::<serde_json::Value>(&body).unwrap())
    };
    assert_eq!(left("max_tokens", json!({ "max_tokens": 5 })), Some(json!({ "max_completion_tokens": 5 })));
    assert_eq!(left("max_completion_tokens", json!({ "max_completion_tokens": 5 })), Some(json!({ "max_tokens": 5 })));
    let tools = |strict: &[Option<bool>]| {
        let function = |strict: &Option<bool>| match strict {
            Some(strict) => json!({ "function": { "name": "f", "strict": strict } }),
            None => json!({ "function": { "name": "f" } }),
        };
        json!({ "tools": strict.iter().map(function).collect::<Vec<_>>() })
    };
    assert_eq!(left("strict", tools(&[None, Some(true), Some(false)])), Some(tools(&[None, None, None])));
    assert_eq!(left("strict", tools(&[None])), None);
    assert_eq!(left("seed", json!({ "model": "m" })), None);
}
