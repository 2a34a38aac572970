//! The stream that a client gets.

use serde_json::{Value, json};

use super::{collected, decoded, stream, wire};
use crate::format::Family;
use crate::ir::{
    CallKind, Citation, ErrorKind, Event, Finish, Media, MediaKind, MediaSource, Part, ProviderError, Signature, Start,
    Usage,
};
use crate::protocol::contract::Protocol as _;

fn started() -> Event {
    Event::Start(Start { id: Some("up".to_owned()), model: Some("claude-x".to_owned()), ..Start::default() })
}

fn finished(reason: Finish) -> [Event; 2] {
    let usage = Usage { input: 10, cached: 4, output: 7, reasoning: 2, ..Usage::default() };
    [Event::Usage(usage), Event::Finish { reason, stop_sequence: None }]
}

fn tool(call: usize, id: &str, name: &str, signature: Option<Signature>) -> Event {
    Event::ToolStart { call, id: id.to_owned(), name: name.to_owned(), kind: CallKind::Function, signature }
}

fn arguments(call: usize, text: &str) -> Event {
    Event::ToolArguments { call, text: text.to_owned() }
}

fn request() -> crate::ir::Request {
    decoded(&json!({"model": "my-model", "input": "hi", "stream": true}))
}

/// What the stream helper of openai-node demands: items come in order, every event names an item that is there, and
/// numbers count from 0.
fn checked(stream: &[u8]) -> Vec<(String, Value)> {
    let events = wire(stream);
    let mut items: Vec<Value> = Vec::new();
    for (at, (name, event)) in events.iter().enumerate() {
        assert_eq!(event["type"], name.as_str());
        assert_eq!(event["sequence_number"], at, "{name}");
        match name.as_str() {
            "response.output_item.added" => {
                assert_eq!(event["output_index"], items.len());
                items.push(event["item"].clone());
            }
            "response.output_item.done" => {
                let index = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
                for field in ["id", "type", "call_id"] {
                    assert_eq!(items[index][field], event["item"][field], "{field}");
                }
                items[index] = event["item"].clone();
            }
            "response.completed" | "response.incomplete" => assert_eq!(event["response"]["output"], json!(items)),
            _ => {
                if let Some(index) = event["output_index"].as_u64() {
                    assert_eq!(event["item_id"], items[usize::try_from(index).unwrap()]["id"], "{name}");
                }
            }
        }
    }
    events
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.trim_start_matches("response.")).collect()
}

#[test]
fn a_text_is_the_full_sequence_of_events() {
    let mut told = vec![started(), Event::Text("Hel".to_owned()), Event::Text("lo".to_owned())];
    told.extend(finished(Finish::Stop));
    let events = checked(&stream(&told, request()));
    assert_eq!(
        names(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    assert_eq!(events[4].1["logprobs"], json!([]));
    assert_eq!(events[4].1["content_index"], 0);
    assert_eq!(events[6].1["text"], "Hello");
    let last = &events[9].1["response"];
    assert_eq!(
        (&last["id"], &last["model"], &last["status"]),
        (&json!("resp_abc"), &json!("my-model"), &json!("completed"))
    );
    assert_eq!(
        last["usage"],
        json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0}, "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 17})
    );
    assert_eq!(events[0].1["response"]["usage"], Value::Null);
    assert_eq!(events[0].1["response"]["status"], "in_progress");
}

#[test]
fn thoughts_texts_and_interleaved_calls_are_items_in_order() {
    let signature = Signature { family: Family::Anthropic, data: "EqQB+/=".to_owned() };
    let mut told = vec![
        started(),
        Event::Thinking("I ".to_owned()),
        Event::Thinking("think".to_owned()),
        Event::ThinkingSignature(signature.clone()),
        Event::RedactedThinking(Signature { family: Family::Anthropic, data: "secret".to_owned() }),
        Event::Text("Look: ".to_owned()),
        tool(0, "toolu_1", "a", None),
        tool(1, "toolu_2", "b", None),
        arguments(1, "{\"y\":"),
        arguments(0, "{}"),
        Event::ToolEnd { call: 0 },
        arguments(1, "12345678901234567890}"),
        Event::ToolEnd { call: 1 },
    ];
    told.extend(finished(Finish::ToolCalls));
    let bytes = stream(&told, request());
    let events = checked(&bytes);
    let kinds: Vec<_> = events.last().unwrap().1["response"]["output"].as_array().unwrap().iter().collect();
    let types: Vec<_> = kinds.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["reasoning", "reasoning", "message", "function_call", "function_call"]);
    assert_eq!(kinds[0]["summary"], json!([{"type": "summary_text", "text": "I think"}]));
    assert_eq!(kinds[4]["arguments"], "{\"y\":12345678901234567890}");
    assert_eq!(kinds[4]["call_id"], "toolu_2");
    // The stream says what it was told, to a reader of the format too.
    let again = collected(&super::events(&bytes, &[]));
    assert_eq!(again.choices, collected(&told).choices);
    let Part::Thinking { signature: Some(kept), .. } = &again.choices[0].parts[0] else { panic!("{again:?}") };
    assert_eq!(*kept, signature);
}

#[test]
fn point_20_a_signed_call_comes_back_signed_with_the_next_request() {
    let signature = Signature { family: Family::Gemini, data: "CiQB//+=".to_owned() };
    let mut told = vec![started(), tool(0, "call_1", "now", Some(signature.clone())), arguments(0, "{}")];
    told.push(Event::ToolEnd { call: 0 });
    told.extend(finished(Finish::ToolCalls));
    let events = checked(&stream(&told, request()));
    let output = events.last().unwrap().1["response"]["output"].as_array().unwrap().clone();
    assert_eq!((&output[0]["type"], &output[0]["summary"]), (&json!("reasoning"), &json!([])));
    assert_eq!(output[1]["call_id"], "call_1", "the id of a call stays short");
    let mut input = vec![json!({"role": "user", "content": "hi"})];
    input.extend(output);
    input.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "12"}));
    let body = json!({"model": "m", "input": input});
    assert!(crate::protocol::contract::Protocol::holds_foreign_signatures(
        &crate::protocol::openai_responses::OpenAiResponses,
        body.to_string().as_bytes()
    ));
    let request = decoded(&body);
    let [Part::ToolCall(call)] = &request.messages[1].parts[..] else { panic!("{request:?}") };
    assert_eq!(call.signature.as_ref(), Some(&signature));
}

#[test]
fn point_02_a_call_without_arguments_has_an_empty_object() {
    let mut told = vec![started(), tool(0, "c", "f", None), arguments(0, "{}"), Event::ToolEnd { call: 0 }];
    told.extend(finished(Finish::ToolCalls));
    let events = checked(&stream(&told, request()));
    assert_eq!(
        names(&events)[2..6],
        ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
    );
    assert_eq!(events[4].1["arguments"], "{}");
}

#[test]
fn point_12_a_refusal_is_a_complete_answer_and_a_filter_is_an_incomplete_one() {
    let mut told = vec![started(), Event::Refusal("No.".to_owned())];
    told.extend(finished(Finish::ContentFilter));
    let events = checked(&stream(&told, request()));
    assert_eq!(names(&events)[3..7], ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]);
    let last = &events.last().unwrap().1["response"];
    assert_eq!(last["status"], "completed");
    assert_eq!(last["output"][0]["content"], json!([{"type": "refusal", "refusal": "No."}]));

    let told: Vec<_> = [started()].into_iter().chain(finished(Finish::ContentFilter)).collect();
    let events = checked(&stream(&told, request()));
    let (name, last) = events.last().unwrap();
    assert_eq!(
        (name.as_str(), &last["response"]["incomplete_details"]["reason"]),
        ("response.incomplete", &json!("content_filter"))
    );
}

#[test]
fn a_limit_makes_an_answer_incomplete() {
    let mut told = vec![started(), Event::Text("abc".to_owned())];
    told.extend(finished(Finish::Length));
    let events = checked(&stream(&told, request()));
    let (name, last) = events.last().unwrap();
    assert_eq!(name, "response.incomplete");
    assert_eq!(last["response"]["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
}

#[test]
fn point_10_an_error_is_the_pair_of_events_that_every_client_raises_on() {
    let error = ProviderError::new(ErrorKind::Overloaded, "Overloaded").code("overloaded");
    let told = [started(), Event::Text("abc".to_owned()), Event::Error(error)];
    let events = wire(&stream(&told, request()));
    let [.., (error, first), (failed, second)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((error.as_str(), failed.as_str()), ("error", "response.failed"));
    assert_eq!(
        first["error"],
        json!({"type": "server_error", "code": "overloaded", "message": "Overloaded", "param": null})
    );
    assert_eq!(first["sequence_number"], events.len() - 2);
    assert_eq!(second["response"]["status"], "failed");
    assert_eq!(second["response"]["error"], json!({"code": "overloaded", "message": "Overloaded"}));
    let [.., Event::Error(again)] = &super::events(&stream(&told, request()), &[])[..] else { panic!() };
    assert_eq!((again.kind, again.message.as_str()), (ErrorKind::Overloaded, "Overloaded"));
}

#[test]
fn a_stream_that_passes_through_fails_with_the_same_pair() {
    let error = ProviderError::truncated();
    let events = wire(&super::OpenAiResponses.error_event(&error, "01-ab"));
    assert_eq!(names(&events), ["error", "failed"]);
    assert_eq!(events[0].1["error"]["code"], "upstream_stream_truncated");
    assert_eq!(events[1].1["response"]["status"], "failed");
    assert_eq!(events[1].1["response"]["id"], "resp_01ab");
}

#[test]
fn citations_and_pictures_have_their_events() {
    let citation = Citation {
        url: Some("https://example.com".to_owned()),
        title: Some("Example".to_owned()),
        start: Some(1),
        end: Some(3),
        quote: None,
    };
    let without_place = Citation { start: None, ..citation.clone() };
    let picture = Media::new(MediaKind::Image, MediaSource::Base64("AAAA".to_owned()), Some("image/webp".to_owned()));
    let mut told =
        vec![started(), Event::Text("öäü".to_owned()), Event::Citation(citation), Event::Citation(without_place)];
    told.push(Event::Media(picture));
    told.extend(finished(Finish::Stop));
    let bytes = stream(&told, request());
    let events = checked(&bytes);
    let annotations: Vec<_> = events.iter().filter(|(name, _)| name.ends_with("annotation.added")).collect();
    // One without its place would make clients refuse the whole answer.
    assert_eq!(annotations.len(), 1);
    assert_eq!(
        annotations[0].1["annotation"],
        json!({"type": "url_citation", "url": "https://example.com", "title": "Example", "start_index": 1, "end_index": 3})
    );
    told.remove(3);
    assert_eq!(collected(&super::events(&bytes, &[])).choices, collected(&told).choices);
}

#[test]
fn counts_of_a_complete_answer_are_never_null() {
    let finish = |reason| {
        [Event::Start(Start::default()), Event::Text("x".into()), Event::Finish { reason, stop_sequence: None }]
    };
    for reason in [Finish::Stop, Finish::Length] {
        let bytes = stream(&finish(reason), decoded(&json!({"model": "m", "input": "x"})));
        let text = String::from_utf8(bytes).unwrap();
        let last = text.trim_end().rsplit("data: ").next().unwrap();
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["response"]["usage"]["total_tokens"], 0, "{last}");
    }
}
