//! Reading a client's request.

use serde_json::{Value, json};

use super::{AnthropicMessages, decoded};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, Effort, MediaKind, MediaSource, Output, Part, Request, Role, ServiceTier, Summary, Thinking,
    ToolChoice, ToolKind,
};
use crate::protocol::contract::Protocol;

/// A request with these fields besides what it has to have.
fn with(fields: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn of(fields: Value) -> Request {
    decoded(&with(fields))
}

fn saying(content: Value) -> Request {
    of(json!({"messages": [{"role": "user", "content": content}]}))
}

fn only_part(block: Value) -> Part {
    saying(json!([block])).messages.remove(0).parts.remove(0)
}

fn error(body: &Value) -> (String, String) {
    let error = AnthropicMessages.decode_request(body.to_string().as_bytes()).unwrap_err();
    (error.param.unwrap(), error.message)
}

#[test]
fn a_plain_request_is_read() {
    let request = of(json!({"stream": true, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["END"]}));
    assert_eq!((request.origin, &*request.model, request.stream), (Format::AnthropicMessages, "m", true));
    assert_eq!(request.max_output_tokens, Some(100));
    assert_eq!((request.temperature, request.top_p, request.top_k), (Some(0.5), Some(0.9), Some(5)));
    assert_eq!(request.stop, ["END"]);
    assert_eq!(request.messages[0].parts, [Part::text("Hi")]);
}

#[test]
fn what_is_missing_is_named_as_anthropic_does() {
    let mut body = with(json!({}));
    body.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(error(&body), ("max_tokens".to_owned(), "max_tokens: Field required".to_owned()));
    assert_eq!(error(&json!({"max_tokens": 1})).1, "model: Field required");
    assert_eq!(error(&json!({"max_tokens": 1, "model": "m"})).1, "messages: Field required");
    assert_eq!(error(&with(json!({"messages": []}))).0, "messages");
    assert_eq!(error(&with(json!({"max_tokens": 0}))).0, "max_tokens");
    let no_text = with(json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}));
    assert_eq!(error(&no_text).1, "messages.0.content.0.text: Field required");
    assert_eq!(error(&with(json!({"messages": [{"role": "user"}]}))).1, "messages.0.content: Field required");
}

#[test]
fn a_value_of_another_type_is_named() {
    assert_eq!(error(&with(json!({"temperature": "hot"}))).0, "temperature");
    assert_eq!(error(&with(json!({"messages": "Hi"}))).0, "messages");
    let wrong = |message: Value| error(&with(json!({"messages": [{"role": "user", "content": "Hi"}, message]}))).0;
    assert_eq!(wrong(json!({"role": "user", "content": 5})), "messages.1.content");
    assert_eq!(wrong(json!({"role": 5, "content": "Hi"})), "messages.1.role");
    assert_eq!(wrong(json!({"role": "tool", "content": "Hi"})), "messages.1.role");
    assert_eq!(wrong(json!("Hi")), "messages.1");
    assert_eq!(wrong(json!({"role": "user", "content": [{"type": "text", "text": 5}]})), "messages.1.content.0");
    assert_eq!(error(&with(json!({"tools": [{"name": "f"}]}))).0, "tools.0.input_schema");
    assert_eq!(error(&json!("no object")).0, "body");
}

#[test]
fn null_is_absent() {
    let request = of(json!({"system": null, "tools": null, "thinking": null, "temperature": null, "metadata": null}));
    assert_eq!(request, decoded(&with(json!({}))));
}

#[test]
fn system_is_text_or_blocks_and_may_come_again() {
    assert_eq!(of(json!({"system": "Rules"})).messages[0].parts, [Part::text("Rules")]);
    let request = of(json!({
        "system": [{"type": "text", "text": "Rules", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": "Hi"}, {"role": "system", "content": "Be brief"}],
    }));
    let Part::Text { cache, .. } = &request.messages[0].parts[0] else { panic!() };
    assert_eq!(cache, &Some(CacheControl { ttl: Some("1h".to_owned()) }));
    let roles: Vec<Role> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::System]);
}

#[test]
fn results_are_a_message_of_their_own_before_the_users_words() {
    let request = saying(json!([
        {"type": "text", "text": "And?"},
        {"type": "tool_result", "tool_use_id": "a", "content": "18", "is_error": true},
        {"type": "tool_result", "tool_use_id": "b", "content": [
            {"type": "text", "text": "see"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
            {"type": "search_result", "source": "https://example.org", "title": "Facts", "content": [{"type": "text", "text": "Water is wet."}]},
        ]},
        {"type": "tool_result", "tool_use_id": "c"},
    ]));
    assert_eq!(request.messages.iter().map(|message| message.role).collect::<Vec<_>>(), [Role::Tool, Role::User]);
    let results: Vec<_> = request.messages[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => result,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((&*results[0].call_id, results[0].is_error), ("a", Some(true)));
    assert_eq!(results[0].content, [Part::text("18")]);
    assert_eq!(results[1].content.len(), 3);
    assert_eq!(results[1].content[2].as_text(), Some("Facts\nhttps://example.org\nWater is wet."));
    assert!(results[2].content.is_empty());
}

#[test]
fn media_of_all_sources_are_read() {
    let media = |kind: &str, source: Value| match only_part(json!({"type": kind, "source": source, "title": "T"})) {
        Part::Media(media) => (media.kind, media.source, media.mime),
        other => panic!("{other:?}"),
    };
    let text = |text: &str| MediaSource::Text(text.to_owned());
    let plain = Some("text/plain".to_owned());
    assert_eq!(
        media("image", json!({"type": "base64", "media_type": "image/JPG", "data": "aGk\n="})),
        (MediaKind::Image, MediaSource::Base64("aGk=".to_owned()), Some("image/jpeg".to_owned()))
    );
    assert_eq!(
        media("image", json!({"type": "url", "url": "https://example.org/a.png"})).1,
        MediaSource::Url("https://example.org/a.png".to_owned())
    );
    assert_eq!(media("document", json!({"type": "file", "file_id": "f"})).1, MediaSource::FileId("f".to_owned()));
    assert_eq!(
        media("document", json!({"type": "base64", "media_type": "application/pdf", "data": "aGk="})).0,
        MediaKind::Document
    );
    assert_eq!(
        media("document", json!({"type": "text", "media_type": "text/plain", "data": "hi"})),
        (MediaKind::Document, text("hi"), plain.clone())
    );
    let content = json!({"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]});
    assert_eq!(media("document", content).1, text("a\nb"));
    assert_eq!(media("document", json!({"type": "content", "content": "a"})).1, text("a"));
    let bad = with(json!({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "moon"}}]}]}));
    assert_eq!(error(&bad).0, "messages.0.content.0.source.type");
}

#[test]
fn point_24_blocks_of_the_providers_own_tools_stay_as_they_are() {
    let block = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
    let request = of(json!({"messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [block.clone(), {"type": "from_the_future"}]},
    ]}));
    let Part::Opaque { family, block: kept } = &request.messages[1].parts[0] else { panic!() };
    assert_eq!((*family, kept.get()), (Family::Anthropic, &*block.to_string()));
    assert!(matches!(request.messages[1].parts[1], Part::Opaque { .. }));
}

#[test]
fn arguments_are_the_clients_text() {
    let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{"n": 12345678901234567890}}]}]}"#;
    let request = AnthropicMessages.decode_request(body.as_bytes()).unwrap();
    let Part::ToolCall(call) = &request.messages[0].parts[0] else { panic!() };
    assert_eq!(call.arguments, r#"{"n": 12345678901234567890}"#);
}

#[test]
fn tools_are_functions_or_the_providers_own() {
    let request = of(json!({"tools": [
        {"name": "f", "description": "d", "input_schema": {"type": "object"}, "strict": true, "defer_loading": true},
        {"type": "custom", "name": "g", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
    ]}));
    assert!(matches!(&request.tools[0].kind, ToolKind::Function { parameters: Some(_), strict: Some(true) }));
    assert_eq!(request.tools[1].cache, Some(CacheControl::default()));
    assert!(matches!(&request.tools[2].kind, ToolKind::Builtin(declaration) if declaration.get().contains("max_uses")));
    assert_eq!(request.extensions[0].0, "tools.defer_loading");
}

#[test]
fn choices_are_read() {
    let choice = |choice: Value| {
        let request = of(json!({"tool_choice": choice}));
        (request.tool_choice.unwrap(), request.parallel_tool_calls)
    };
    assert_eq!(choice(json!({"type": "auto", "disable_parallel_tool_use": true})), (ToolChoice::Auto, Some(false)));
    assert_eq!(choice(json!({"type": "any"})), (ToolChoice::Required, None));
    assert_eq!(choice(json!({"type": "none"})), (ToolChoice::None, None));
    assert_eq!(choice(json!({"type": "tool", "name": "f"})), (ToolChoice::Named("f".to_owned()), None));
    assert_eq!(error(&with(json!({"tool_choice": {"type": "some"}}))).0, "tool_choice.type");
}

#[test]
fn thinking_and_effort_are_read() {
    let reasoning = |fields: Value| of(fields).reasoning.unwrap();
    let enabled = reasoning(json!({"thinking": {"type": "enabled", "budget_tokens": 5000, "display": "omitted"}}));
    assert_eq!((enabled.thinking, enabled.summary), (Some(Thinking::Budget(5000)), Some(Summary::Omitted)));
    let adaptive = reasoning(json!({
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "max", "task_budget": {"tokens": 1}},
    }));
    assert_eq!((adaptive.thinking, adaptive.effort), (Some(Thinking::Adaptive), Some(Effort::Max)));
    assert_eq!(adaptive.summary, Some(Summary::Auto));
    for off in ["disabled", "between_tools"] {
        assert_eq!(reasoning(json!({"thinking": {"type": off}})).thinking, Some(Thinking::Off));
    }
    assert_eq!(error(&with(json!({"thinking": {"type": "enabled"}}))).0, "thinking.enabled.budget_tokens");
    assert_eq!(error(&with(json!({"output_config": {"effort": "huge"}}))).0, "output_config.effort");
}

#[test]
fn the_shape_of_the_answer_is_read_in_both_its_places() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    for fields in [json!({"output_config": {"format": format}}), json!({"output_format": format})] {
        let Output::JsonSchema(schema) = of(fields).output else { panic!() };
        assert_eq!(schema.schema.get(), r#"{"type":"object"}"#);
    }
}

#[test]
fn the_rest_is_read_or_kept() {
    let request = of(json!({
        "metadata": {"user_id": "u", "other": 1},
        "service_tier": "standard_only",
        "cache_control": {"type": "ephemeral"},
        "context_management": {"edits": []},
        "container": "c",
    }));
    assert_eq!((request.user.as_deref(), request.service_tier), (Some("u"), Some(ServiceTier::Standard)));
    assert_eq!(request.cache, Some(CacheControl::default()));
    let names: Vec<&str> = request.extensions.iter().map(|(name, _)| &**name).collect();
    assert!(["metadata.other", "context_management", "container"].iter().all(|name| names.contains(name)));
}

#[test]
fn documents_that_are_to_be_cited_still_are_at_anthropic() {
    let request = saying(json!([
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "citations": {"enabled": true}},
    ]));
    let body = super::body(&request, super::SONNET_4);
    assert_eq!(body["messages"][0]["content"][0]["citations"], json!({"enabled": true}));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = AnthropicMessages.decode_request(&bytes);
        let _ = AnthropicMessages.decode_response(&bytes);
        let _ = AnthropicMessages.decode_error(500, &bytes);
        let _ = AnthropicMessages.usage(&bytes);
        let _ = AnthropicMessages.usage_in_tail(&bytes);
    }
}
