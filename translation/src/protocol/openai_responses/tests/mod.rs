//! What the tests share.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::OpenAiResponses;
use crate::facts::Facts;
use crate::ir::{CallKind, Choice, Event, Part, Request, Response, ToolCall};
use crate::protocol::contract::{AnswerContext, Encoded, Protocol as _, Quirks, Target};

mod decode;
mod fixtures;
mod namespaces;
mod out_tools;
mod recordings;
mod replay;
mod request_in;
mod request_out;
mod resolve;
mod stream_in;
mod stream_out;

fn decoded(request: &Value) -> Request {
    OpenAiResponses.decode_request(request.to_string().as_bytes()).unwrap()
}

fn target(model: &str) -> Target<'_> {
    Target { model, facts: Facts::built_in().of(model), quirks: &Quirks::NONE, stream: false }
}

fn encoded(request: &Request, model: &str) -> (Value, Encoded) {
    let encoded = OpenAiResponses.encode_request(request, &target(model)).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

fn asked(request: Request) -> AnswerContext {
    AnswerContext { id: "abc".to_owned(), created: 1_790_000_000, request: Arc::new(request) }
}

/// The events of `sse` when it comes in portions that end at `cuts`.
fn events(sse: &[u8], cuts: &[usize]) -> Vec<Event> {
    let mut decoder = OpenAiResponses.decoder();
    let mut events = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&sse.len()]) {
        let cut = cut.clamp(from, sse.len());
        decoder.push(Bytes::copy_from_slice(&sse[from..cut]), &mut events);
        from = cut;
    }
    decoder.end(&mut events);
    events
}

/// The stream that says `events`.
fn stream(events: &[Event], request: Request) -> Vec<u8> {
    let mut encoder = OpenAiResponses.encoder(asked(request));
    let mut bytes = Vec::new();
    for event in events {
        encoder.event(event, &mut bytes);
    }
    if !matches!(events.last(), Some(Event::Error(_))) {
        encoder.end(&mut bytes);
    }
    bytes
}

/// Names and data of the events in a stream.
fn wire(stream: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(stream).unwrap();
    let frames = text.split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| {
            let (name, data) = frame.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

/// The answer that `events` tell, neighbouring texts joined.
fn collected(events: &[Event]) -> Response {
    let mut response = Response::default();
    let mut choice = Choice::default();
    let mut calls: Vec<usize> = Vec::new();
    let mut logprobs: Vec<Value> = Vec::new();
    let mut before = 0;
    for event in events {
        match event {
            Event::Start(start) => {
                (response.id, response.model) = (start.id.clone(), start.model.clone());
                response.created = start.created;
            }
            Event::Text(more) => {
                if let Some(Part::Text { text, .. }) = choice.parts.last_mut() {
                    text.push_str(more);
                } else {
                    let texts = choice.parts.iter().filter_map(Part::as_text);
                    before = texts.map(|text| text.chars().count() as u64).sum();
                    choice.parts.push(Part::text(more.as_str()));
                }
            }
            Event::Thinking(more) => match choice.parts.last_mut() {
                Some(Part::Thinking { text, signature: None }) => text.push_str(more),
                _ => choice.parts.push(Part::Thinking { text: more.clone(), signature: None }),
            },
            Event::ThinkingSignature(signed) => match choice.parts.last_mut() {
                Some(Part::Thinking { signature: signature @ None, .. }) => *signature = Some(signed.clone()),
                _ => {
                    choice.parts.push(Part::Thinking { text: String::new(), signature: Some(signed.clone()) });
                }
            },
            Event::RedactedThinking(signature) => choice.parts.push(Part::RedactedThinking(signature.clone())),
            Event::Refusal(more) => match choice.parts.last_mut() {
                Some(Part::Refusal(text)) => text.push_str(more),
                _ => choice.parts.push(Part::Refusal(more.clone())),
            },
            Event::ToolStart { call, id, name, kind, signature } => {
                assert_eq!(*call, calls.len(), "calls are numbered without a gap");
                calls.push(choice.parts.len());
                choice.parts.push(Part::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                    kind: *kind,
                    signature: signature.clone(),
                    cache: None,
                }));
            }
            Event::ToolArguments { call, text } => {
                assert!(!text.is_empty());
                let Part::ToolCall(call) = &mut choice.parts[calls[*call]] else { panic!("{event:?}") };
                call.arguments.push_str(text);
            }
            Event::ToolEnd { call } => {
                let Part::ToolCall(call) = &choice.parts[calls[*call]] else { panic!("{event:?}") };
                assert!(call.kind == CallKind::Custom || !call.arguments.is_empty());
            }
            Event::Citation(citation) => match choice.parts.last_mut() {
                Some(Part::Text { citations, .. }) => {
                    let moved = |at: Option<u64>| at.map(|at| at - before);
                    let (start, end) = (moved(citation.start), moved(citation.end));
                    citations.push(crate::ir::Citation { start, end, ..citation.clone() });
                }
                _ => panic!("a citation of nothing"),
            },
            Event::Media(media) => choice.parts.push(Part::Media(media.clone())),
            Event::TextSignature(_) => {}
            Event::Logprobs(more) => {
                let more: Value = more.read().unwrap();
                logprobs.extend(more["content"].as_array().unwrap().iter().cloned());
            }
            Event::Usage(usage) => response.usage = Some(*usage),
            Event::Finish { reason, .. } => choice.finish = Some(*reason),
            Event::Error(error) => panic!("{error:?}"),
        }
    }
    if !logprobs.is_empty() {
        choice.logprobs = Some(crate::json::Json::of(&serde_json::json!({ "content": logprobs })));
    }
    response.choices.push(choice);
    response
}

/// All files of `folder`, by name.
fn files(folder: &Path) -> Vec<(String, Value)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}
