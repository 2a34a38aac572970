//! Behaviour of the whole format.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::AnthropicMessages;
use crate::facts::Facts;
use crate::format::Format;
use crate::ir::{Event, Message, Part, Request, Response, Role, TranslateError};
use crate::protocol::contract::{AnswerContext, Encoded, Protocol, Quirks, Target};

mod answers;
mod errors;
mod fixtures;
mod history;
mod metering;
mod outputs;
mod prompts;
mod replay;
mod requests;
mod schemas;
mod signatures;
mod streams_in;
mod streams_out;
mod thinking;
mod tools;

/// A model that takes a thinking budget, sampling and prefill.
const SONNET_4: &str = "claude-sonnet-4-20250514";
/// A model that decides for itself how long it thinks.
const SONNET_46: &str = "claude-sonnet-4-6";
/// A model that always thinks and cannot be forced to a tool.
const OPUS_55: &str = "claude-opus-5-5";

/// A request of a client of OpenAI chat.
fn chat(parts: impl IntoIterator<Item = (Role, Vec<Part>)>) -> Request {
    let mut request = Request::new(Format::OpenAiChat, "some-model");
    let messages = parts.into_iter().enumerate();
    request.messages = messages.map(|(at, (role, parts))| Message::new(role, parts, at)).collect();
    request
}

/// A request of one message of a client of OpenAI chat.
fn hello() -> Request {
    chat([(Role::User, vec![Part::text("Hello")])])
}

fn encode_for(request: &Request, model: &str, stream: bool) -> Result<Encoded, TranslateError> {
    let facts = Facts::built_in().of(model);
    AnthropicMessages.encode_request(request, &Target { model, facts, quirks: &Quirks::NONE, stream })
}

/// The body that `request` comes to for `model`, and what was left out.
fn written(request: &Request, model: &str) -> (Value, Vec<String>) {
    let encoded = encode_for(request, model, true).unwrap();
    let dropped = encoded.dropped.names().iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), dropped)
}

fn body(request: &Request, model: &str) -> Value {
    written(request, model).0
}

fn refused(request: &Request, model: &str) -> TranslateError {
    encode_for(request, model, true).unwrap_err()
}

fn decoded(body: &Value) -> Request {
    AnthropicMessages.decode_request(body.to_string().as_bytes()).unwrap()
}

fn asked(request: Request) -> AnswerContext {
    AnswerContext { id: "1a2b3c".to_owned(), created: 1_790_000_000, request: Arc::new(request) }
}

/// The answer as a client of this format gets it.
fn answered(response: &Response) -> Value {
    let request = Request::new(Format::AnthropicMessages, "the-clients-name");
    serde_json::from_slice(&AnthropicMessages.encode_response(response, &asked(request))).unwrap()
}

/// The events of a provider's stream that comes in portions which end at `cuts`.
fn events_of(sse: &[u8], cuts: &[usize]) -> Vec<Event> {
    let mut decoder = AnthropicMessages.decoder();
    let mut events = Vec::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([sse.len()]) {
        let cut = cut.clamp(at, sse.len());
        decoder.push(Bytes::copy_from_slice(&sse[at..cut]), &mut events);
        at = cut;
    }
    decoder.end(&mut events);
    events
}

/// The stream that says `events` to a client of this format.
fn stream_of(events: &[Event]) -> String {
    let request = Request::new(Format::AnthropicMessages, "the-clients-name");
    let mut encoder = AnthropicMessages.encoder(asked(request));
    let mut bytes = Vec::new();
    for event in events {
        encoder.event(event, &mut bytes);
    }
    if !matches!(events.last(), Some(Event::Error(_))) {
        encoder.end(&mut bytes);
    }
    String::from_utf8(bytes).unwrap()
}

/// A stream's frames: the name of each, and its data.
fn frames(sse: &str) -> Vec<(String, Value)> {
    let frames = sse.split("\n\n").filter(|frame| !frame.is_empty());
    let frame = |frame: &str| {
        let (name, data) = frame.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        (name, serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap())
    };
    frames.map(frame).collect()
}

/// A provider's stream of these events' data.
fn sse(data: &[Value]) -> String {
    let frame = |data: &Value| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or("error"));
    data.iter().map(frame).collect::<Vec<_>>().concat()
}
