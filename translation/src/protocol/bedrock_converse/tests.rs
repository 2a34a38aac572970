//! The Converse API as a provider speaks it.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};

use super::BedrockConverse;
use crate::facts::Facts;
use crate::format::Format;
use crate::ir::{Event, Part, ProviderError, Request, Role, TranslateError};
use crate::protocol::contract::{Encoded, Protocol as _, Quirks, Target};

mod answers;
mod errors;
mod fixtures;
mod history;
mod media;
mod outputs;
mod prompts;
mod streams;
mod thinking;
mod tools;

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS: &str = "global.anthropic.claude-opus-5-5-v1";
const NOVA: &str = "amazon.nova-pro-v1:0";
const LLAMA: &str = "us.meta.llama4-scout-17b-instruct-v1:0";

/// A request of OpenAI chat's with one message of the user.
fn request() -> Request {
    let mut request = Request::new(Format::OpenAiChat, "m");
    request.messages.push(crate::ir::Message::new(Role::User, vec![Part::text("Hi")], 0));
    request
}

fn encode(request: &Request, model: &str) -> Result<Encoded, TranslateError> {
    let target = Target { model, facts: Facts::built_in().of(model), quirks: &Quirks::NONE, stream: request.stream };
    BedrockConverse.encode_request(request, &target)
}

fn encoded(request: &Request, model: &str) -> (Value, Encoded) {
    let encoded = encode(request, model).unwrap();
    (serde_json::from_slice(&encoded.body).unwrap(), encoded)
}

fn body(request: &Request, model: &str) -> Value {
    encoded(request, model).0
}

fn dropped(encoded: &Encoded) -> Vec<&str> {
    encoded.dropped.names().iter().map(|name| &**name).collect()
}

fn frame(headers: &[(&'static str, &str)], payload: &str) -> Bytes {
    let message = Message::new(Bytes::copy_from_slice(payload.as_bytes()));
    let message = headers.iter().fold(message, |message, (name, value)| {
        message.add_header(Header::new(*name, HeaderValue::String((*value).to_owned().into())))
    });
    let mut bytes = BytesMut::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes.freeze()
}

/// `{"messageStart": {...}}` as the frame that says so.
fn event(event: &Value) -> Bytes {
    let (name, payload) = event.as_object().unwrap().iter().next().unwrap();
    let kind = if name.ends_with("Exception") { ("exception", ":exception-type") } else { ("event", ":event-type") };
    let headers = [(kind.1, name.as_str()), (":content-type", "application/json"), (":message-type", kind.0)];
    frame(&headers, &payload.to_string())
}

fn stream(events: &[Value]) -> Bytes {
    events.iter().map(event).collect::<Vec<_>>().concat().into()
}

/// The events of `bytes`, which come in portions of `portion` bytes.
fn decode_in(bytes: &Bytes, portion: usize) -> Vec<Event> {
    // Ids that a decoder makes up are the same in every run.
    fastrand::seed(7);
    let mut decoder = BedrockConverse.decoder();
    let mut events = Vec::new();
    for at in (0..bytes.len()).step_by(portion.max(1)) {
        decoder.push(bytes.slice(at..bytes.len().min(at + portion)), &mut events);
    }
    decoder.end(&mut events);
    events
}

fn decode(events: &[Value]) -> Vec<Event> {
    let bytes = stream(events);
    decode_in(&bytes, bytes.len())
}

fn error_of(events: &[Event]) -> &ProviderError {
    match events.last() {
        Some(Event::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn text(words: &str) -> Value {
    json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": words}}})
}

fn stop(reason: &str) -> Value {
    json!({"messageStop": {"stopReason": reason}})
}

fn metadata(input: u64, output: u64) -> Value {
    json!({"metadata": {"usage": {"inputTokens": input, "outputTokens": output, "totalTokens": input + output}, "metrics": {"latencyMs": 5}}})
}
