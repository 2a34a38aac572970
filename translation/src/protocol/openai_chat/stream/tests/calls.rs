use serde_json::json;

use super::decode::{DONE, delta, events, finish, piece};
use crate::ir::{ErrorKind, Event};
use crate::protocol::sse::LARGEST_EVENT;

#[test]
fn a_call_ends_when_text_follows_its_whole_arguments() {
    let call = json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    let told =
        events(&[piece(call), delta(json!({"content": "then"})), finish("tool_calls"), DONE.to_owned()].concat());
    let end = told.iter().position(|event| *event == Event::ToolEnd { call: 0 }).unwrap();
    let text = told.iter().position(|event| *event == Event::Text("then".into())).unwrap();
    assert!(end < text, "{told:?}");
}

#[test]
fn text_between_the_pieces_of_a_call_does_not_end_it() {
    let stream = [
        piece(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{\"a\":"}})),
        delta(json!({"content": "meanwhile"})),
        piece(json!({"index": 0, "function": {"arguments": "1}"}})),
        piece(json!({"index": 1, "id": "2", "custom": {"name": "g", "input": "{}"}})),
        delta(json!({"content": "free"})),
        piece(json!({"index": 1, "custom": {"input": " text"}})),
        finish("tool_calls"),
    ];
    let told = events(&stream.concat());
    for (call, text) in [(0, "1}"), (1, " text")] {
        assert!(told.contains(&Event::ToolArguments { call, text: text.to_owned() }), "{told:?}");
    }
}

#[test]
fn calls_without_end_are_an_error_and_not_endless_work() {
    let many: Vec<String> = (0..2_000)
        .map(|index| {
            piece(json!({"index": index, "id": format!("i{index}"), "function": {"name": "f", "arguments": "{}"}}))
        })
        .collect();
    let nameless: Vec<String> = (0..40)
        .map(|index| {
            piece(json!({"index": index, "id": "i", "function": {"arguments": "x".repeat(LARGEST_EVENT / 32)}}))
        })
        .collect();
    for stream in [many.concat(), nameless.concat()] {
        let told = events(&stream);
        let Some(Event::Error(error)) = told.last() else { panic!("{:?}", told.last()) };
        assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Server, Some("bad_upstream_response")));
        assert!(!told.iter().any(|event| matches!(event, Event::Finish { .. })));
    }
}
