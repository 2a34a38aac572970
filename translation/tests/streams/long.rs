//! A stream of ten megabytes is read and told as it comes: what is kept does not grow with it, but where a format says
//! everything again in the end.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use translation::Format;
use translation::ir::{Event, Request};
use translation::protocol::contract::{AnswerContext, StreamDecoder, StreamEncoder};

use super::contract::checked;
use super::fixtures::FORMATS;

/// What the stream says at length.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Text,
    Thought,
    Arguments,
}

const LENGTH: usize = 10 * 1024 * 1024;
/// As a connection gives it: no piece ends with an event.
const PORTION: usize = 16_381;
/// Letters of each piece.
const PIECE: usize = 400;
/// More no state takes, shown as text, which is several times as long as what is kept. Gemini cites bytes and others
/// characters: of its texts, it is known where characters begin.
fn most_state(format: Format) -> usize {
    if format == Format::GeminiGenerate { 3 * 1024 * 1024 } else { 16 * PORTION }
}

fn frame(event: &Value) -> String {
    match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    }
}

/// The beginning, a piece, and the end of a stream.
fn parts(format: Format, what: What) -> [String; 3] {
    // In a string of JSON, as arguments are.
    let words = "wörter ".repeat(PIECE / 8);
    let chunk = |delta: Value, finish: Value| {
        frame(
            &json!({"id": "c", "model": "m", "created": 5, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}),
        )
    };
    let call = |more: Value| {
        let mut call = json!({"index": 0});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"tool_calls": [call]})
    };
    let gemini =
        |part: Value| frame(&json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}));
    match (format, what) {
        (Format::OpenAiChat, What::Text) => [
            chunk(json!({"role": "assistant", "content": ""}), Value::Null),
            chunk(json!({"content": words}), Value::Null),
            chunk(json!({}), "stop".into()) + "data: [DONE]\n\n",
        ],
        (Format::OpenAiChat, What::Thought) => [
            chunk(json!({"role": "assistant", "content": ""}), Value::Null),
            chunk(json!({"reasoning_content": words}), Value::Null),
            chunk(json!({"content": "x"}), "stop".into()) + "data: [DONE]\n\n",
        ],
        (Format::OpenAiChat, What::Arguments) => [
            chunk(
                call(json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":\""}})),
                Value::Null,
            ),
            chunk(call(json!({"function": {"arguments": words}})), Value::Null),
            chunk(call(json!({"function": {"arguments": "\"}"}})), "tool_calls".into()) + "data: [DONE]\n\n",
        ],
        (Format::OpenAiResponses, _) => responses(what, &words),
        (Format::AnthropicMessages, _) => anthropic(what, &words),
        (_, What::Text) => [gemini(json!({"text": "a"})), gemini(json!({"text": words})), gemini_end()],
        (_, What::Thought) => {
            [gemini(json!({"text": "a"})), gemini(json!({"text": words, "thought": true})), gemini_end()]
        }
        // Come whole in that format: as many as there are.
        (_, What::Arguments) => {
            let call = json!({"functionCall": {"name": "f", "args": {"a": words}}});
            [gemini(json!({"text": "a"})), gemini(call), gemini_end()]
        }
    }
}

fn gemini_end() -> String {
    frame(&json!({"candidates": [{"content": {"parts": [{"text": "."}]}, "finishReason": "STOP"}]}))
}

fn responses(what: What, words: &str) -> [String; 3] {
    let item = match what {
        What::Text => json!({"type": "message", "id": "i", "role": "assistant", "content": []}),
        What::Thought => json!({"type": "reasoning", "id": "i", "summary": []}),
        What::Arguments => json!({"type": "function_call", "id": "i", "call_id": "c", "name": "f", "arguments": ""}),
    };
    let (delta, piece) = match what {
        What::Text => ("response.output_text.delta", words),
        What::Thought => ("response.reasoning_text.delta", words),
        What::Arguments => ("response.function_call_arguments.delta", words),
    };
    let response = |status: &str| json!({"id": "r", "status": status, "model": "m", "output": []});
    let added = json!({"type": "response.output_item.added", "output_index": 0, "item": item});
    let delta = json!({"type": delta, "output_index": 0, "item_id": "i", "content_index": 0, "delta": piece});
    [
        frame(&json!({"type": "response.created", "response": response("in_progress")})) + &frame(&added),
        frame(&delta),
        frame(&json!({"type": "response.completed", "response": response("completed")})),
    ]
}

fn anthropic(what: What, words: &str) -> [String; 3] {
    let (block, delta) = match what {
        What::Text => (json!({"type": "text", "text": ""}), json!({"type": "text_delta", "text": words})),
        What::Thought => {
            (json!({"type": "thinking", "thinking": ""}), json!({"type": "thinking_delta", "thinking": words}))
        }
        What::Arguments => (
            json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}),
            json!({"type": "input_json_delta", "partial_json": words}),
        ),
    };
    let start = json!({"type": "message_start", "message": {"id": "m", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}});
    [
        frame(&start) + &frame(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
        frame(&json!({"type": "content_block_delta", "index": 0, "delta": delta})),
        frame(&json!({"type": "content_block_stop", "index": 0}))
            + &frame(
                &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}),
            )
            + &frame(&json!({"type": "message_stop"})),
    ]
}

/// How long `state` is when it is shown.
fn size(state: &impl std::fmt::Debug) -> usize {
    let mut shown = String::new();
    write!(shown, "{state:?}").unwrap();
    shown.len()
}

/// Whether `client` says everything again in the end, or can be given only the whole.
fn keeps(client: Format, what: What, from: Format) -> bool {
    match client {
        Format::OpenAiResponses => true,
        // A thought is given again with its signature.
        Format::OpenAiChat => what == What::Thought || from == Format::GeminiGenerate && what == What::Arguments,
        Format::GeminiGenerate => what == What::Arguments,
        _ => from == Format::GeminiGenerate && what == What::Arguments,
    }
}

fn said(event: &Event) -> usize {
    match event {
        Event::Text(text) | Event::Thinking(text) | Event::ToolArguments { text, .. } => text.len(),
        _ => 0,
    }
}

struct Long {
    decoder: Box<dyn StreamDecoder>,
    encoders: Vec<(Format, Box<dyn StreamEncoder>, usize)>,
    said: usize,
    /// What is needed of the events to check their order, which is all but the long words.
    skeleton: Vec<Event>,
}

impl Long {
    fn new(format: Format) -> Self {
        let encoder = |client: Format| {
            let request = Arc::new(Request::new(client, "m"));
            let asked = AnswerContext { id: "a".to_owned(), created: 1, request };
            (client, client.protocol().encoder(asked), 0)
        };
        let encoders = FORMATS.into_iter().map(encoder).collect();
        Self { decoder: format.protocol().decoder(), encoders, said: 0, skeleton: Vec::new() }
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            self.said += said(&event);
            for (_, encoder, told) in &mut self.encoders {
                let mut bytes = Vec::new();
                encoder.event(&event, &mut bytes);
                *told += bytes.len();
            }
            let again = said(&event) > 0 && self.skeleton.last().is_some_and(|last| said(last) > 0 && last == &event);
            if !again && self.skeleton.len() < 64 || matches!(event, Event::ToolEnd { .. } | Event::Finish { .. }) {
                self.skeleton.push(event);
            }
        }
    }
}

fn check(format: Format, what: What) {
    fastrand::seed(7);
    let [start, piece, end] = parts(format, what);
    let pieces = LENGTH / piece.len();
    let words = "wörter ".repeat(PIECE / 8).len() * pieces;
    let stream = [start, piece.repeat(pieces), end].concat();
    let mut long = Long::new(format);
    for (at, portion) in stream.as_bytes().chunks(PORTION).enumerate() {
        let mut events = Vec::new();
        long.decoder.push(Bytes::copy_from_slice(portion), &mut events);
        long.tell(events);
        if at % 100 == 99 {
            let kept = size(&long.decoder);
            assert!(kept < most_state(format), "{format} keeps {what:?}: {kept}");
            // Of what has come, no more than the event that is under way is not told yet.
            let come = (at * PORTION / piece.len()).saturating_sub(2) * (words / pieces);
            assert!(long.said >= come, "{format} holds {what:?} back: {} of {come}", long.said);
            for (client, encoder, told) in &long.encoders {
                if !keeps(*client, what, format) {
                    let kept = size(encoder);
                    assert!(kept < most_state(*client), "{client} keeps {what:?} of {format}: {kept}");
                    assert!(*told >= come, "{client} holds {what:?} of {format} back");
                }
            }
        }
    }
    let mut events = Vec::new();
    long.decoder.end(&mut events);
    long.tell(events);
    assert!(long.said >= words, "{format} loses {what:?}: {} of {words}", long.said);
    for (client, encoder, told) in &mut long.encoders {
        let mut bytes = Vec::new();
        encoder.end(&mut bytes);
        assert!(*told + bytes.len() >= words, "{client} loses {what:?} of {format}");
        // Told once, and at the most three times again: a piece, an item and the answer end.
        assert!(*told + bytes.len() < 8 * stream.len(), "{client} tells {what:?} of {format} too often");
    }
    if format != Format::GeminiGenerate {
        checked(&long.skeleton, format.name());
    }
}

#[test]
fn long_texts_pass_as_they_come() {
    for format in FORMATS {
        check(format, What::Text);
    }
}

#[test]
fn long_thoughts_pass_as_they_come() {
    for format in FORMATS {
        check(format, What::Thought);
    }
}

#[test]
fn long_arguments_pass_as_they_come() {
    for format in FORMATS {
        check(format, What::Arguments);
    }
}
