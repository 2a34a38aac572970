//! Writing a client's stream.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AnthropicMessages, asked, events_of, frames, stream_of};
use crate::ir::{CallKind, Citation, ErrorKind, Event, Finish, ProviderError, Request, Start, Usage};
use crate::protocol::{Format, Protocol};

fn begun(call: usize, kind: CallKind) -> Event {
    Event::ToolStart { call, id: format!("id_{call}"), name: "f".to_owned(), kind, signature: None }
}

fn arguments(call: usize, text: &str) -> Event {
    Event::ToolArguments { call, text: text.to_owned() }
}

fn finish(reason: Finish) -> Event {
    Event::Finish { reason, stop_sequence: None }
}

fn text(text: &str) -> Event {
    Event::Text(text.to_owned())
}

/// The kinds of the frames, with the index of the block where they are of one.
fn shape(events: &[Event]) -> Vec<String> {
    let name = |(name, data): (String, Value)| match data["index"].as_u64() {
        Some(index) => format!("{} {index}", name.strip_prefix("content_block_").unwrap()),
        None => name,
    };
    frames(&stream_of(events)).into_iter().map(name).collect()
}

#[test]
fn a_stream_is_what_anthropics_sdks_read() {
    let usage = Usage { input: 30, cached: 20, output: 2, ..Usage::default() };
    let events = [
        Event::Start(Start { usage: Some(Usage { input: 30, ..Usage::default() }), ..Start::default() }),
        text("Hel"),
        text("lo"),
        Event::Usage(usage),
        finish(Finish::Stop),
    ];
    let zero = json!({"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0});
    let frame = |name: &str, data: Value| (name.to_owned(), data);
    assert_eq!(
        frames(&stream_of(&events)),
        [
            frame(
                "message_start",
                json!({"type": "message_start", "message": {
                "id": "msg_1a2b3c", "type": "message", "role": "assistant", "model": "the-clients-name", "content": [],
                "stop_reason": null, "stop_sequence": null, "usage": {
                    "input_tokens": 30, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                    "cache_creation": zero, "output_tokens": 0}}})
            ),
            frame(
                "content_block_start",
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
            ),
            frame(
                "content_block_delta",
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}})
            ),
            frame(
                "content_block_delta",
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}})
            ),
            frame("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
            frame(
                "message_delta",
                json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {
                "input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 20,
                "cache_creation": zero, "output_tokens": 2}})
            ),
            frame("message_stop", json!({"type": "message_stop"})),
        ]
    );
}

#[test]
fn blocks_count_up_without_a_gap() {
    let events = [
        Event::Start(Start::default()),
        Event::Thinking("Hm".to_owned()),
        text("Hi"),
        begun(0, CallKind::Function),
        arguments(0, "{}"),
        Event::ToolEnd { call: 0 },
        text("Ho"),
        finish(Finish::ToolCalls),
    ];
    assert_eq!(
        shape(&events),
        [
            "message_start",
            "start 0",
            "delta 0",
            "stop 0",
            "start 1",
            "delta 1",
            "stop 1",
            "start 2",
            "delta 2",
            "stop 2",
            "start 3",
            "delta 3",
            "stop 3",
            "message_delta",
            "message_stop",
        ]
    );
}

#[test]
fn calls_that_interleave_overlap_and_others_do_not() {
    let events = [
        Event::Start(Start::default()),
        begun(0, CallKind::Function),
        begun(1, CallKind::Function),
        arguments(1, "{\"b\""),
        arguments(0, "{}"),
        Event::ToolEnd { call: 0 },
        arguments(1, ":1}"),
        Event::ToolEnd { call: 1 },
        finish(Finish::ToolCalls),
    ];
    assert_eq!(
        shape(&events),
        [
            "message_start",
            "start 0",
            "start 1",
            "delta 1",
            "delta 0",
            "stop 0",
            "delta 1",
            "stop 1",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(events_of(stream_of(&events).as_bytes(), &[])[1..8], events[1..8]);
}

#[test]
fn calls_without_an_end_get_one() {
    let events = [begun(0, CallKind::Function), arguments(0, "{}"), finish(Finish::Stop)];
    let shape = shape(&events);
    assert_eq!(shape[..4], ["message_start", "start 0", "delta 0", "stop 0"], "and a start where there was none");
    let frames = frames(&stream_of(&events));
    assert_eq!(frames[frames.len() - 2].1["delta"]["stop_reason"], "tool_use");
}

#[test]
fn free_text_streams_as_the_one_string_of_an_input() {
    let events = [
        begun(0, CallKind::Custom),
        arguments(0, "ls \"x\"\n"),
        arguments(0, "echo é"),
        Event::ToolEnd { call: 0 },
        finish(Finish::ToolCalls),
    ];
    let pieces = frames(&stream_of(&events));
    let input: String = pieces.iter().filter_map(|(_, data)| data["delta"]["partial_json"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&input).unwrap(), json!({"input": "ls \"x\"\necho é"}));
}

#[test]
fn a_refusal_is_a_text_of_its_own_and_a_reason() {
    let events = [text("I "), Event::Refusal("No.".to_owned()), finish(Finish::Stop)];
    let frames = frames(&stream_of(&events));
    assert_eq!(frames[5].1["delta"]["text"], "No.");
    assert_eq!(frames[5].1["index"], 1);
    assert_eq!(frames[frames.len() - 2].1["delta"]["stop_reason"], "refusal");
}

#[test]
fn point_10_an_error_is_an_event_of_that_name() {
    let error = ProviderError::new(ErrorKind::Overloaded, "Overloaded");
    let stream = stream_of(&[Event::Start(Start::default()), text("Hi"), Event::Error(error)]);
    let last = frames(&stream).pop().unwrap();
    let document = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    assert_eq!(last, ("error".to_owned(), document));
    assert!(!stream.contains("message_stop"));
}

#[test]
fn a_stream_that_passes_through_ends_in_the_same_ways() {
    let error = ProviderError::new(ErrorKind::Overloaded, "Overloaded");
    let event = String::from_utf8(AnthropicMessages.error_event(&error, "req_9")).unwrap();
    let document =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_9"});
    assert_eq!(frames(&event), [("error".to_owned(), document)]);
    let end = std::str::from_utf8(AnthropicMessages.end_marker().unwrap()).unwrap();
    assert_eq!(frames(end), [("message_stop".to_owned(), json!({"type": "message_stop"}))]);
}

#[test]
fn counts_that_come_late_still_count() {
    let usage = Usage { input: 7, output: 3, ..Usage::default() };
    let frames = frames(&stream_of(&[text("Hi"), finish(Finish::Stop), Event::Usage(usage)]));
    assert_eq!(frames[frames.len() - 2].1["usage"]["output_tokens"], 3);
}

#[test]
fn an_empty_answer_is_whole() {
    assert_eq!(shape(&[]), ["message_start", "message_delta", "message_stop"]);
}

#[test]
fn web_pages_are_cited_in_the_text_under_way() {
    let citation = Citation { url: Some("https://example.org".to_owned()), ..Citation::default() };
    let events = [Event::Citation(citation.clone()), text("Wet."), Event::Citation(citation), finish(Finish::Stop)];
    let stream = stream_of(&events);
    assert_eq!(stream.matches("citations_delta").count(), 1);
}

#[test]
fn the_connection_is_kept_alive_by_a_ping() {
    let encoder = AnthropicMessages.encoder(asked(Request::new(Format::AnthropicMessages, "m")));
    assert_eq!(frames(std::str::from_utf8(encoder.keep_alive()).unwrap())[0].0, "ping");
    assert_eq!(encoder.content_type(), "text/event-stream");
}

proptest! {
    #[test]
    fn blocks_are_always_well_formed(kinds in proptest::collection::vec((0..7_usize, 0..4_usize), 0..40)) {
        let mut calls = 0;
        let mut events = Vec::new();
        for (kind, call) in kinds {
            events.push(match kind {
                0 => text("x"),
                1 => Event::Thinking("y".to_owned()),
                2 => Event::Refusal("z".to_owned()),
                3 => {
                    calls += 1;
                    begun(calls - 1, if call == 0 { CallKind::Custom } else { CallKind::Function })
                }
                4 => arguments(call, "1"),
                5 => Event::ToolEnd { call },
                _ => Event::Usage(Usage::default()),
            });
        }
        events.push(finish(Finish::Stop));
        let mut open = std::collections::HashSet::new();
        let mut next = 0;
        for (name, data) in frames(&stream_of(&events)) {
            let index = data["index"].as_u64().unwrap_or_default();
            match name.as_str() {
                "content_block_start" => {
                    prop_assert_eq!(index, next);
                    next += 1;
                    open.insert(index);
                }
                "content_block_delta" => prop_assert!(open.contains(&index)),
                "content_block_stop" => prop_assert!(open.remove(&index)),
                "message_delta" => prop_assert!(open.is_empty()),
                _ => {}
            }
        }
    }
}
