//! Reading a provider's stream.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AnthropicMessages, events_of, sse};
use crate::format::Family;
use crate::ir::{CallKind, Citation, ErrorKind, Event, Finish, ProviderError, Signature, Start, Usage};
use crate::protocol::contract::Protocol;

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-opus-5", "usage": {"input_tokens": 5, "output_tokens": 1}}})
}

fn block(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn text(index: u64, text: &str) -> Value {
    delta(index, json!({"type": "text_delta", "text": text}))
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    let usage = json!({"output_tokens": 9});
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    [json!({"type": "message_delta", "delta": delta, "usage": usage}), json!({"type": "message_stop"})]
}

fn tool(index: u64, id: &str) -> Value {
    block(index, json!({"type": "tool_use", "id": id, "name": "f", "input": {}}))
}

fn input(index: u64, text: &str) -> Value {
    delta(index, json!({"type": "input_json_delta", "partial_json": text}))
}

fn read(data: &[Value]) -> Vec<Event> {
    events_of(sse(data).as_bytes(), &[])
}

fn answer(middle: Vec<Value>, reason: &str) -> Vec<Event> {
    let data: Vec<Value> = [start()].into_iter().chain(middle).chain(end(reason)).collect();
    read(&data)
}

fn begun(call: usize, id: &str) -> Event {
    Event::ToolStart { call, id: id.to_owned(), name: "f".to_owned(), kind: CallKind::Function, signature: None }
}

fn arguments(call: usize, text: &str) -> Event {
    Event::ToolArguments { call, text: text.to_owned() }
}

fn broken(events: &[Event]) -> &ProviderError {
    match events {
        [.., Event::Error(error)] if events.iter().filter(|event| matches!(event, Event::Error(_))).count() == 1 => {
            error
        }
        other => panic!("no error, or not at the end: {other:?}"),
    }
}

#[test]
fn a_text_is_read() {
    let events = answer(
        vec![
            block(0, json!({"type": "text", "text": ""})),
            json!({"type": "ping"}),
            text(0, "Hel"),
            text(0, ""),
            text(0, "lo"),
            stop(0),
        ],
        "end_turn",
    );
    let usage = |output| Usage { input: 5, output, ..Usage::default() };
    let start = Start {
        id: Some("msg_1".to_owned()),
        model: Some("claude-opus-5".to_owned()),
        usage: Some(usage(1)),
        ..Start::default()
    };
    assert_eq!(
        events,
        [
            Event::Start(start),
            Event::Text("Hel".to_owned()),
            Event::Text("lo".to_owned()),
            Event::Usage(usage(9)),
            Event::Finish { reason: Finish::Stop, stop_sequence: None },
        ]
    );
}

#[test]
fn point_03_tool_index_is_dense() {
    let events = answer(
        vec![
            block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            stop(0),
            block(1, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
            input(1, "{\"query\":1}"),
            stop(1),
            block(2, json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []})),
            stop(2),
            tool(3, "a"),
            input(3, ""),
            input(3, "{\"n\":"),
            input(3, "1}"),
            stop(3),
            tool(4, "b"),
            input(4, "{}"),
            stop(4),
        ],
        "tool_use",
    );
    assert_eq!(
        events[1..8],
        [
            begun(0, "a"),
            arguments(0, "{\"n\":"),
            arguments(0, "1}"),
            Event::ToolEnd { call: 0 },
            begun(1, "b"),
            arguments(1, "{}"),
            Event::ToolEnd { call: 1 },
        ]
    );
    assert_eq!(events.last(), Some(&Event::Finish { reason: Finish::ToolCalls, stop_sequence: None }));
}

#[test]
fn point_02_a_call_whose_arguments_never_come_has_an_empty_object() {
    let events = answer(vec![tool(0, "a"), input(0, ""), stop(0)], "tool_use");
    assert_eq!(events[1..4], [begun(0, "a"), arguments(0, "{}"), Event::ToolEnd { call: 0 }]);
    let never_stopped = answer(vec![tool(0, "a")], "tool_use");
    assert_eq!(never_stopped[1..4], events[1..4]);
}

#[test]
fn arguments_that_are_whole_at_the_start_are_given_once() {
    let whole = block(0, json!({"type": "tool_use", "id": "a", "name": "f", "input": {"n": 1}}));
    let events = answer(vec![whole, stop(0)], "tool_use");
    assert_eq!(events[1..4], [begun(0, "a"), arguments(0, "{\"n\":1}"), Event::ToolEnd { call: 0 }]);
}

#[test]
fn pieces_go_to_the_call_of_their_block() {
    let events = answer(
        vec![
            tool(0, "a"),
            tool(1, "b"),
            input(0, "{\"x\""),
            input(1, "{\"y\""),
            input(0, ":1}"),
            stop(0),
            input(1, ":2}"),
            stop(1),
        ],
        "tool_use",
    );
    let of = |wanted: usize| -> String {
        let pieces = events.iter().filter_map(|event| match event {
            Event::ToolArguments { call, text } if *call == wanted => Some(text.as_str()),
            _ => None,
        });
        pieces.collect()
    };
    assert_eq!((of(0), of(1)), ("{\"x\":1}".to_owned(), "{\"y\":2}".to_owned()));
}

#[test]
fn point_21_thoughts_are_signed_at_their_end() {
    let events = answer(
        vec![
            block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "Hm"})),
            delta(0, json!({"type": "signature_delta", "signature": "c2"})),
            delta(0, json!({"type": "signature_delta", "signature": "ln"})),
            stop(0),
            block(1, json!({"type": "redacted_thinking", "data": "cmVk"})),
            stop(1),
        ],
        "end_turn",
    );
    let signature = |data: &str| Signature { family: Family::Anthropic, data: data.to_owned() };
    assert_eq!(
        events[1..4],
        [
            Event::Thinking("Hm".to_owned()),
            Event::ThinkingSignature(signature("c2ln")),
            Event::RedactedThinking(signature("cmVk")),
        ]
    );
}

#[test]
fn citations_have_their_place_in_the_whole_text() {
    let cited =
        json!({"type": "web_search_result_location", "url": "https://example.org", "title": "T", "cited_text": "q"});
    let events = answer(
        vec![
            block(0, json!({"type": "text", "text": "Ünd "})),
            stop(0),
            block(1, json!({"type": "text", "text": "", "citations": []})),
            delta(1, json!({"type": "citations_delta", "citation": cited})),
            text(1, "nass"),
            stop(1),
        ],
        "end_turn",
    );
    let citation = Citation {
        url: Some("https://example.org".to_owned()),
        title: Some("T".to_owned()),
        start: Some(4),
        end: Some(8),
        quote: Some("q".to_owned()),
    };
    assert_eq!(events[3], Event::Citation(citation));
}

#[test]
fn point_09_counts_of_the_end_replace_those_of_the_start() {
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 61, "output_tokens": 9}});
    let events = read(&[start(), delta, json!({"type": "message_stop"})]);
    assert!(events.contains(&Event::Usage(Usage { input: 61, output: 9, ..Usage::default() })));
}

#[test]
fn point_12_a_refusal_without_content_has_words() {
    let details = json!({"type": "refusal", "explanation": "Not this."});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": details}});
    let events = read(&[start(), delta, json!({"type": "message_stop"})]);
    assert_eq!(events[1], Event::Refusal("Not this.".to_owned()));
    assert_eq!(events.last(), Some(&Event::Finish { reason: Finish::ContentFilter, stop_sequence: None }));
    assert_eq!(answer(vec![], "refusal")[1], Event::Refusal(crate::ir::DECLINED.to_owned()));
}

#[test]
fn point_10_an_error_ends_the_stream() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let events = read(&[start(), block(0, json!({"type": "text", "text": ""})), text(0, "Hi"), error, stop(0)]);
    let error = broken(&events);
    assert_eq!((error.kind, error.status, &*error.message), (ErrorKind::Overloaded, 503, "Overloaded"));
    assert_eq!(broken(&events_of(b"data: {\"error\":{\"message\":\"bad\"}}\n\n", &[])).message, "bad");
}

#[test]
fn point_11_a_stream_that_breaks_off_is_an_error() {
    let whole = sse(&[start(), block(0, json!({"type": "text", "text": ""})), text(0, "Hi"), stop(0)]);
    for cut in [0, 10, whole.len() - 3, whole.len()] {
        let events = events_of(&whole.as_bytes()[..cut], &[]);
        assert_eq!(broken(&events).code.as_deref(), Some("upstream_stream_truncated"), "cut at {cut}");
    }
}

#[test]
fn a_reason_is_end_enough() {
    let [delta, stop] = end("end_turn");
    let finish = Some(Event::Finish { reason: Finish::Stop, stop_sequence: None });
    assert_eq!(read(&[start(), delta.clone()]).last(), finish.as_ref());
    let whole = sse(&[start(), delta, stop]);
    assert_eq!(events_of(whole.trim_end().as_bytes(), &[]).last(), finish.as_ref(), "without the last empty line");
}

#[test]
fn the_formats_own_end_is_known() {
    let mut decoder = AnthropicMessages.decoder();
    let [delta, stop] = end("end_turn");
    decoder.push(Bytes::from(sse(&[start(), delta])), &mut Vec::new());
    assert!(!decoder.done());
    decoder.push(Bytes::from(sse(&[stop])), &mut Vec::new());
    assert!(decoder.done());
}

#[test]
fn a_stop_text_is_told() {
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}});
    let events = read(&[start(), delta, json!({"type": "message_stop"})]);
    assert_eq!(events.last(), Some(&Event::Finish { reason: Finish::Stop, stop_sequence: Some("END".to_owned()) }));
}

#[test]
fn a_second_start_is_passed_over_or_an_error() {
    let other =
        json!({"type": "message_start", "message": {"id": "msg_2", "usage": {"input_tokens": 8, "output_tokens": 1}}});
    let begin = || block(0, json!({"type": "text", "text": ""}));
    let [delta, stop] = end("end_turn");
    let same = read(&[start(), start(), begin(), text(0, "Hi"), delta.clone(), stop.clone()]);
    assert_eq!(same.iter().filter(|event| matches!(event, Event::Start(_))).count(), 1);
    let before = read(&[start(), begin(), other.clone(), begin(), text(0, "Hi"), delta, stop]);
    assert_eq!(before[1], Event::Text("Hi".to_owned()));
    assert!(before.contains(&Event::Usage(Usage { input: 8, output: 9, ..Usage::default() })));
    let spliced = read(&[start(), begin(), text(0, "Hi"), other, begin(), text(0, "Ho")]);
    assert_eq!(broken(&spliced).kind, ErrorKind::Server);
    assert!(!spliced.contains(&Event::Text("Ho".to_owned())));
}

#[test]
fn padding_comments_and_other_line_ends_do_no_harm() {
    let bare = [start(), block(0, json!({"type": "text", "text": ""})), text(0, "Hi"), stop(0)];
    let data: Vec<Value> = bare.into_iter().chain(end("end_turn")).collect();
    let expected = read(&data);
    let frame = |data: &Value| format!(": comment\r\nevent: x\r\ndata:{data}      \r\n\r\n");
    let padded = data.iter().map(frame).collect::<Vec<_>>().concat();
    assert_eq!(events_of(format!("{padded}data: [DONE]\r\n\r\n").as_bytes(), &[]), expected);
}

#[test]
fn what_is_newer_than_this_gateway_is_passed_over() {
    let events = answer(
        vec![
            json!({"type": "from_the_future", "index": "x"}),
            block(0, json!({"type": "fallback", "from": {"model": "m"}, "text": {"not": "text"}})),
            delta(0, json!({"type": "new_delta", "text": 5})),
            stop(0),
            block(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "new_delta", "text": ["x"]})),
            text(1, "Hi"),
            stop(1),
        ],
        "end_turn",
    );
    assert_eq!(events[1], Event::Text("Hi".to_owned()));
    assert_eq!(events.len(), 4);
}

#[test]
fn what_is_not_json_is_an_error() {
    let events = events_of(b"data: <html>\n\n", &[]);
    assert_eq!(broken(&events).code.as_deref(), Some("bad_upstream_response"));
}

#[test]
fn an_endless_event_is_an_error_and_not_held() {
    let mut decoder = AnthropicMessages.decoder();
    let mut events = Vec::new();
    for _ in 0..40 {
        decoder.push(Bytes::from(vec![b'x'; 65_536]), &mut events);
    }
    decoder.end(&mut events);
    broken(&events);
}

fn has_end(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::Error(_) | Event::Finish { .. }))
}

#[test]
fn a_call_of_nothing_is_no_call_and_ids_differ() {
    let nameless = block(0, json!({"type": "tool_use", "id": "a", "input": {}}));
    let events = answer(vec![nameless, stop(0), tool(1, "b"), stop(1), tool(2, "b"), stop(2)], "tool_use");
    let ids: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::ToolStart { id, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    assert!(matches!(ids[..], ["b", other] if other != "b"), "{ids:?}");
}

#[test]
fn what_waits_for_the_end_of_blocks_is_limited_over_all_of_them() {
    let piece = "s".repeat(300_000);
    let open = (0..4).flat_map(|index| {
        [
            block(index, json!({"type": "thinking", "thinking": ""})),
            delta(index, json!({"type": "signature_delta", "signature": piece})),
        ]
    });
    let together: Vec<Value> = open.clone().collect();
    let Some(Event::Error(error)) = answer(together, "end_turn").pop() else { panic!() };
    assert_eq!(error.code.as_deref(), Some("bad_upstream_response"));
    let apart: Vec<Value> =
        open.enumerate().flat_map(|(at, event)| [event, stop(if at % 2 == 1 { at as u64 / 2 } else { 99 })]).collect();
    assert!(matches!(answer(apart, "end_turn").pop(), Some(Event::Finish { .. })));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(mut cuts: Vec<u16>, crlf: bool) {
        let data: Vec<Value> = [
            start(),
            block(0, json!({"type": "text", "text": ""})),
            text(0, "Grüße, 世界 🌍"),
            stop(0),
            tool(1, "a"),
            input(1, "{\"ö\":"),
            input(1, "1}"),
            stop(1),
        ].into_iter().chain(end("tool_use")).collect();
        let mut stream = sse(&data);
        if crlf {
            stream = stream.replace('\n', "\r\n");
        }
        cuts.sort_unstable();
        let cuts: Vec<usize> = cuts.into_iter().map(|cut| usize::from(cut) % stream.len()).collect();
        let mut sorted = cuts;
        sorted.sort_unstable();
        prop_assert_eq!(events_of(stream.as_bytes(), &sorted), read(&data));
    }

    #[test]
    fn no_bytes_panic_or_hang(portions: Vec<Vec<u8>>) {
        let mut decoder = AnthropicMessages.decoder();
        let mut watcher = AnthropicMessages.watcher();
        let mut events = Vec::new();
        for portion in portions {
            watcher.event(&Bytes::from(portion.clone()));
            decoder.push(Bytes::from(portion), &mut events);
        }
        decoder.end(&mut events);
        prop_assert!(has_end(&events));
    }

    #[test]
    fn no_events_panic(kinds in proptest::collection::vec((0..8_usize, 0..3_u64), 0..30)) {
        let data: Vec<Value> = kinds.into_iter().map(|(kind, index)| match kind {
            0 => start(),
            1 => block(index, json!({"type": "text", "text": "x"})),
            2 => tool(index, "a"),
            3 => text(index, "y"),
            4 => input(index, "{"),
            5 => stop(index),
            6 => block(index, json!({"type": "thinking", "thinking": "", "signature": "s"})),
            _ => end("tool_use")[0].clone(),
        }).collect();
        let events = read(&data);
        prop_assert!(has_end(&events));
        let starts = events.iter().filter_map(|event| match event {
            Event::ToolStart { call, .. } => Some(*call),
            _ => None,
        });
        prop_assert!(starts.enumerate().all(|(at, call)| at == call));
    }
}
