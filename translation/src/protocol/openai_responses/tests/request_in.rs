//! Requests of clients.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{OpenAiResponses, decoded};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CallKind, Effort, MediaKind, MediaSource, Output, Part, Role, ServiceTier, Signature, Summary, ToolChoice, ToolKind,
};
use crate::protocol::contract::Protocol as _;
use crate::protocol::openai_responses::stateful_field;

fn refused(request: &Value) -> (String, String) {
    let error = OpenAiResponses.decode_request(request.to_string().as_bytes()).unwrap_err();
    (error.param.unwrap_or_default(), error.message)
}

#[test]
fn a_text_is_a_message_of_the_user_and_instructions_come_first() {
    let request = decoded(&json!({"model": "m", "input": "hi", "instructions": "Be brief."}));
    assert_eq!((request.origin, request.model.as_str(), request.stream), (Format::OpenAiResponses, "m", false));
    let said: Vec<_> = request.messages.iter().map(|message| (message.role, message.parts.clone())).collect();
    assert_eq!(said, [(Role::System, vec![Part::text("Be brief.")]), (Role::User, vec![Part::text("hi")])]);
}

#[test]
fn what_the_model_gave_in_one_turn_is_one_message() {
    let request = decoded(&json!({"model": "m", "input": [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "input_text", "text": "u"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
            "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
            "content": [{"type": "output_text", "text": "t", "annotations": [], "logprobs": [], "parsed": null}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"n\": 1.0}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "4 + 4"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "8"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]},
        {"role": "assistant", "content": "done"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ]}));
    let roles: Vec<_> = request.messages.iter().map(|message| (message.role, message.origin)).collect();
    assert_eq!(
        roles,
        [(Role::Developer, 0), (Role::User, 1), (Role::Assistant, 2), (Role::Tool, 6), (Role::Assistant, 8)]
    );
    let [Part::Thinking { text, signature: Some(signature) }, Part::Text { .. }, Part::ToolCall(f), Part::ToolCall(g)] =
        &request.messages[2].parts[..]
    else {
        panic!("{request:?}")
    };
    assert_eq!(text, "a\n\nb");
    assert_eq!(*signature, Signature { family: Family::OpenAi, data: "rs_1:gAAA".to_owned() });
    assert_eq!((f.id.as_str(), f.arguments.as_str(), f.kind), ("c1", "{\"n\": 1.0}", CallKind::Function));
    assert_eq!((g.id.as_str(), g.arguments.as_str(), g.kind), ("c2", "4 + 4", CallKind::Custom));
    let [Part::ToolResult(one), Part::ToolResult(two)] = &request.messages[3].parts[..] else { panic!() };
    assert_eq!((one.content.clone(), one.is_error), (vec![Part::text("1")], None));
    assert_eq!(two.content.len(), 2);
    assert_eq!(request.messages[4].parts, [Part::text("done"), Part::Refusal("no".to_owned())]);
}

#[test]
fn point_22_media_come_in_all_their_forms() {
    let request = decoded(&json!({"model": "m", "input": [{"role": "user", "content": [
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_image", "image_url": {"url": "data:image/jpg;base64,AAAA"}},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "filename": "a.txt", "file_data": "aGk="},
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "input_file", "file_id": "file-2"},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
    ]}]}));
    let media: Vec<_> = request.messages[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::Media(media) => (media.kind, media.source.clone(), media.mime.clone().unwrap_or_default()),
            other => panic!("{other:?}"),
        })
        .collect();
    let (url, id) = (|url: &str| MediaSource::Url(url.to_owned()), |id: &str| MediaSource::FileId(id.to_owned()));
    let data = |data: &str| MediaSource::Base64(data.to_owned());
    let expected = [
        (MediaKind::Image, url("https://x/y.png"), ""),
        (MediaKind::Image, id("file-1"), ""),
        (MediaKind::Image, data("AAAA"), "image/jpeg"),
        (MediaKind::Document, data("AAAA"), "application/pdf"),
        (MediaKind::Document, data("aGk="), "text/plain"),
        (MediaKind::Document, url("https://x/a.pdf"), "application/pdf"),
        (MediaKind::Document, id("file-2"), ""),
        (MediaKind::Audio, data("AAAA"), "audio/mpeg"),
    ];
    assert_eq!(media, expected.map(|(kind, source, mime)| (kind, source, mime.to_owned())));
}

#[test]
fn settings_have_their_neutral_forms() {
    let request = decoded(&json!({
        "model": "m", "input": "hi", "stream": true, "max_output_tokens": 100, "temperature": 0.5, "top_p": 0.9,
        "top_logprobs": 3, "include": ["message.output_text.logprobs", "reasoning.encrypted_content", "file_search_call.results"],
        "parallel_tool_calls": false, "reasoning": {"effort": "high", "summary": "auto"}, "user": "u", "service_tier": "flex",
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"b": 1, "a": 2}, "strict": true}, "verbosity": "low"},
        "store": false, "metadata": {"k": "v"}, "truncation": "auto", "prompt_cache_key": "p", "max_tool_calls": 3,
        "stream_options": {"include_obfuscation": false}, "seed": null,
    }));
    assert!(request.stream);
    assert_eq!((request.max_output_tokens, request.temperature, request.top_p), (Some(100), Some(0.5), Some(0.9)));
    assert_eq!(
        (request.logprobs, request.top_logprobs, request.parallel_tool_calls),
        (Some(true), Some(3), Some(false))
    );
    let reasoning = request.reasoning.clone().unwrap();
    assert_eq!((reasoning.effort, reasoning.summary), (Some(Effort::High), Some(Summary::Auto)));
    assert_eq!((request.user.as_deref(), request.service_tier.clone()), (Some("u"), Some(ServiceTier::Flex)));
    assert_eq!(request.verbosity.as_deref(), Some("low"));
    let Output::JsonSchema(schema) = &request.output else { panic!("{request:?}") };
    assert_eq!((schema.schema.get(), schema.strict), (r#"{"b":1,"a":2}"#, Some(true)));
    let names: Vec<_> = request.extensions.iter().map(|(name, value)| (name.as_str(), value.get())).collect();
    assert!(names.contains(&("include", r#"["file_search_call.results"]"#)), "{names:?}");
    for name in ["store", "metadata", "truncation", "prompt_cache_key", "max_tool_calls", "stream_options"] {
        assert!(names.iter().any(|(known, _)| *known == name), "{name}");
    }
    assert!(names.iter().all(|(name, _)| *name != "seed"), "null is as good as absent");
    assert_eq!(stateful_field(&request), None);
    let request = decoded(&json!({"model": "m", "input": "hi", "safety_identifier": "s"}));
    assert_eq!(request.user.as_deref(), Some("s"));
}

#[test]
fn tools_and_choices_of_all_kinds_are_read() {
    let request = decoded(&json!({"model": "m", "input": "hi", "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": null},
        {"type": "function", "name": "g"},
        {"type": "custom", "name": "c", "format": {"type": "grammar"}},
        {"type": "web_search", "filters": {}},
        {"type": "function", "function": {"name": "nested", "parameters": {"type": "object"}}},
    ]}));
    let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["f", "g", "c", "web_search", "nested"]);
    assert!(matches!(&request.tools[1].kind, ToolKind::Function { parameters: None, strict: None }));
    assert!(matches!(&request.tools[2].kind, ToolKind::Custom { format: Some(_) }));
    assert!(matches!(&request.tools[3].kind, ToolKind::Builtin(whole) if whole.get().contains("filters")));
    let choice =
        |choice: Value| decoded(&json!({"model": "m", "input": "hi", "tool_choice": choice})).tool_choice.unwrap();
    assert_eq!(choice(json!("auto")), ToolChoice::Auto);
    assert_eq!(choice(json!("none")), ToolChoice::None);
    assert_eq!(choice(json!("required")), ToolChoice::Required);
    assert_eq!(choice(json!({"type": "function", "name": "f"})), ToolChoice::Named("f".to_owned()));
    assert_eq!(choice(json!({"type": "custom", "name": "c"})), ToolChoice::Named("c".to_owned()));
    assert_eq!(choice(json!({"type": "web_search"})), ToolChoice::Named("web_search".to_owned()));
    let allowed = json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]});
    let names = vec!["f".to_owned(), "web_search".to_owned()];
    assert_eq!(choice(allowed), ToolChoice::Allowed { required: true, names });
}

#[test]
fn what_the_provider_would_have_to_remember_is_named() {
    let named = |more: Value| {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stateful_field(&decoded(&body))
    };
    assert_eq!(named(json!({"previous_response_id": "resp_1"})), Some("previous_response_id"));
    assert_eq!(named(json!({"conversation": {"id": "conv_1"}})), Some("conversation"));
    assert_eq!(named(json!({"prompt": {"id": "pmpt_1"}})), Some("prompt"));
    assert_eq!(named(json!({"background": true})), Some("background"));
    assert_eq!(named(json!({"input": [{"type": "item_reference", "id": "msg_1"}]})), Some("input"));
    assert_eq!(named(json!({"input": [{"role": "user", "content": "item_reference"}]})), None);
    assert_eq!(named(json!({"background": false, "previous_response_id": null, "store": true})), None);
    // Its input may stand at the provider.
    decoded(&json!({"model": "m", "prompt": {"id": "pmpt_1"}}));
}

#[test]
fn a_malformed_request_is_refused_by_the_name_of_the_field() {
    let base = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "input": "hi"});
        body[name] = value;
        refused(&body).0
    };
    assert_eq!(refused(&json!({"input": "hi"})).0, "model");
    assert_eq!(refused(&json!({"model": "m"})).0, "input");
    assert_eq!(refused(&json!([])).0, "");
    for (name, value) in [
        ("temperature", json!("hot")),
        ("max_output_tokens", json!(0)),
        ("max_output_tokens", json!(-1)),
        ("stream", json!("yes")),
        ("tools", json!({})),
        ("tool_choice", json!("some")),
        ("input", json!(1)),
    ] {
        assert_eq!(base(name, value), name);
    }
    assert_eq!(base("reasoning", json!({"effort": "huge"})), "reasoning.effort");
    assert_eq!(base("text", json!({"format": {"type": "xml"}})), "text.format.type");
    assert_eq!(base("text", json!({"format": {"type": "json_schema"}})), "text.format.schema");
    assert_eq!(base("tools", json!([{"type": "function"}])), "tools[0].name");
    assert_eq!(base("input", json!(["x"])), "input[0]");
    assert_eq!(base("input", json!([{"role": "model", "content": "x"}])), "input[0].role");
    assert_eq!(base("input", json!([{"role": "user"}])), "input[0].content");
    let content = |piece: Value| base("input", json!([{"role": "user", "content": [piece]}]));
    assert_eq!(content(json!({"type": "input_video"})), "input[0].content[0].type");
    assert_eq!(content(json!({"type": "input_image"})), "input[0].content[0].image_url");
    assert_eq!(content(json!({"type": "input_text", "text": 5})), "input[0].content[0].text");
    assert_eq!(base("input", json!([{"type": "function_call", "call_id": "c"}])), "input[0].name");
    assert_eq!(base("input", json!([{"type": "function_call_output", "output": ""}])), "input[0].call_id");
}

#[test]
fn items_of_built_in_tools_are_kept_as_they_are() {
    let request = decoded(&json!({"model": "m", "input": [
        {"role": "user", "content": "hi"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
        {"role": "assistant", "content": "found"},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
    ]}));
    let Part::Opaque { family: Family::OpenAi, block } = &request.messages[1].parts[0] else { panic!("{request:?}") };
    assert!(block.get().contains("ws_1"));
    assert_eq!(request.messages[1].parts.len(), 2);
    assert!(matches!(request.messages[2].parts[0], Part::Opaque { .. }));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in ".{0,200}") {
        let _ = OpenAiResponses.decode_request(&bytes);
        let _ = OpenAiResponses.decode_response(&bytes);
        let _ = OpenAiResponses.decode_error(400, &bytes);
        let _ = OpenAiResponses.usage_in_tail(&bytes);
        let _ = OpenAiResponses.decode_request(format!("{{\"model\":\"m\",\"input\":{json}}}").as_bytes());
    }
}
