//! The conversation that a request of another format comes to.

use serde_json::{Value, json};

use super::{OPUS_55, SONNET_4, SONNET_46, body, chat, encode_for, refused, written};
use crate::facts::Facts;
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, CallKind, ErrorCode, Media, MediaKind, MediaSource, Part, Request, Role, Signature, ToolCall,
    ToolResult,
};
use crate::json::Json;
use crate::protocol::contract::{Protocol, Quirks, Target};

pub(super) fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    })
}

pub(super) fn result(id: &str, text: &str) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        content: vec![Part::text(text)],
        is_error: None,
        cache: None,
    })
}

fn user(text: &str) -> (Role, Vec<Part>) {
    (Role::User, vec![Part::text(text)])
}

fn messages(request: &Request, model: &str) -> Value {
    body(request, model)["messages"].clone()
}

fn media(part: Media) -> Result<Value, crate::ir::TranslateError> {
    let request = chat([(Role::User, vec![Part::text("Look"), Part::Media(part)])]);
    let encoded = encode_for(&request, SONNET_4, true)?;
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    Ok(body["messages"][0]["content"][1].clone())
}

#[test]
fn point_15_all_system_and_developer_messages_are_hoisted_in_order() {
    let request = chat([
        (Role::System, vec![Part::text("One")]),
        user("Hello"),
        (Role::Developer, vec![Part::text("Two"), Part::text(" ")]),
    ]);
    let body = body(&request, SONNET_4);
    assert_eq!(body["system"], "One\n\nTwo");
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    let empty = chat([(Role::System, vec![Part::text("")]), user("Hello")]);
    assert!(super::body(&empty, SONNET_4).get("system").is_none());
}

#[test]
fn system_texts_stay_apart_where_one_has_a_breakpoint() {
    let marked =
        Part::Text { text: "One".into(), cache: Some(CacheControl::default()), citations: vec![], signature: None };
    let request = chat([(Role::System, vec![marked]), (Role::System, vec![Part::text("Two")]), user("Hello")]);
    let system = json!([
        {"type": "text", "text": "One", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Two"},
    ]);
    assert_eq!(body(&request, SONNET_4)["system"], system);
}

#[test]
fn a_system_message_is_text() {
    let image = Part::Media(Media::at(MediaKind::Image, "https://example.org/a.png"));
    let request = chat([(Role::System, vec![image]), user("Hello")]);
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("messages[0].content[0]"));
}

#[test]
fn point_01_results_of_one_turn_are_one_user_message_in_the_order_of_the_calls() {
    let request = chat([
        user("Weather?"),
        (
            Role::Assistant,
            vec![call("a", "weather", r#"{"city":"Paris"}"#), call("b", "weather", r#"{"city":"Rome"}"#)],
        ),
        (Role::Tool, vec![result("b", "22")]),
        (Role::Tool, vec![result("a", "18")]),
        user("And?"),
    ]);
    let messages = messages(&request, SONNET_4);
    assert_eq!(messages.as_array().unwrap().len(), 3);
    assert_eq!(
        messages[2]["content"],
        json!([
            {"type": "tool_result", "tool_use_id": "a", "content": "18"},
            {"type": "tool_result", "tool_use_id": "b", "content": "22"},
            {"type": "text", "text": "And?"},
        ])
    );
}

#[test]
fn point_01_a_call_without_its_result_is_refused_here() {
    let calls = (Role::Assistant, vec![call("a", "weather", "{}"), call("b", "weather", "{}")]);
    let request = chat([user("Hi"), calls.clone(), (Role::Tool, vec![result("a", "18")]), user("And?")]);
    let error = refused(&request, SONNET_4);
    assert_eq!(error.param.as_deref(), Some("messages[1]"));
    assert!(error.message.contains("`b`"));
    assert!(encode_for(&chat([user("Hi"), calls]), SONNET_4, true).is_err());
}

#[test]
fn point_01_a_result_without_its_call_is_refused() {
    let request = chat([user("Hi"), (Role::Tool, vec![result("a", "18")])]);
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("messages[1].tool_call_id"));
    let twice = chat([
        user("Hi"),
        (Role::Assistant, vec![call("a", "weather", "{}")]),
        (Role::Tool, vec![result("a", "1"), result("a", "2")]),
    ]);
    assert!(refused(&twice, SONNET_4).message.contains("already"));
}

#[test]
fn ids_that_anthropic_does_not_allow_are_mapped_one_to_one() {
    let request = chat([
        user("Hi"),
        (Role::Assistant, vec![call("a:1", "f", "{}"), call("a.1", "f", "{}"), call("a_1", "f", "{}")]),
        (Role::Tool, vec![result("a.1", "dot"), result("a:1", "colon"), result("a_1", "line")]),
    ]);
    let messages = messages(&request, SONNET_4);
    let ids: Vec<&str> = (0..3).map(|at| messages[1]["content"][at]["id"].as_str().unwrap()).collect();
    let results: Vec<&str> = (0..3).map(|at| messages[2]["content"][at]["tool_use_id"].as_str().unwrap()).collect();
    assert_eq!(ids, results);
    assert_eq!(ids[2], "a_1");
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    assert_eq!(messages[2]["content"][0]["content"], "colon");
}

#[test]
fn ids_that_come_again_in_a_later_turn_are_told_apart() {
    let turn = || [(Role::Assistant, vec![call("call_0", "f", "{}")]), (Role::Tool, vec![result("call_0", "ok")])];
    let request = chat([user("Hi")].into_iter().chain(turn()).chain(turn()));
    let messages = messages(&request, SONNET_4);
    let (first, second) = (&messages[1]["content"][0]["id"], &messages[3]["content"][0]["id"]);
    assert_ne!(first, second);
    assert_eq!(&messages[4]["content"][0]["tool_use_id"], second);
}

#[test]
fn arguments_pass_digit_by_digit_and_are_always_an_object() {
    let request = chat([
        user("Hi"),
        (
            Role::Assistant,
            vec![
                call("a", "f", r#"{"n":12345678901234567890,"x":1.0}"#),
                call("b", "f", ""),
                call("c", "f", "{\"n\":"),
            ],
        ),
        (Role::Tool, vec![result("a", ""), result("b", ""), result("c", "")]),
    ]);
    let encoded = encode_for(&request, SONNET_4, true).unwrap();
    let text = String::from_utf8(encoded.body.to_vec()).unwrap();
    assert!(text.contains(r#""input":{"n":12345678901234567890,"x":1.0}"#));
    let messages = messages(&request, SONNET_4);
    assert_eq!(messages[1]["content"][1]["input"], json!({}));
    assert_eq!(messages[1]["content"][2]["input"], json!({"INVALID_JSON": "{\"n\":"}));
    assert!(messages[2]["content"][0].get("content").is_none(), "an empty result has no content");
}

#[test]
fn neighbours_of_one_role_are_joined_and_empty_messages_skipped() {
    let request = chat([
        user("One"),
        user("Two"),
        (Role::Assistant, vec![]),
        (Role::Assistant, vec![Part::text("  ")]),
        user("Three"),
    ]);
    let messages = messages(&request, SONNET_4);
    assert_eq!(messages.as_array().unwrap().len(), 1);
    assert_eq!(messages[0]["content"].as_array().unwrap().len(), 3);
}

#[test]
fn a_conversation_of_nothing_but_system_messages_is_refused() {
    let request = chat([(Role::System, vec![Part::text("Rules")])]);
    assert_eq!(refused(&request, SONNET_4).param.as_deref(), Some("messages"));
}

#[test]
fn a_prefill_loses_its_trailing_space_or_is_refused() {
    let request = chat([user("Say A"), (Role::Assistant, vec![Part::text("The letter \n")])]);
    assert_eq!(messages(&request, SONNET_4)[1]["content"][0]["text"], "The letter");
    for model in [SONNET_46, OPUS_55] {
        let error = refused(&request, model);
        assert_eq!((error.param.as_deref(), error.code), (Some("messages"), ErrorCode::UnsupportedValue));
    }
}

#[test]
fn refusals_are_texts_and_a_name_is_left_out() {
    let mut request = chat([user("Hi"), (Role::Assistant, vec![Part::Refusal("No.".to_owned())]), user("Why?")]);
    request.messages[0].name = Some("ann".to_owned());
    let (body, dropped) = written(&request, SONNET_4);
    assert_eq!(body["messages"][1]["content"], json!([{"type": "text", "text": "No."}]));
    assert_eq!(dropped, ["name"]);
}

#[test]
fn point_21_signed_thoughts_come_first_and_foreign_ones_are_stripped() {
    let signed = |family| Part::Thinking {
        text: "Hm".to_owned(),
        signature: Some(Signature { family, data: "c2ln".to_owned() }),
    };
    let request = chat([
        user("Hi"),
        (
            Role::Assistant,
            vec![
                Part::text("Let me look."),
                signed(Family::Gemini),
                Part::Thinking { text: "unsigned".to_owned(), signature: None },
                signed(Family::Anthropic),
                Part::RedactedThinking(Signature { family: Family::Anthropic, data: "cmVk".to_owned() }),
                call("a", "f", "{}"),
            ],
        ),
        (Role::Tool, vec![result("a", "ok")]),
    ]);
    let content = messages(&request, SONNET_4)[1]["content"].clone();
    assert_eq!(content[0], json!({"type": "thinking", "thinking": "Hm", "signature": "c2ln"}));
    assert_eq!(content[1], json!({"type": "redacted_thinking", "data": "cmVk"}));
    assert_eq!((&content[2]["type"], &content[3]["type"]), (&json!("text"), &json!("tool_use")));
    assert_eq!(content.as_array().unwrap().len(), 4);
}

/// "The final block in an assistant message cannot be `thinking`."
#[test]
fn point_21_thoughts_that_nothing_came_of_are_no_turn() {
    let thought = || Part::Thinking {
        text: "Hm".to_owned(),
        signature: Some(Signature { family: Family::Anthropic, data: "c2ln".to_owned() }),
    };
    let hidden = || Part::RedactedThinking(Signature { family: Family::Anthropic, data: "cmVk".to_owned() });
    for model in [SONNET_4, OPUS_55] {
        let cut = chat([user("One"), (Role::Assistant, vec![thought(), hidden()]), user("Two")]);
        let joined =
            json!([{"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]}]);
        assert_eq!(messages(&cut, model), joined, "{model}");
        let last = chat([user("One"), (Role::Assistant, vec![thought()])]);
        assert_eq!(messages(&last, model).as_array().unwrap().len(), 1, "{model}");
        // Where the turn goes on in the next message, they belong to what comes of them.
        let turns =
            [user("One"), (Role::Assistant, vec![thought()]), (Role::Assistant, vec![Part::text("Yes")]), user("Two")];
        assert_eq!(messages(&chat(turns), model)[1]["content"].as_array().unwrap().len(), 2, "{model}");
    }
}

#[test]
fn point_22_images_are_data_or_https() {
    let image = |url: &str| media(Media::at(MediaKind::Image, url));
    let png = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    assert_eq!(image("data:image/png;charset=utf-8;base64,aG\nk=").unwrap(), png);
    assert_eq!(image("data:image/jpg;base64,aGk=").unwrap()["source"]["media_type"], "image/jpeg");
    let url = json!({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}});
    assert_eq!(image("https://example.org/a.png").unwrap(), url);
    assert_eq!(image("data:application/pdf;base64,aGk=").unwrap()["type"], "document");
    let bmp = image("data:image/bmp;base64,aGk=").unwrap_err();
    assert_eq!((bmp.code, bmp.param.as_deref()), (ErrorCode::InvalidImageFormat, Some("messages[0].content[1]")));
    assert!(image("http://example.org/a.png").is_err());
}

#[test]
fn point_22_places_that_fetch_nothing_get_no_url() {
    let image = Part::Media(Media::at(MediaKind::Image, "https://example.org/a.png"));
    let request = chat([(Role::User, vec![image])]);
    let quirks = Quirks { media_urls: false, ..Quirks::NONE };
    let facts = Facts::built_in().of(SONNET_4);
    let target = Target { model: SONNET_4, facts, quirks: &quirks, stream: true };
    let error = super::AnthropicMessages.encode_request(&request, &target).unwrap_err();
    assert!(error.message.contains("the gateway could not fetch it"));
}

#[test]
fn point_22_files_are_pdf_or_text() {
    let file = |mime: Option<&str>, name: Option<&str>, data: &str| {
        let source = MediaSource::Base64(data.to_owned());
        media(Media {
            name: name.map(str::to_owned),
            ..Media::new(MediaKind::Document, source, mime.map(str::to_owned))
        })
    };
    assert_eq!(
        file(Some("application/pdf"), Some("a.pdf"), "JVBERi0=").unwrap(),
        json!({"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}})
    );
    assert_eq!(file(None, None, "JVBERi0xLjQ=").unwrap()["source"]["media_type"], "application/pdf");
    let text = json!({"type": "text", "media_type": "text/plain", "data": "hi"});
    assert_eq!(file(Some("text/plain"), None, "aGk=").unwrap()["source"], text);
    assert_eq!(file(None, Some("notes.md"), "aGk=").unwrap()["source"], text);
    assert!(file(Some("application/zip"), None, "aGk=").is_err());
    assert!(file(Some("text/plain"), None, "//8=").is_err(), "it is not UTF-8");
    assert!(media(Media::new(MediaKind::Audio, MediaSource::Base64("aGk=".to_owned()), None)).is_err());
    let id = Media::new(MediaKind::Document, MediaSource::FileId("file-1".to_owned()), None);
    assert!(media(id.clone()).is_err());
    let mut request = chat([(Role::User, vec![Part::Media(id)])]);
    request.origin = Format::AnthropicMessages;
    assert_eq!(messages(&request, SONNET_4)[0]["content"][0]["source"], json!({"type": "file", "file_id": "file-1"}));
}

#[test]
fn results_hold_pictures_and_flags() {
    let mut request = chat([
        user("Hi"),
        (Role::Assistant, vec![call("a", "f", "{}")]),
        (
            Role::Tool,
            vec![Part::ToolResult(ToolResult {
                call_id: "a".to_owned(),
                name: None,
                content: vec![
                    Part::text("seen"),
                    Part::Media(Media::at(MediaKind::Image, "data:image/png;base64,aGk=")),
                ],
                is_error: Some(true),
                cache: Some(CacheControl { ttl: Some("1h".to_owned()) }),
            })],
        ),
    ]);
    let result = messages(&request, SONNET_4)[2]["content"][0].clone();
    assert_eq!(result["content"][1]["type"], "image");
    assert_eq!((&result["is_error"], &result["cache_control"]["ttl"]), (&json!(true), &json!("1h")));
    request.messages[2].parts[0] = super::history::result("a", "plain");
    assert_eq!(messages(&request, SONNET_4)[2]["content"][0]["content"], "plain");
}

#[test]
fn detail_of_an_image_is_left_out() {
    for (detail, named) in [("high", vec!["detail"]), ("auto", vec![])] {
        let image =
            Media { detail: Some(detail.to_owned()), ..Media::at(MediaKind::Image, "https://example.org/a.png") };
        let (_, dropped) = written(&chat([(Role::User, vec![Part::Media(image)])]), SONNET_4);
        assert_eq!(dropped, named, "what the model decides anyway is not left out");
    }
}

#[test]
fn blocks_of_other_families_are_named() {
    let block = |family| Part::Opaque { family, block: Json::parse(r#"{"type":"x"}"#).unwrap() };
    let request = chat([
        (Role::User, vec![Part::text("hi"), block(Family::Gemini)]),
        (Role::Assistant, vec![block(Family::OpenAi), Part::text("yes")]),
        (Role::User, vec![Part::text("so")]),
    ]);
    let (_, dropped) = written(&request, SONNET_4);
    assert_eq!(dropped, ["messages[0].content[1]", "messages[1].content[0]"]);
}
