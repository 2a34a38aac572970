use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::decoder::Decoder;
use crate::format::Family;
use crate::ir::{CallKind, Collector, ErrorKind, Event, Finish, Part, ProviderError, Response, Signature, ToolCall};
use crate::protocol::contract::StreamDecoder as _;

/// The events of a stream, cut at `cuts`.
fn events_cut(stream: &[u8], cuts: &[usize]) -> Vec<Event> {
    let (mut decoder, mut events, mut from) = (Decoder::new(), Vec::new(), 0);
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(from, stream.len());
        decoder.push(Bytes::copy_from_slice(&stream[from..cut]), &mut events);
        from = cut;
    }
    decoder.end(&mut events);
    events
}

pub(super) fn events(stream: &str) -> Vec<Event> {
    events_cut(stream.as_bytes(), &[])
}

fn frame(value: &Value) -> String {
    format!("data: {value}\n\n")
}

/// One chunk with a delta.
pub(super) fn delta(delta: Value) -> String {
    frame(
        &json!({"id": "c", "model": "m", "created": 5, "choices": [{"index": 0, "delta": delta, "finish_reason": null}]}),
    )
}

pub(super) fn finish(reason: &str) -> String {
    frame(&json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

pub(super) const DONE: &str = "data: [DONE]\n\n";

fn collected(stream: &str) -> Result<Response, ProviderError> {
    let mut collector = Collector::default();
    let events = events(stream);
    check_order(&events);
    for event in events {
        collector.event(event)?;
    }
    collector.finish()
}

/// The order that the contract of events demands.
pub(in super::super) fn check_order(events: &[Event]) {
    let (mut started, mut over, mut calls, mut ended) = (false, false, 0, 0);
    for event in events {
        assert!(!over, "{events:?}");
        match event {
            Event::Error(_) => over = true,
            Event::Start(_) => {
                assert!(!started);
                started = true;
            }
            other => {
                assert!(started, "{events:?}");
                match other {
                    Event::ToolStart { call, id, name, .. } => {
                        assert_eq!(*call, calls);
                        assert!(!id.is_empty() && !name.is_empty());
                        calls += 1;
                    }
                    Event::ToolArguments { call, text } => assert!(*call < calls && !text.is_empty()),
                    Event::ToolEnd { call } => {
                        assert!(*call < calls);
                        ended += 1;
                    }
                    Event::Text(text) | Event::Thinking(text) => assert!(!text.is_empty()),
                    Event::Finish { .. } => {
                        assert_eq!(calls, ended);
                        over = true;
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(over, "{events:?}");
}

fn parts(stream: &str) -> Vec<Part> {
    collected(stream).unwrap().choices.remove(0).parts
}

fn error(stream: &str) -> ProviderError {
    collected(stream).unwrap_err()
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
    Part::ToolCall(ToolCall { id, name, arguments, kind: CallKind::Function, signature: None, cache: None })
}

pub(super) fn piece(call: Value) -> String {
    delta(json!({"tool_calls": [call]}))
}

#[test]
fn text_is_told_as_it_comes_and_the_end_waits_for_usage() {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    let mut push = |text: String| {
        events.clear();
        decoder.push(Bytes::from(text), &mut events);
        events.clone()
    };
    assert!(
        matches!(&push(delta(json!({"role": "assistant", "content": ""})))[..], [Event::Start(start)] if start.created == Some(5))
    );
    assert_eq!(push(delta(json!({"content": "a"}))), [Event::Text("a".into())]);
    assert_eq!(push(finish("stop")), []);
    let usage = frame(&json!({"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}));
    let [Event::Usage(usage), Event::Finish { reason: Finish::Stop, .. }] = &push(usage)[..] else { panic!() };
    assert_eq!((usage.input, usage.output), (1, 2));
    assert_eq!(push(DONE.to_owned()), []);
    assert!(decoder.done());
}

#[test]
fn point_03_tool_index_is_dense_and_calls_are_told_apart() {
    let f = |index: Value, id: &str, arguments: &str| {
        let mut call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
        if !index.is_null() {
            call["index"] = index;
        }
        piece(call)
    };
    let two = [call("1", "f", r#"{"a":1}"#), call("2", "f", r#"{"b":2}"#)];
    let tell = |a: String, b: String| parts(&[a, b, finish("tool_calls"), DONE.to_owned()].concat());
    // Numbered from 1, all numbered 0, not numbered at all.
    for (first, second) in [(json!(1), json!(2)), (json!(0), json!(0)), (Value::Null, Value::Null)] {
        assert_eq!(tell(f(first, "1", r#"{"a":1}"#), f(second, "2", r#"{"b":2}"#)), two);
    }
    // Without ids: the same name again, behind whole arguments.
    let nameless = tell(f(Value::Null, "", r#"{"a":1}"#), f(Value::Null, "", r#"{"b":2}"#));
    assert_eq!(nameless.len(), 2);
    // Interleaved.
    let more = |index: u64, arguments: &str| piece(json!({"index": index, "function": {"arguments": arguments}}));
    let stream = [
        f(json!(0), "1", ""),
        f(json!(1), "2", ""),
        more(0, "{\"a\""),
        more(1, "{\"b\""),
        more(0, ":1}"),
        more(1, ":2}"),
        finish("tool_calls"),
    ];
    assert_eq!(parts(&stream.concat()), two);
}

#[test]
fn point_04_a_name_or_an_id_that_is_repeated_is_told_once() {
    let repeat =
        |arguments: &str| piece(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": arguments}}));
    assert_eq!(parts(&[repeat("{\"a\""), repeat(":1}"), finish("tool_calls")].concat()), [call("1", "f", "{\"a\":1}")]);
    let nameless = piece(json!({"index": 0, "id": "", "function": {"name": "", "arguments": ":1}"}}));
    assert_eq!(parts(&[repeat("{\"a\""), nameless, finish("tool_calls")].concat()), [call("1", "f", "{\"a\":1}")]);
    // The name may come behind the id, and arguments before the name.
    let late = [
        piece(json!({"index": 0, "id": "1"})),
        piece(json!({"index": 0, "function": {"arguments": "{"}})),
        repeat("}"),
        finish("stop"),
    ];
    assert_eq!(parts(&late.concat()), [call("1", "f", "{}")]);
}

#[test]
fn point_02_arguments_that_never_come_are_an_empty_object() {
    for arguments in [json!(""), json!(null), json!("null")] {
        let stream = [
            piece(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": arguments}})),
            finish("tool_calls"),
        ];
        assert_eq!(parts(&stream.concat()), [call("1", "f", "{}")]);
    }
    let stream = [piece(json!({"index": 0, "id": "1", "function": {"name": "f"}})), finish("tool_calls")];
    assert_eq!(parts(&stream.concat()), [call("1", "f", "{}")]);
}

#[test]
fn a_call_ends_when_another_begins_behind_its_whole_arguments() {
    let f = |index: u64, arguments: &str| {
        piece(json!({"index": index, "id": index.to_string(), "function": {"name": "f", "arguments": arguments}}))
    };
    let told = events(&[f(0, "{}"), f(1, "{"), f(2, "{}"), finish("stop")].concat());
    let at = |wanted: &Event| told.iter().position(|event| event == wanted).unwrap();
    let start = |wanted: usize| {
        told.iter().position(|event| matches!(event, Event::ToolStart { call, .. } if *call == wanted)).unwrap()
    };
    assert!(at(&Event::ToolEnd { call: 0 }) < start(1));
    assert!(at(&Event::ToolEnd { call: 1 }) > start(2));
}

#[test]
fn point_05_called_tools_are_the_reason_to_stop() {
    let f = piece(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}}));
    for end in [finish("stop"), finish("tool_calls"), DONE.to_owned()] {
        assert_eq!(collected(&[f.clone(), end].concat()).unwrap().choices[0].finish, Some(Finish::ToolCalls));
    }
}

#[test]
fn point_10_errors_in_a_stream_are_errors() {
    let hi = delta(json!({"content": "Hi"}));
    let broken = json!({"error": {"message": "boom", "type": "server_error", "code": null}});
    for frame in [
        frame(&broken),
        format!("event: error\n{}", frame(&broken)),
        format!("event: error\n{}", frame(&json!({"message": "boom"}))),
        serde_json::to_string_pretty(&broken).unwrap(),
        format!("{broken}\n\n"),
        frame(
            &json!({"id": "c", "error": {"message": "boom", "code": 502}, "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}),
        ),
        frame(&json!({"type": "error", "error": {"message": "boom"}})),
        frame(&json!({"object": "error", "message": "boom"})),
    ] {
        let stream = format!("{hi}{frame}{}", delta(json!({"content": "never"})));
        let told = events(&stream);
        assert!(
            matches!(told.last(), Some(Event::Error(error)) if error.message == "boom" && error.kind == ErrorKind::Server),
            "{stream}\n{told:?}"
        );
        check_order(&told);
    }
    assert_eq!(error(&frame(&json!({"error": {"message": "slow", "code": 429}}))).kind, ErrorKind::RateLimited);
    assert_eq!(error("data: Internal Server Error\n\n").code.as_deref(), Some("bad_upstream_response"));
}

#[test]
fn point_11_a_stream_that_breaks_off_is_an_error() {
    let hi = delta(json!({"content": "Hi"}));
    let call = piece(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{"}}));
    for stream in [
        String::new(),
        hi.clone(),
        format!("{hi}data: {{\"id\":\"c\",\"cho"),
        call,
        DONE.to_owned(),
        ": comment\n\n".to_owned(),
    ] {
        assert_eq!(error(&stream).code.as_deref(), Some("upstream_stream_truncated"), "{stream}");
    }
    // Said to be complete, one way or the other.
    for end in [
        finish("stop"),
        DONE.to_owned(),
        "data: [DONE]".to_owned(),
        finish("stop").trim_end().to_owned(),
        format!("{}data: {{\"us", finish("stop")),
    ] {
        assert_eq!(parts(&format!("{hi}{end}")), [Part::text("Hi")], "{end}");
    }
}

#[test]
fn an_event_without_an_end_is_refused() {
    for portion in [1 << 16, 1 << 22] {
        let stream = format!("{}data: {}", delta(json!({"content": "Hi"})), "x".repeat(3 << 20));
        let cuts: Vec<usize> = (200..stream.len()).step_by(portion).collect();
        let told = events_cut(stream.as_bytes(), &cuts);
        assert!(matches!(told.last(), Some(Event::Error(error)) if error.kind == ErrorKind::Server));
        check_order(&told);
    }
}

#[test]
fn oddities_of_vendors() {
    let stream = [
        "\u{feff}: comment\r\n\r\n".to_owned(),
        frame(&json!({"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": []})).replace('\n', "\r\n"),
        frame(&json!({"type": "ping"})),
        frame(&json!(1)),
        "data:\n\n".to_owned(),
        "event: ping\ndata: x\n\n".to_owned(),
        frame(&json!({"id": "c", "choices": null})),
        delta(json!({"role": "assistant", "content": null, "reasoning": null, "tool_calls": null, "function_call": {"name": "", "arguments": ""}})),
        delta(json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "x"}]})),
        delta(json!({"content": "y"})).replace("data: ", "data:"),
        frame(&json!({"id": "c", "choices": [{"index": 1, "delta": {"content": "other"}}]})),
        frame(&json!({"id": "c", "choices": [{"delta": {}, "finish_reason": "stop", "usage": {"prompt_tokens": 3}}]})),
        frame(&json!({"id": "c", "choices": [{"delta": {"content": ""}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 4}})),
        DONE.to_owned(),
    ].concat();
    let response = collected(&stream).unwrap();
    assert_eq!(response.choices[0].parts, [Part::Thinking { text: "t".into(), signature: None }, Part::text("xy")]);
    assert_eq!((response.id.as_deref(), response.usage.unwrap().input), (Some("c"), 4));
    // A vendor that does not stream.
    let whole = json!({"id": "c", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}});
    assert_eq!(parts(&whole.to_string()), [Part::text("x")]);
}

#[test]
fn point_21_thoughts_and_their_signatures() {
    let signed = |data: &str| Some(Signature { family: Family::Anthropic, data: data.to_owned() });
    let stream = [
        delta(json!({"reasoning_content": "a"})),
        delta(json!({"reasoning_content": "b"})),
        delta(json!({"thinking_blocks": [{"type": "thinking", "thinking": "ab", "signature": "s"}]})),
        delta(json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "r"}]})),
        delta(json!({"content": "x"})),
        finish("stop"),
    ]
    .concat();
    let thought = Part::Thinking { text: "ab".into(), signature: signed("s") };
    assert_eq!(parts(&stream), [thought.clone(), Part::RedactedThinking(signed("r").unwrap()), Part::text("x")]);
    let detail = |detail: Value| delta(json!({"reasoning": detail["text"], "reasoning_details": [detail]}));
    let stream = [
        detail(json!({"type": "reasoning.text", "text": "ab", "format": "anthropic-claude-v1"})),
        detail(json!({"type": "reasoning.text", "signature": "s", "format": "anthropic-claude-v1"})),
        finish("stop"),
    ]
    .concat();
    assert_eq!(parts(&stream), [thought]);
}

#[test]
fn refusals_pages_sounds_custom_tools_and_the_function_of_before() {
    let stream = [
        delta(json!({"content": "x"})),
        delta(json!({"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}]})),
        delta(json!({"refusal": "no"})),
        delta(json!({"audio": {"id": "a", "data": "QUJD", "transcript": "w"}})),
        piece(json!({"index": 0, "id": "1", "type": "custom", "custom": {"name": "g", "input": ""}})),
        piece(json!({"index": 0, "custom": {"input": "free {"}})),
        finish("tool_calls"),
    ].concat();
    let read = parts(&stream);
    assert!(matches!(&read[0], Part::Text { citations, .. } if citations[0].end == Some(1)));
    assert!(matches!(&read[2], Part::Media(media) if media.transcript.as_deref() == Some("w")));
    assert!(matches!(&read[3], Part::ToolCall(call) if call.kind == CallKind::Custom && call.arguments == "free {"));
    let function = |function: Value| delta(json!({"content": null, "function_call": function}));
    let stream = [
        function(json!({"name": "f", "arguments": ""})),
        function(json!({"arguments": "{}"})),
        finish("function_call"),
    ]
    .concat();
    assert!(matches!(&parts(&stream)[..], [Part::ToolCall(call)] if call.arguments == "{}"));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(mut cuts in prop::collection::vec(0_usize..1400, 0..12)) {
        cuts.sort_unstable();
        let stream = [
            ": comment\r\n\r\n".to_owned(),
            delta(json!({"role": "assistant", "content": ""})).replace('\n', "\r\n"),
            delta(json!({"content": "né🦀"})),
            piece(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": ""}})),
            piece(json!({"index": 0, "function": {"arguments": "{\"a\":\"\\\"}\"}"}})),
            piece(json!({"index": 1, "id": "2", "function": {"name": "g", "arguments": "{}"}})),
            finish("tool_calls"),
            frame(&json!({"id": "c", "choices": [], "usage": {"prompt_tokens": 1}})),
            DONE.to_owned(),
        ].concat();
        prop_assert_eq!(events_cut(stream.as_bytes(), &cuts), events_cut(stream.as_bytes(), &[]));
    }

    #[test]
    fn any_bytes_end_in_an_end_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
        check_order(&events_cut(&bytes, &[cut]));
    }

    #[test]
    fn any_json_is_read(
        values in prop::collection::vec(prop::sample::select(vec![
            "null", "1", "\"x\"", "[]", "{}", "[null]", "[{\"index\":0,\"delta\":{\"content\":5,\"tool_calls\":[{\"id\":7}]}}]", "true", "-1.5",
            "[{\"delta\":{\"tool_calls\":{\"a\":1},\"content\":\"y\",\"refusal\":[]},\"finish_reason\":{}}]",
            "[{\"delta\":{\"tool_calls\":[null,{\"index\":-1,\"function\":{\"name\":\"f\",\"arguments\":[1]}}]}}]",
        ]), 5),
    ) {
        let names = ["id", "choices", "usage", "model", "created"];
        let fields: Vec<String> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        check_order(&events(&format!("data: {{{}}}\n\n", fields.join(","))));
        let _ = super::super::super::answer::decode::response(format!("{{{}}}", fields.join(",")).as_bytes());
    }
}
