//! Whole answers, read and written.

use serde_json::{Value, json};

use super::history::call;
use super::{AnthropicMessages, answered};
use crate::format::Family;
use crate::ir::{
    CallKind, Choice, Citation, Finish, Media, MediaKind, MediaSource, Part, Response, Signature, ToolCall, Usage,
};
use crate::protocol::contract::Protocol;

fn message(content: Value, stop_reason: Value) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-5", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": 3, "output_tokens": 4, "service_tier": "standard"},
    })
}

fn read(body: &Value) -> Response {
    AnthropicMessages.decode_response(body.to_string().as_bytes()).unwrap()
}

fn parts(content: Value) -> Vec<Part> {
    read(&message(content, json!("end_turn"))).choices.remove(0).parts
}

fn written(parts: Vec<Part>, finish: Option<Finish>) -> Value {
    let choice = Choice { parts, finish, ..Choice::default() };
    answered(&Response { choices: vec![choice], ..Response::default() })
}

#[test]
fn an_answer_is_read() {
    let response = read(&message(json!([{"type": "text", "text": "Hi"}]), json!("end_turn")));
    assert_eq!((response.id.as_deref(), response.model.as_deref()), (Some("msg_1"), Some("claude-opus-5")));
    assert_eq!((response.choices[0].finish, response.service_tier.as_deref()), (Some(Finish::Stop), Some("default")));
    assert_eq!(response.usage.map(|usage| usage.total()), Some(7));
}

#[test]
fn point_24_all_texts_are_kept_and_what_ran_at_the_provider_is_no_call() {
    let parts = parts(json!([
        {"type": "text", "text": "One. "},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "fallback", "from": {}, "to": {}},
        {"type": "text", "text": "Two."},
    ]));
    let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
    assert_eq!(texts, ["One. ", "Two."]);
    assert_eq!(parts.iter().filter(|part| matches!(part, Part::Opaque { family: Family::Anthropic, .. })).count(), 3);
    assert!(!parts.iter().any(|part| matches!(part, Part::ToolCall(_))));
}

#[test]
fn point_02_a_call_without_arguments_has_an_empty_object() {
    for input in [json!({}), Value::Null] {
        let parts = parts(json!([{"type": "tool_use", "id": "a", "name": "f", "input": input}]));
        assert_eq!(parts, [call("a", "f", "{}")]);
    }
    let bare = parts(json!([{"type": "tool_use", "name": "f"}]));
    assert!(matches!(&bare[0], Part::ToolCall(call) if call.id.starts_with("call_") && call.arguments == "{}"));
}

#[test]
fn thoughts_keep_their_signatures() {
    let signature = |data: &str| Signature { family: Family::Anthropic, data: data.to_owned() };
    let parts = parts(json!([
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "thinking", "thinking": "", "signature": "b2s="},
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "redacted_thinking", "data": "cmVk"},
    ]));
    assert_eq!(
        parts,
        [
            Part::Thinking { text: "Hm".to_owned(), signature: Some(signature("c2ln")) },
            Part::Thinking { text: String::new(), signature: Some(signature("b2s=")) },
            Part::RedactedThinking(signature("cmVk")),
        ]
    );
}

#[test]
fn point_06_each_reason_has_its_neutral_one() {
    let finish = |reason: Value| read(&message(json!([{"type": "text", "text": "Hi"}]), reason)).choices[0].finish;
    let cases = [
        ("end_turn", Finish::Stop),
        ("stop_sequence", Finish::Stop),
        ("tool_use", Finish::ToolCalls),
        ("max_tokens", Finish::Length),
        ("model_context_window_exceeded", Finish::Length),
        ("compaction", Finish::Length),
        ("refusal", Finish::ContentFilter),
        ("pause_turn", Finish::Pause),
        ("from_the_future", Finish::Stop),
    ];
    for (reason, expected) in cases {
        assert_eq!(finish(json!(reason)), Some(expected), "{reason}");
    }
    let called = message(json!([{"type": "tool_use", "id": "a", "name": "f", "input": {}}]), Value::Null);
    assert_eq!(read(&called).choices[0].finish, Some(Finish::ToolCalls));
}

#[test]
fn point_12_a_refusal_has_words_even_where_there_is_no_content() {
    let mut refused = message(json!([]), json!("refusal"));
    assert_eq!(read(&refused).choices[0].parts, [Part::Refusal(crate::ir::DECLINED.to_owned())]);
    refused["content"] = Value::Null;
    refused["stop_details"] = json!({"type": "refusal", "category": "cyber", "explanation": "Not this."});
    assert_eq!(read(&refused).choices[0].parts, [Part::Refusal("Not this.".to_owned())]);
}

#[test]
fn a_block_rests_on_its_citations_as_a_whole() {
    let parts = parts(json!([{"type": "text", "text": "Wäter.", "citations": [
        {"type": "web_search_result_location", "url": "https://example.org", "title": "T", "cited_text": "water", "encrypted_index": "x"},
        {"type": "char_location", "document_title": "D", "cited_text": "wet", "document_index": 0},
    ]}]));
    let Part::Text { citations, .. } = &parts[0] else { panic!() };
    let web = Citation {
        url: Some("https://example.org".to_owned()),
        title: Some("T".to_owned()),
        start: Some(0),
        end: Some(6),
        quote: Some("water".to_owned()),
    };
    assert_eq!(citations[0], web);
    assert_eq!((citations[1].url.as_deref(), citations[1].title.as_deref()), (None, Some("D")));
}

#[test]
fn fields_of_another_shape_are_passed_over() {
    let mut odd = message(json!([{"type": "text", "text": "Hi", "citations": "none"}, 5, {"text": 7}]), json!(3));
    odd["usage"] = json!({"input_tokens": "3", "output_tokens": 4.0});
    odd["stop_details"] = json!("none");
    let response = read(&odd);
    assert_eq!(response.choices[0].parts[0], Part::text("Hi"));
    assert_eq!(response.usage.map(|usage| (usage.input, usage.output)), Some((0, 4)));
}

#[test]
fn an_answer_is_written_as_anthropics_clients_want_it() {
    let choice = Choice { parts: vec![Part::text("Hi")], finish: Some(Finish::Stop), ..Choice::default() };
    let usage = Usage {
        input: 100,
        cached: 60,
        cache_write: 30,
        cache_write_1h: 10,
        output: 9,
        reasoning: 4,
        ..Usage::default()
    };
    let response = Response {
        id: Some("chatcmpl-7".to_owned()),
        model: Some("gpt-5".to_owned()),
        choices: vec![choice],
        usage: Some(usage),
        ..Response::default()
    };
    assert_eq!(
        answered(&response),
        json!({
            "id": "msg_1a2b3c", "type": "message", "role": "assistant", "model": "the-clients-name",
            "content": [{"type": "text", "text": "Hi"}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {
                "input_tokens": 10, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60,
                "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
                "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4},
            },
        })
    );
}

#[test]
fn usage_is_there_with_all_counts_even_where_nothing_is_known() {
    let usage = answered(&Response::default())["usage"].clone();
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(0), &json!(0)));
}

#[test]
fn point_05_calls_stop_an_answer_for_tools_whatever_the_vendor_said() {
    for finish in [Some(Finish::ToolCalls), Some(Finish::Stop), None] {
        let answer = written(vec![call("a", "f", r#"{"n":1.0}"#)], finish);
        assert_eq!(answer["stop_reason"], "tool_use");
        assert_eq!(answer["content"], json!([{"type": "tool_use", "id": "a", "name": "f", "input": {"n": 1.0}}]));
    }
    assert_eq!(written(vec![call("a", "f", "{}")], Some(Finish::Length))["stop_reason"], "max_tokens");
}

#[test]
fn a_stop_text_is_told() {
    let choice = Choice { finish: Some(Finish::Stop), stop_sequence: Some("END".to_owned()), ..Choice::default() };
    let answer = answered(&Response { choices: vec![choice], ..Response::default() });
    assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
}

#[test]
fn a_refusal_is_text_and_a_reason() {
    let answer = written(vec![Part::Refusal("No.".to_owned())], Some(Finish::Stop));
    assert_eq!(answer["content"], json!([{"type": "text", "text": "No."}]));
    assert_eq!(answer["stop_reason"], "refusal");
    assert_eq!(written(vec![], Some(Finish::ContentFilter))["stop_reason"], "refusal");
}

#[test]
fn free_text_is_the_one_string_of_an_input() {
    let custom = ToolCall {
        id: "a".to_owned(),
        name: "run".to_owned(),
        arguments: "ls \"x\"".to_owned(),
        kind: CallKind::Custom,
        signature: None,
        cache: None,
    };
    let answer = written(vec![Part::ToolCall(custom)], Some(Finish::ToolCalls));
    assert_eq!(answer["content"][0]["input"], json!({"input": "ls \"x\""}));
}

#[test]
fn web_pages_are_cited_and_what_has_no_block_is_left_out() {
    let citation = Citation { url: Some("https://example.org".to_owned()), ..Citation::default() };
    let text = Part::Text {
        text: "Wet.".to_owned(),
        cache: None,
        citations: vec![citation, Citation { title: Some("no page".to_owned()), ..Citation::default() }],
        signature: None,
    };
    let picture = Part::Media(Media::new(MediaKind::Image, MediaSource::Base64("aGk=".to_owned()), None));
    let sound = Media {
        transcript: Some("Hello".to_owned()),
        ..Media::new(MediaKind::Audio, MediaSource::Base64("aGk=".to_owned()), None)
    };
    let answer = written(vec![text, picture, Part::Media(sound), Part::text("")], Some(Finish::Stop));
    let cited = json!([{"type": "web_search_result_location", "url": "https://example.org", "title": null, "cited_text": "", "encrypted_index": ""}]);
    assert_eq!(
        answer["content"],
        json!([{"type": "text", "text": "Wet.", "citations": cited}, {"type": "text", "text": "Hello"}])
    );
}
