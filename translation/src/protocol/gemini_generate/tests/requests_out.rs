//! A request for a provider: the conversation (`docs/TRANSLATION.md` sections 6.1 and 6.2).

use serde_json::{Value, json};

use super::scenes::{body, dropped, encoded, encoded_for};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, CallKind, ErrorCode, Media, MediaKind, MediaSource, Message, Part, Request, Role, Signature,
    ToolCall, ToolResult, TranslateError,
};
use crate::json::Json;
use crate::protocol::contract::{Protocol as _, Quirks};
use crate::protocol::gemini_generate::GeminiGenerate;

const OLD: &str = "gemini-2.5-flash";
const NEW: &str = "gemini-3-pro-preview";

fn chat(messages: Vec<(Role, Vec<Part>)>) -> Request {
    let mut request = Request::new(Format::OpenAiChat, "gemini");
    let numbered = messages.into_iter().enumerate();
    request.messages = numbered.map(|(at, (role, parts))| Message::new(role, parts, at)).collect();
    request
}

fn user(text: &str) -> (Role, Vec<Part>) {
    (Role::User, vec![Part::text(text)])
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    ToolCall { id, name, arguments, kind: CallKind::Function, signature: None, cache: None }
}

fn calls(calls: Vec<ToolCall>) -> (Role, Vec<Part>) {
    (Role::Assistant, calls.into_iter().map(Part::ToolCall).collect())
}

fn result(id: &str, content: Vec<Part>) -> (Role, Vec<Part>) {
    let result = ToolResult { call_id: id.to_owned(), name: None, content, is_error: None, cache: None };
    (Role::Tool, vec![Part::ToolResult(result)])
}

fn given(id: &str, text: &str) -> (Role, Vec<Part>) {
    result(id, vec![Part::text(text)])
}

fn contents(request: &Request, model: &str) -> Value {
    body(request, model)["contents"].clone()
}

fn refused(request: &Request, model: &str) -> TranslateError {
    encoded(request, model).unwrap_err()
}

#[test]
fn point_15_all_system_messages_are_the_instruction() {
    let system = |role, text: &str| (role, vec![Part::text(text), Part::text("")]);
    let request = chat(vec![system(Role::System, "One."), user("a"), system(Role::Developer, "Two."), user("b")]);
    let body = body(&request, OLD);
    assert_eq!(body["systemInstruction"], json!({"parts": [{"text": "One."}, {"text": "Two."}]}));
    assert_eq!(body["contents"], json!([{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]));
    assert!(body["model"].is_null());
    let picture = Part::Media(Media::new(MediaKind::Image, MediaSource::Base64(String::new()), None));
    let error = refused(&chat(vec![(Role::System, vec![picture]), user("a")]), OLD);
    assert_eq!(error.param.as_deref(), Some("messages[0].content[0]"));
}

#[test]
fn only_two_roles_and_neighbours_together() {
    let model = |text: &str| (Role::Assistant, vec![Part::text(text)]);
    let request = chat(vec![user("a"), user("b"), model("c"), model("d"), user("e")]);
    let wanted = json!([
        {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        {"role": "model", "parts": [{"text": "c"}, {"text": "d"}]},
        {"role": "user", "parts": [{"text": "e"}]},
    ]);
    assert_eq!(contents(&request, OLD), wanted);
}

#[test]
fn empty_texts_are_left_out_and_nothing_is_refused() {
    let request = chat(vec![user(""), (Role::Assistant, vec![]), (Role::User, vec![Part::text(""), Part::text("x")])]);
    assert_eq!(contents(&request, OLD), json!([{"role": "user", "parts": [{"text": "x"}]}]));
    for messages in [vec![], vec![user("")], vec![(Role::System, vec![Part::text("x")])]] {
        let error = refused(&chat(messages), OLD);
        assert_eq!((error.param.as_deref(), error.code), (Some("messages"), ErrorCode::InvalidValue));
    }
}

#[test]
fn text_stands_before_calls() {
    let mut turn = calls(vec![call("1", "f", "{\"a\":1.0}")]);
    turn.1.insert(0, Part::text("I look."));
    let request = chat(vec![user("?"), turn, given("1", "ok")]);
    let wanted = json!([{"text": "I look."}, {"functionCall": {"name": "f", "args": {"a": 1.0}}}]);
    assert_eq!(contents(&request, OLD)[1]["parts"], wanted);
}

#[test]
fn point_18_results_have_names_and_the_order_of_their_calls() {
    let turn = calls(vec![call("1", "f", "{}"), call("2", "g", ""), call("3", "f", "{}")]);
    let request =
        chat(vec![user("?"), turn, given("3", "three"), given("1", "{\"n\":1}"), given("2", "[2]"), user("and?")]);
    let wanted = json!([
        {"role": "user", "parts": [
            {"functionResponse": {"name": "f", "response": {"n": 1}}},
            {"functionResponse": {"name": "g", "response": {"result": [2]}}},
            {"functionResponse": {"name": "f", "response": {"result": "three"}}},
        ]},
        {"role": "user", "parts": [{"text": "and?"}]},
    ]);
    let contents = contents(&request, OLD);
    assert_eq!(contents[2], wanted[0]);
    // In a content of their own.
    assert_eq!(contents[3], wanted[1]);
    assert_eq!(contents[1]["parts"][1], json!({"functionCall": {"name": "g", "args": {}}}));
}

#[test]
fn point_18_ids_that_come_again_in_a_later_turn_keep_the_order() {
    let turn = || calls(vec![call("0", "f", "{}"), call("1", "g", "{}")]);
    let results = || [given("1", "one"), given("0", "zero")];
    let conversation = [user("?"), turn()].into_iter().chain(results()).chain([turn()]).chain(results());
    let contents = contents(&chat(conversation.collect()), OLD);
    let wanted = json!([
        {"functionResponse": {"name": "f", "response": {"result": "zero"}}},
        {"functionResponse": {"name": "g", "response": {"result": "one"}}},
    ]);
    assert_eq!((&contents[2]["parts"], &contents[4]["parts"]), (&wanted, &wanted));
}

#[test]
fn point_18_a_result_of_no_call_is_refused() {
    let request = chat(vec![user("?"), calls(vec![call("1", "f", "{}")]), given("2", "x")]);
    let error = refused(&request, OLD);
    assert_eq!(error.param.as_deref(), Some("messages[2].tool_call_id"));
    assert!(error.message.contains("`2`"));
}

#[test]
fn point_18_responses_are_objects() {
    let response = |content: Vec<Part>, is_error| {
        let mut result = result("1", content);
        if let Part::ToolResult(result) = &mut result.1[0] {
            result.is_error = is_error;
        }
        let request = chat(vec![user("?"), calls(vec![call("1", "f", "{}")]), result]);
        contents(&request, OLD)[2]["parts"][0]["functionResponse"]["response"].clone()
    };
    let text = |text: &str| vec![Part::text(text)];
    assert_eq!(response(text("{\"a\": 1}"), None), json!({"a": 1}));
    assert_eq!(response(text("5"), None), json!({"result": 5}));
    assert_eq!(response(text("null"), None), json!({"result": null}));
    assert_eq!(response(text("plain"), None), json!({"result": "plain"}));
    assert_eq!(response(text(""), None), json!({"result": ""}));
    assert_eq!(response(vec![Part::text("a"), Part::text("b")], None), json!({"result": "a\nb"}));
    assert_eq!(response(vec![], Some(false)), json!({"result": ""}));
    assert_eq!(response(text("{\"a\": 1}"), Some(true)), json!({"error": "{\"a\": 1}"}));
}

#[test]
fn media_of_results_stand_within_or_behind() {
    let picture =
        Part::Media(Media::new(MediaKind::Image, MediaSource::Base64("AAAA".to_owned()), Some("image/png".to_owned())));
    let request =
        chat(vec![user("?"), calls(vec![call("1", "f", "{}")]), result("1", vec![Part::text("see"), picture])]);
    let inline = json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}});
    let old = contents(&request, OLD);
    assert!(old[2]["parts"][0]["functionResponse"]["parts"].is_null());
    assert_eq!(old[3], json!({"role": "user", "parts": [inline]}));
    let new = contents(&request, NEW);
    assert_eq!(new[2]["parts"][0]["functionResponse"]["parts"], json!([inline]));
    assert!(new[3].is_null());
}

#[test]
fn ids_go_to_models_that_take_them() {
    let request = |id: &str| chat(vec![user("?"), calls(vec![call(id, "f", "{}")]), given(id, "x")]);
    let ids = |id: &str, model: &str| {
        let contents = contents(&request(id), model);
        let parts =
            [&contents[1]["parts"][0]["functionCall"]["id"], &contents[2]["parts"][0]["functionResponse"]["id"]];
        parts.map(|id| id.as_str().map(str::to_owned))
    };
    assert_eq!(ids("x8", OLD), [None, None]);
    assert_eq!(ids("x8", NEW), [Some("x8".to_owned()), Some("x8".to_owned())]);
    // One that stands for a place in the conversation is no id.
    assert_eq!(ids("gemini_call_1_0", NEW), [None, None]);
}

#[test]
fn point_20_the_first_call_of_a_step_is_signed() {
    let signed = |id: &str, family, data: &str| ToolCall {
        signature: Some(Signature { family, data: data.to_owned() }),
        ..call(id, "f", "{}")
    };
    let plain = |id: &str| call(id, "f", "{}");
    let signatures = |turn: Vec<ToolCall>, model: &str| {
        let results = turn.iter().map(|call| given(&call.id, "x")).collect::<Vec<_>>();
        let request = chat([vec![user("?"), calls(turn)], results].concat());
        let parts = contents(&request, model)[1]["parts"].clone();
        parts
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["thoughtSignature"].as_str().unwrap_or("-").to_owned())
            .collect::<Vec<_>>()
    };
    let unknown = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";
    assert_eq!(signatures(vec![signed("1", Family::Gemini, "own="), plain("2")], NEW), ["own=", "-"]);
    assert_eq!(signatures(vec![plain("1"), plain("2")], NEW), [unknown, "-"]);
    assert_eq!(signatures(vec![signed("1", Family::Anthropic, "x"), plain("2")], NEW), [unknown, "-"]);
    assert_eq!(signatures(vec![plain("1"), signed("2", Family::Gemini, "own=")], NEW), [unknown, "own="]);
    assert_eq!(signatures(vec![plain("1")], OLD), ["-"]);
    assert_eq!(signatures(vec![signed("1", Family::Gemini, "own=")], OLD), ["own="]);
    // Each step has a first call.
    let steps =
        chat(vec![user("?"), calls(vec![plain("1")]), given("1", "x"), calls(vec![plain("2")]), given("2", "x")]);
    let steps = contents(&steps, NEW);
    assert_eq!([&steps[1], &steps[3]].map(|step| step["parts"][0]["thoughtSignature"].as_str()), [Some(unknown); 2]);
}

#[test]
fn point_20_signatures_that_a_provider_cannot_read_give_way_to_the_word_for_none() {
    let unsigned = |body: &str| GeminiGenerate.unsigned(body.as_bytes()).map(|body| String::from_utf8(body).unwrap());
    let body = r#"{"a":[{"functionCall":{},"thoughtSignature": "c2ln"},{"thought_signature" :"dHdv","text":"\"thoughtSignature\":\"x\""},{"b":"thoughtSignature"}]}"#;
    let word = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";
    let wanted = body.replace("c2ln", word).replace("dHdv", word);
    assert_eq!(unsigned(body).as_deref(), Some(&*wanted));
    // Once is enough.
    assert_eq!(unsigned(&wanted), None);
    for none in ["{}", r#"{"thoughtSignature":null}"#, r#"{"thoughtSignature":"#, r#"{"thoughtSignature":"c2"#, ""] {
        assert_eq!(unsigned(none), None);
    }
}

#[test]
fn point_21_thoughts_go_back_to_their_own_family_only() {
    let thought =
        |family| Part::Thinking { text: "hm".to_owned(), signature: Some(Signature { family, data: "s".to_owned() }) };
    let parts = |part: Part| {
        let request = chat(vec![user("?"), (Role::Assistant, vec![part, Part::text("x")]), user("?")]);
        contents(&request, NEW)[1]["parts"].clone()
    };
    let text = json!({"text": "x"});
    assert_eq!(parts(thought(Family::Gemini)), json!([{"text": "hm", "thought": true, "thoughtSignature": "s"}, text]));
    assert_eq!(parts(thought(Family::Anthropic)), json!([text]));
    assert_eq!(parts(Part::Thinking { text: "hm".to_owned(), signature: None }), json!([text]));
    assert_eq!(
        parts(Part::RedactedThinking(Signature { family: Family::Anthropic, data: "s".to_owned() })),
        json!([text])
    );
    let block = |family| Part::Opaque { family, block: Json::parse(r#"{"executableCode":{}}"#).unwrap() };
    assert_eq!(parts(block(Family::Gemini)), json!([{"executableCode": {}}, text]));
    assert_eq!(parts(block(Family::OpenAi)), json!([text]));
    assert_eq!(parts(Part::Refusal("no".to_owned())), json!([{"text": "no"}, text]));
}

#[test]
fn what_only_another_provider_knows_is_left_out_and_named() {
    let block = Part::Opaque { family: Family::Anthropic, block: Json::parse("{}").unwrap() };
    let said = Part::Media(Media::new(MediaKind::Audio, MediaSource::FileId("audio_1".to_owned()), None));
    let request = chat(vec![
        user("?"),
        (Role::Assistant, vec![block, Part::text("x")]),
        (Role::Assistant, vec![said]),
        user("!"),
    ]);
    assert_eq!(contents(&request, OLD)[1]["parts"], json!([{"text": "x"}]));
    assert_eq!(dropped(&request, OLD), ["messages[1].content[0]", "messages[2].content[0]"]);
}

#[test]
fn a_message_of_the_models_own_at_the_end() {
    let request = chat(vec![user("?"), (Role::Assistant, vec![Part::text("It is")])]);
    assert_eq!(contents(&request, OLD)[1]["role"], "model");
    let error = refused(&request, "gemini-3.6-flash");
    assert_eq!((error.param.as_deref(), error.code), (Some("messages"), ErrorCode::UnsupportedValue));
}

fn medium(media: Media, model: &str, quirks: &Quirks) -> Result<Value, TranslateError> {
    let request = chat(vec![(Role::User, vec![Part::Media(media)])]);
    let encoded = encoded_for(&request, model, quirks, false)?;
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    Ok(body["contents"][0]["parts"][0].clone())
}

#[test]
fn point_22_media_are_inline_or_where_gemini_can_reach_them() {
    let none = Quirks::NONE;
    let at = |url: &str| Media::at(MediaKind::Image, url);
    let inline = |mime: &str| json!({"inlineData": {"mimeType": mime, "data": "AAAA"}});
    assert_eq!(medium(at("data:image/jpg;charset=x;base64,AA\nAA"), OLD, &none).unwrap(), inline("image/jpeg"));
    assert_eq!(medium(at("data:application/pdf;base64,AAAA"), OLD, &none).unwrap(), inline("application/pdf"));
    let audio = Media::new(MediaKind::Audio, MediaSource::Base64("AAAA".to_owned()), Some("audio/wav".to_owned()));
    assert_eq!(medium(audio, OLD, &none).unwrap(), inline("audio/wav"));
    let text = Media::new(MediaKind::Document, MediaSource::Text("hi".to_owned()), None);
    assert_eq!(medium(text, OLD, &none).unwrap(), json!({"inlineData": {"mimeType": "text/plain", "data": "aGk="}}));
    let file = |mime: &str, uri: &str| json!({"fileData": {"mimeType": mime, "fileUri": uri}});
    for (url, mime) in [
        ("gs://bucket/a.webp", "image/webp"),
        ("https://generativelanguage.googleapis.com/v1beta/files/abc", "image/jpeg"),
        ("https://www.youtube.com/watch?v=1", "video/mp4"),
        ("https://example.com/a.png?x=.gif", "image/png"),
        ("https://example.com/a", "image/jpeg"),
    ] {
        assert_eq!(medium(at(url), OLD, &none).unwrap(), file(mime, url));
    }
    let id = Media::new(
        MediaKind::Document,
        MediaSource::FileId("files/abc".to_owned()),
        Some("application/pdf".to_owned()),
    );
    let uri = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    assert_eq!(medium(id, OLD, &none).unwrap(), file("application/pdf", uri));
}

#[test]
fn point_22_what_gemini_does_not_fetch_is_refused() {
    let vertex = Quirks { media_urls: false, ..Quirks::NONE };
    let at = |url: &str| Media::at(MediaKind::Image, url);
    let refusals = [
        medium(at("https://example.com/a.png"), OLD, &vertex),
        medium(at("https://example.com/a.png"), "gemini-2.0-flash", &Quirks::NONE),
        medium(at("http://example.com/a.png"), OLD, &Quirks::NONE),
        medium(Media::new(MediaKind::Document, MediaSource::FileId("file-abc".to_owned()), None), OLD, &Quirks::NONE),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!((error.param.as_deref(), error.code), (Some("messages[0].content[0]"), ErrorCode::UnsupportedValue));
    }
    assert!(medium(at("gs://bucket/a.png"), OLD, &vertex).is_ok());
}

#[test]
fn detail_is_a_resolution_on_newer_models() {
    let media = |detail: &str| Media {
        detail: Some(detail.to_owned()),
        ..Media::new(MediaKind::Image, MediaSource::Base64("AAAA".to_owned()), Some("image/png".to_owned()))
    };
    let new = medium(media("low"), NEW, &Quirks::NONE).unwrap();
    assert_eq!(new["mediaResolution"], json!({"level": "MEDIA_RESOLUTION_LOW"}));
    let request = |detail| chat(vec![(Role::User, vec![Part::Media(media(detail))])]);
    assert_eq!(dropped(&request("high"), OLD), ["detail"]);
    assert!(dropped(&request("auto"), OLD).is_empty());
}

#[test]
fn what_gemini_has_nothing_like_is_named() {
    let mut request = chat(vec![user("x")]);
    request.messages[0].name = Some("bob".to_owned());
    request.messages[0].parts.push(Part::Text {
        text: "y".to_owned(),
        cache: Some(CacheControl::default()),
        citations: vec![],
        signature: None,
    });
    (request.user, request.verbosity) = (Some("u".to_owned()), Some("low".to_owned()));
    request.extensions =
        vec![("logit_bias".to_owned(), Json::parse("{}").unwrap()), ("store".to_owned(), Json::of(&true))];
    assert_eq!(dropped(&request, OLD), ["logit_bias", "store", "user", "verbosity", "name", "cache_control"]);
    request.extensions = vec![("web_search_options".to_owned(), Json::parse("{}").unwrap())];
    assert_eq!(refused(&request, OLD).param.as_deref(), Some("web_search_options"));
}
