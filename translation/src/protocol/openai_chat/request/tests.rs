use serde_json::{Value, json};

use super::decode;
use crate::format::Family;
use crate::ir::{
    CacheControl, CallKind, Effort, MediaKind, MediaSource, Output, Part, Request, Role, ServiceTier, Signature,
    Summary, Thinking, ToolCall, ToolChoice, ToolKind, TranslateError,
};

fn read(body: &Value) -> Result<Request, TranslateError> {
    decode(body.to_string().as_bytes())
}

/// A request with `fields`, which may replace those that all need.
fn request(fields: Value) -> Result<Request, TranslateError> {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    read(&body)
}

fn messages(messages: Value) -> Vec<crate::ir::Message> {
    request(json!({"messages": messages})).unwrap().messages
}

fn parts(message: Value) -> Vec<Part> {
    messages(json!([message])).remove(0).parts
}

fn fault(fields: Value) -> String {
    request(fields).unwrap_err().param.unwrap()
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    }
}

#[test]
fn messages_of_every_role() {
    let read = messages(json!([
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}], "name": "op"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"n\":12345678901234567890}"}},
            {"id": "2", "type": "custom", "custom": {"name": "g", "input": "free"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "r"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "s"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}], "is_error": true},
    ]));
    let roles: Vec<Role> = read.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::Developer, Role::User, Role::Assistant, Role::Tool, Role::Tool]);
    assert_eq!(read[1].name.as_deref(), Some("op"));
    assert_eq!(read[3].parts[0], Part::ToolCall(call("1", "f", "{\"n\":12345678901234567890}")));
    assert!(
        matches!(&read[3].parts[1], Part::ToolCall(call) if call.kind == CallKind::Custom && call.arguments == "free")
    );
    let Part::ToolResult(result) = &read[5].parts[0] else { panic!("{read:?}") };
    assert_eq!((result.call_id.as_str(), result.is_error, result.content.len()), ("2", Some(true), 2));
    assert_eq!(read[5].origin, 5);
}

#[test]
fn content_may_be_absent_beside_calls_null_or_empty() {
    for content in [json!({}), json!({"content": null}), json!({"content": ""}), json!({"content": []})] {
        let mut message = json!({"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]});
        message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
        assert_eq!(parts(message), [Part::ToolCall(call("1", "f", "{}"))]);
    }
    assert_eq!(fault(json!({"messages": [{"role": "user"}]})), "messages[0].content");
}

#[test]
fn echoes_of_sdks_do_no_harm() {
    let message = json!({
        "role": "assistant", "content": "x", "refusal": null, "audio": null, "function_call": null, "annotations": null, "parsed": {"a": 1},
        "reasoning_details": "odd", "reasoning_content": {"odd": 1}, "thinking_blocks": [null, 5], "provider_specific_fields": {}, "extra_content": [],
        "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}}}],
    });
    assert_eq!(parts(message), [Part::text("x"), Part::ToolCall(call("1", "f", "{}"))]);
    assert_eq!(parts(json!({"role": "assistant", "content": "x", "tool_calls": null})), [Part::text("x")]);
}

#[test]
fn null_equals_absent() {
    let names = "stream stream_options tools functions tool_choice function_call parallel_tool_calls max_tokens max_completion_tokens temperature \
        top_p top_k seed presence_penalty frequency_penalty stop n logprobs top_logprobs response_format reasoning_effort reasoning thinking \
        output_config verbosity modalities user safety_identifier metadata service_tier cache_control extra_body store prediction audio";
    let fields: serde_json::Map<String, Value> =
        names.split_whitespace().map(|name| (name.to_owned(), Value::Null)).collect();
    assert_eq!(request(Value::Object(fields)).unwrap(), request(json!({})).unwrap());
}

#[test]
fn a_wrong_type_is_named_by_its_path() {
    assert_eq!(fault(json!({"temperature": "hot"})), "temperature");
    assert_eq!(fault(json!({"max_tokens": -1})), "max_tokens");
    assert_eq!(fault(json!({"stop": 5})), "stop");
    assert_eq!(fault(json!({"stop": ["a", null]})), "stop[1]");
    assert_eq!(fault(json!({"stream_options": {"include_usage": "yes"}})), "stream_options.include_usage");
    assert_eq!(fault(json!({"messages": {}})), "messages");
    assert_eq!(fault(json!({"messages": [{"role": 5, "content": "x"}]})), "messages[0].role");
    assert_eq!(
        fault(json!({"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": 5}]})),
        "messages[1].content"
    );
    assert_eq!(
        fault(
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": {}}]}]})
        ),
        "messages[0].content[1].text"
    );
    assert_eq!(
        fault(json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}]})),
        "messages[0].content[0].image_url"
    );
    assert_eq!(
        fault(json!({"tools": [{"type": "function", "function": {"name": "f", "strict": 1}}]})),
        "tools[0].function.strict"
    );
    assert_eq!(
        fault(json!({"response_format": {"type": "json_schema", "json_schema": {"name": 5}}})),
        "response_format.json_schema.name"
    );
    assert_eq!(fault(json!({"messages": [{"role": "martian", "content": "x"}]})), "messages[0].role");
    assert_eq!(
        fault(json!({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]})),
        "messages[0].content[0].type"
    );
    assert_eq!(decode(b"[]").unwrap_err().param.as_deref(), Some("body"));
    assert_eq!(decode(br#"{"messages":[]}"#).unwrap_err().param.as_deref(), Some("model"));
    assert_eq!(decode(br#"{"model":"m","messages":[]}"#).unwrap_err().param.as_deref(), Some("messages"));
    assert_eq!(decode(b"{\"model\":").unwrap_err().param, None);
    assert_eq!(decode(b"").unwrap_err().param, None);
}

#[test]
fn the_newer_limit_wins_and_zero_is_none() {
    let limit = |fields| request(fields).unwrap().max_output_tokens;
    assert_eq!(limit(json!({"max_tokens": 5, "max_completion_tokens": 7})), Some(7));
    assert_eq!(limit(json!({"max_tokens": 5, "max_completion_tokens": null})), Some(5));
    assert_eq!(fault(json!({"max_tokens": 0})), "max_tokens");
    assert_eq!(fault(json!({"max_completion_tokens": 0})), "max_completion_tokens");
    assert_eq!(fault(json!({"n": 0})), "n");
}

#[test]
fn point_16_stop_is_one_text_or_several() {
    assert_eq!(request(json!({"stop": "END"})).unwrap().stop, ["END"]);
    assert_eq!(request(json!({"stop": ["a", "b"]})).unwrap().stop, ["a", "b"]);
    assert!(request(json!({"stop": []})).unwrap().stop.is_empty());
}

#[test]
fn point_22_media_in_all_their_forms() {
    let media = |part: Value| match parts(json!({"role": "user", "content": [part]})).remove(0) {
        Part::Media(media) => media,
        other => panic!("{other:?}"),
    };
    let image = media(
        json!({"type": "image_url", "image_url": {"url": "data:image/jpg;charset=utf-8;base64,QU JD", "detail": "low"}}),
    );
    assert_eq!(
        (image.source, image.mime.as_deref(), image.detail.as_deref()),
        (MediaSource::Base64("QUJD".into()), Some("image/jpeg"), Some("low"))
    );
    let bare = media(json!({"type": "image_url", "image_url": "https://x/y.png"}));
    assert_eq!((bare.kind, bare.source), (MediaKind::Image, MediaSource::Url("https://x/y.png".into())));
    let pdf = media(json!({"type": "image_url", "image_url": {"url": "data:application/pdf;base64,QQ=="}}));
    assert_eq!(pdf.kind, MediaKind::Document);
    let audio = media(json!({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}}));
    assert_eq!((audio.kind, audio.mime.as_deref()), (MediaKind::Audio, Some("audio/mpeg")));
    let file = media(json!({"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}}));
    assert_eq!(
        (file.source, file.mime.as_deref(), file.name.as_deref()),
        (MediaSource::Base64("JVBERi0=".into()), Some("application/pdf"), Some("a.pdf"))
    );
    let file = media(json!({"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}}));
    assert_eq!((file.kind, file.mime.as_deref()), (MediaKind::Document, Some("text/plain")));
    let file = media(json!({"type": "file", "file": {"file_id": "file-1"}}));
    assert_eq!(file.source, MediaSource::FileId("file-1".into()));
    for part in [
        json!({"type": "image_url"}),
        json!({"type": "image_url", "image_url": {"url": ""}}),
        json!({"type": "file", "file": {}}),
    ] {
        let refused = request(json!({"messages": [{"role": "user", "content": [part]}]})).unwrap_err();
        assert!(refused.param.unwrap().starts_with("messages[0].content[0]."));
    }
}

#[test]
fn point_20_signatures_are_found_wherever_clients_keep_them() {
    let signed = |data: &str| Some(Signature { family: Family::Gemini, data: data.to_owned() });
    let signature = |call: Value| match parts(json!({"role": "assistant", "tool_calls": [call]})).remove(0) {
        Part::ToolCall(call) => (call.id, call.signature),
        other => panic!("{other:?}"),
    };
    let in_field = json!({"id": "c__thought__b", "function": {"name": "f"}, "extra_content": {"google": {"thought_signature": "a"}}});
    assert_eq!(signature(in_field), ("c".to_owned(), signed("a")));
    assert_eq!(
        signature(json!({"id": "c__thought__b+/=", "function": {"name": "f"}})),
        ("c".to_owned(), signed("b+/="))
    );
    assert_eq!(
        signature(json!({"id": "c", "function": {"name": "f", "thought_signature": "d"}})),
        ("c".to_owned(), signed("d"))
    );
    let result = parts(json!({"role": "tool", "tool_call_id": "c__thought__b", "content": ""}));
    assert!(matches!(&result[0], Part::ToolResult(result) if result.call_id == "c"));
    let text =
        parts(json!({"role": "assistant", "content": "x", "extra_content": {"google": {"thought_signature": "t"}}}));
    assert!(matches!(&text[0], Part::Text { signature, .. } if *signature == signed("t")));
}

#[test]
fn point_21_thoughts_come_before_what_follows_from_them() {
    let signed = |data: &str| Some(Signature { family: Family::Anthropic, data: data.to_owned() });
    let blocks = json!({"role": "assistant", "content": "x", "reasoning_content": "t", "thinking_blocks": [
        {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "redacted_thinking", "data": "r"}]});
    assert_eq!(
        parts(blocks),
        [
            Part::Thinking { text: "t".into(), signature: signed("s") },
            Part::RedactedThinking(signed("r").unwrap()),
            Part::text("x")
        ]
    );
    let in_content = json!({"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "t", "signature": "s"}]});
    assert_eq!(parts(in_content)[0], Part::Thinking { text: "t".into(), signature: signed("s") });
    let plain = json!({"role": "assistant", "content": "x", "reasoning_content": "t"});
    assert_eq!(parts(plain)[0], Part::Thinking { text: "t".into(), signature: None });
    let details = json!({"role": "assistant", "content": "x", "reasoning": "t", "reasoning_details": [
        {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"}]});
    assert_eq!(parts(details)[0], Part::Thinking { text: "t".into(), signature: signed("s") });
}

#[test]
fn calls_without_an_id_meet_their_results_in_order() {
    let read = messages(json!([
        {"role": "assistant", "tool_calls": [{"id": "", "function": {"name": "f"}}, {"function": {"name": "g"}}]},
        {"role": "tool", "tool_call_id": "", "content": "1"},
        {"role": "tool", "content": "2"},
    ]));
    let ids: Vec<&str> = read
        .iter()
        .flat_map(|message| &message.parts)
        .map(|part| match part {
            Part::ToolCall(call) => call.id.as_str(),
            Part::ToolResult(result) => result.call_id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_0_0", "call_0_1", "call_0_0", "call_0_1"]);
    assert_eq!(fault(json!({"messages": [{"role": "tool", "content": "x"}]})), "messages[0].tool_call_id");
}

#[test]
fn functions_of_before_are_tools() {
    let read = request(json!({
        "functions": [{"name": "f", "parameters": {"type": "object"}}], "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"}]
    }))
    .unwrap();
    assert!(read.legacy_functions);
    assert_eq!(read.tool_choice, Some(ToolChoice::Named("f".into())));
    let (Part::ToolCall(call), Part::ToolResult(result)) = (&read.messages[1].parts[0], &read.messages[2].parts[0])
    else {
        panic!("{read:?}")
    };
    assert_eq!(call.id, result.call_id);
    assert_eq!(fault(json!({"messages": [{"role": "function", "name": "f", "content": "r"}]})), "messages[0].role");
    assert_eq!(
        fault(json!({"functions": [{"name": "f"}], "tools": [{"type": "function", "function": {"name": "g"}}]})),
        "functions"
    );
}

#[test]
fn tools_of_every_type() {
    let read = request(json!({"tools": [
        {"type": "function", "function": {"name": "f", "description": "", "parameters": null, "strict": true, "cache_control": {"type": "ephemeral", "ttl": "1h"}}},
        {"type": "custom", "custom": {"name": "g", "format": {"type": "text"}}},
        {"type": "web_search", "max": 1},
        {"type": "function", "name": "h", "parameters": {"type": "object"}},
    ]})).unwrap();
    assert_eq!(read.tools[0].kind, ToolKind::Function { parameters: None, strict: Some(true) });
    assert_eq!(
        (read.tools[0].description.clone(), read.tools[0].cache.clone()),
        (None, Some(CacheControl { ttl: Some("1h".into()) }))
    );
    assert!(matches!(&read.tools[1].kind, ToolKind::Custom { format: Some(_) }));
    assert!(matches!(&read.tools[2].kind, ToolKind::Builtin(declared) if declared.get().contains("max")));
    assert_eq!(read.tools[3].name, "h");
    let twice =
        json!([{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "f"}}]);
    assert_eq!(fault(json!({"tools": twice})), "tools[1]");
    assert_eq!(fault(json!({"tools": [{"type": "function", "function": {}}]})), "tools[0].function.name");
    assert_eq!(fault(json!({"tools": [null]})), "tools[0]");
}

#[test]
fn choices_of_a_tool() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]);
    let choice = |choice: Value| request(json!({"tools": tools, "tool_choice": choice})).unwrap().tool_choice.unwrap();
    assert_eq!(choice(json!("auto")), ToolChoice::Auto);
    assert_eq!(choice(json!("none")), ToolChoice::None);
    assert_eq!(choice(json!("required")), ToolChoice::Required);
    assert_eq!(choice(json!("any")), ToolChoice::Required);
    assert_eq!(choice(json!({"type": "function", "function": {"name": "f"}})), ToolChoice::Named("f".into()));
    assert_eq!(choice(json!({"type": "custom", "custom": {"name": "g"}})), ToolChoice::Named("g".into()));
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}});
    assert_eq!(choice(allowed), ToolChoice::Allowed { required: true, names: vec!["f".into()] });
    let unknown = json!({"type": "function", "function": {"name": "x"}});
    assert_eq!(fault(json!({"tools": tools, "tool_choice": unknown})), "tool_choice");
    assert_eq!(fault(json!({"tools": tools, "tool_choice": "sometimes"})), "tool_choice");
    assert_eq!(fault(json!({"tool_choice": "auto"})), "tool_choice");
}

#[test]
fn settings_that_have_a_neutral_form() {
    let read = request(json!({
        "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": false}, "top_k": -1, "seed": 7, "n": 2, "logprobs": true,
        "service_tier": "flex", "modalities": ["TEXT"], "user": "u", "safety_identifier": "s", "metadata": {"k": "v"}, "store": false,
        "reasoning_effort": "xhigh", "extra_body": {"google": {"cached_content": "c"}}, "parallel_tool_calls": false, "verbosity": "low",
    })).unwrap();
    assert!(read.stream && read.include_usage);
    assert_eq!((read.top_k, read.seed, read.candidates, read.logprobs), (None, Some(7), Some(2), Some(true)));
    assert_eq!(
        (read.service_tier, read.modalities, read.user.as_deref()),
        (Some(ServiceTier::Flex), vec!["text".to_owned()], Some("u"))
    );
    assert_eq!(read.reasoning.unwrap().effort, Some(Effort::XHigh));
    let names: Vec<&str> = read.extensions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["stream_options.include_obfuscation", "extra_body.google", "metadata", "store", "safety_identifier"]
    );
    assert_eq!(request(json!({"metadata": {"user_id": "m"}, "user": "u"})).unwrap().user.as_deref(), Some("m"));
}

#[test]
fn reasoning_in_all_its_forms() {
    let said = |fields| request(fields).unwrap().reasoning;
    assert_eq!(said(json!({})), None);
    assert_eq!(said(json!({"reasoning": {"effort": "low", "exclude": true}})).unwrap().summary, Some(Summary::Omitted));
    assert_eq!(said(json!({"reasoning": {"max_tokens": 2000}})).unwrap().thinking, Some(Thinking::Budget(2000)));
    assert_eq!(
        said(json!({"thinking": {"type": "enabled", "budget_tokens": 3000}})).unwrap().thinking,
        Some(Thinking::Budget(3000))
    );
    assert_eq!(said(json!({"thinking": {"type": "disabled"}})).unwrap().thinking, Some(Thinking::Off));
    assert_eq!(
        said(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}})).unwrap().effort,
        Some(Effort::Max)
    );
    assert_eq!(fault(json!({"reasoning_effort": "much"})), "reasoning_effort");
}

#[test]
fn point_25_shapes_of_the_answer() {
    let output = |format| request(json!({"response_format": format})).unwrap().output;
    assert_eq!(output(json!({"type": "text"})), Output::Text);
    assert_eq!(output(json!({"type": "json_object"})), Output::JsonObject);
    assert_eq!(output(json!({"type": "json_schema", "json_schema": {"name": "x"}})), Output::JsonObject);
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": {"type": "object"}}});
    assert!(
        matches!(output(schema), Output::JsonSchema(schema) if schema.strict == Some(true) && schema.schema.is_object())
    );
    assert_eq!(fault(json!({"response_format": {"type": "grammar"}})), "response_format.type");
}

#[test]
fn cache_breakpoints_keep_their_ttl() {
    let read = parts(json!({"role": "user", "content": [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}}]}));
    let caches: Vec<_> = read
        .iter()
        .map(|part| match part {
            Part::Text { cache, .. } => cache.clone().unwrap().ttl,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(caches, [Some("1h".to_owned()), None]);
}
