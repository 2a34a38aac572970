//! Writing a client's stream.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AnthropicMessages, asked, events_of, frames, stream_of};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{CallKind, Citation, ErrorKind, Event, Finish, ProviderError, Request, Signature, Start, Usage};
use crate::protocol::contract::Protocol;

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
fn blocks_follow_each_other_where_calls_interleave() {
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
            "delta 0",
            "stop 0",
            "start 1",
            "delta 1",
            "delta 1",
            "stop 1",
            "message_delta",
            "message_stop",
        ]
    );
    let told = events_of(stream_of(&events).as_bytes(), &[]);
    assert_eq!(told[1..4], [begun(0, CallKind::Function), arguments(0, "{}"), Event::ToolEnd { call: 0 }]);
}

/// Whether each block ends before the next begins, with indices without a gap.
fn in_order(shape: &[String]) -> bool {
    let mut open = None;
    let mut next = 0;
    for frame in shape {
        let Some((what, index)) = frame.split_once(' ') else { continue };
        let index: usize = index.parse().unwrap();
        match what {
            "start" if open.is_none() && index == next => (open, next) = (Some(index), next + 1),
            "delta" if open == Some(index) => {}
            "stop" if open == Some(index) => open = None,
            _ => return false,
        }
    }
    open.is_none()
}

#[test]
fn all_that_comes_while_a_call_is_open_waits_for_its_end() {
    let signature = Signature { family: Family::Gemini, data: "s".to_owned() };
    let mut events = vec![begun(0, CallKind::Function), text("a"), text("b"), Event::Thinking("t".to_owned())];
    events.extend([Event::ThinkingSignature(signature.clone()), Event::Usage(Usage::default()), text("c")]);
    events.extend([Event::RedactedThinking(signature), Event::Refusal("no".to_owned()), arguments(0, "{}")]);
    let whole = [&events[..], &[Event::ToolEnd { call: 0 }, finish(Finish::ToolCalls)]].concat();
    let broken = [&events[..], &[finish(Finish::ToolCalls)]].concat();
    for events in [whole, broken] {
        let shape = shape(&events);
        assert!(in_order(&shape), "{shape:?}");
        let frames = frames(&stream_of(&events));
        let texts: Vec<_> = frames.iter().filter_map(|(_, data)| data["delta"]["text"].as_str()).collect();
        assert_eq!(texts, ["ab", "c", "no"]);
    }
}

#[test]
fn many_calls_at_once_are_told_one_behind_the_other() {
    let calls = 1_000;
    let ends: [Vec<usize>; 2] = [(0..calls).collect(), (0..calls).rev().collect()];
    for ends in ends {
        let mut events: Vec<Event> = (0..calls).map(|call| begun(call, CallKind::Function)).collect();
        events.extend((0..calls).map(|call| arguments(call, "{}")));
        events.extend(ends.into_iter().map(|call| Event::ToolEnd { call }));
        events.push(finish(Finish::ToolCalls));
        let shape = shape(&events);
        assert!(in_order(&shape));
        assert_eq!(shape.len(), 1 + 3 * calls + 2);
    }
}

#[test]
fn what_is_too_much_to_wait_is_told_at_once() {
    let long = "x".repeat(600_000);
    let mut encoder = AnthropicMessages.encoder(asked(Request::new(Format::AnthropicMessages, "m")));
    let mut bytes = Vec::new();
    for event in [begun(0, CallKind::Function), text(&long)] {
        encoder.event(&event, &mut bytes);
    }
    assert!(bytes.len() < 2_000, "it waits");
    encoder.event(&text(&long), &mut bytes);
    assert!(bytes.len() > 1_200_000, "no more than a limit is ever kept");
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
