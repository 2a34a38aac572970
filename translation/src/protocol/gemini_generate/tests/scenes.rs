//! What the tests share: requests, streams, and the neutral form put together again.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::facts::Facts;
use crate::ir::{Choice, Event, Part, Request, Response, ToolCall, TranslateError};
use crate::protocol::contract::{AnswerContext, Encoded, Protocol as _, Quirks, StreamEncoder, Target};
use crate::protocol::gemini_generate::GeminiGenerate;

pub(super) const SSE: &str = "\r\n\r\n";

pub(super) fn decoded(body: &Value) -> Request {
    GeminiGenerate.decode_request(body.to_string().as_bytes()).unwrap()
}

pub(super) fn decode_failure(body: &str) -> TranslateError {
    GeminiGenerate.decode_request(body.as_bytes()).unwrap_err()
}

pub(super) fn encoded_for(
    request: &Request,
    model: &str,
    quirks: &Quirks,
    stream: bool,
) -> Result<Encoded, TranslateError> {
    let facts = Facts::built_in().of(model);
    GeminiGenerate.encode_request(request, &Target { model, facts, quirks, stream })
}

pub(super) fn encoded(request: &Request, model: &str) -> Result<Encoded, TranslateError> {
    encoded_for(request, model, &Quirks::NONE, request.stream)
}

/// The body for `model`.
pub(super) fn body(request: &Request, model: &str) -> Value {
    serde_json::from_slice(&encoded(request, model).unwrap().body).unwrap()
}

pub(super) fn dropped(request: &Request, model: &str) -> Vec<String> {
    encoded(request, model).unwrap().dropped.names().iter().map(ToString::to_string).collect()
}

pub(super) fn asked(model: &str) -> AnswerContext {
    let request = Request::new(crate::format::Format::GeminiGenerate, model);
    AnswerContext { id: "gateway-id".to_owned(), created: 1_700_000_000, request: Arc::new(request) }
}

/// The events of `stream`, cut at `cuts`.
pub(super) fn events_cut(stream: &[u8], cuts: &[usize]) -> Vec<Event> {
    let mut decoder = GeminiGenerate.decoder();
    let mut events = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(from, stream.len());
        decoder.push(Bytes::copy_from_slice(&stream[from..cut]), &mut events);
        from = cut;
    }
    decoder.end(&mut events);
    without_made_up_ids(events)
}

pub(super) fn events(stream: &str) -> Vec<Event> {
    events_cut(stream.as_bytes(), &[])
}

/// Ids that the gateway makes up are random.
fn without_made_up_ids(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        if let Event::ToolStart { id, call, .. } = event
            && id.starts_with("call_")
            && id.len() == 29
        {
            *id = format!("made-up-{call}");
        }
    }
    events
}

/// Server-sent events of `chunks`.
pub(super) fn sse(chunks: &[Value]) -> String {
    chunks.iter().flat_map(|chunk| ["data: ".to_owned(), chunk.to_string(), SSE.to_owned()]).collect()
}

/// A chunk with one candidate of `parts`.
pub(super) fn chunk(parts: Value) -> Value {
    serde_json::json!({
        "candidates": [{"content": {"parts": parts, "role": "model"}, "index": 0}],
        "modelVersion": "gemini-3-flash-preview", "responseId": "r1",
    })
}

/// The chunk that ends a stream.
pub(super) fn finish(reason: &str) -> Value {
    let mut chunk = chunk(serde_json::json!([{"text": ""}]));
    chunk["candidates"][0]["finishReason"] = reason.into();
    chunk
}

pub(super) fn written(encoder: &mut dyn StreamEncoder, events: &[Event]) -> String {
    let mut bytes = Vec::new();
    for event in events {
        encoder.event(event, &mut bytes);
    }
    if !matches!(events.last(), Some(Event::Error(_))) {
        encoder.end(&mut bytes);
    }
    String::from_utf8(bytes).unwrap()
}

/// The whole answer that `events` make up.
pub(super) fn collected(events: &[Event]) -> Response {
    let mut response = Response::default();
    let mut choice = Choice::default();
    for event in events.iter().cloned() {
        match event {
            Event::Start(start) => {
                (response.id, response.model, response.usage) = (start.id, start.model, start.usage);
                response.service_tier = start.service_tier;
            }
            Event::Text(more) => match choice.parts.last_mut() {
                Some(Part::Text { text, signature: None, .. }) => text.push_str(&more),
                _ => choice.parts.push(Part::text(more)),
            },
            Event::Thinking(more) => match choice.parts.last_mut() {
                Some(Part::Thinking { text, signature: None }) => text.push_str(&more),
                _ => choice.parts.push(Part::Thinking { text: more, signature: None }),
            },
            Event::ThinkingSignature(signed) => match choice.parts.last_mut() {
                Some(Part::Thinking { signature: place @ None, .. }) => *place = Some(signed),
                _ => choice.parts.push(Part::Thinking { text: String::new(), signature: Some(signed) }),
            },
            Event::TextSignature(signed) => {
                if let Some(Part::Text { signature: place @ None, .. }) = choice.parts.last_mut() {
                    *place = Some(signed);
                }
            }
            Event::RedactedThinking(signature) => choice.parts.push(Part::RedactedThinking(signature)),
            Event::Refusal(text) => choice.parts.push(Part::Refusal(text)),
            Event::ToolStart { id, name, kind, signature, .. } => {
                let arguments = String::new();
                choice.parts.push(Part::ToolCall(ToolCall { id, name, arguments, kind, signature, cache: None }));
            }
            Event::ToolArguments { call, text } => {
                let calls = choice.parts.iter_mut().filter_map(|part| match part {
                    Part::ToolCall(call) => Some(call),
                    _ => None,
                });
                calls.into_iter().nth(call).unwrap().arguments.push_str(&text);
            }
            Event::Media(media) => choice.parts.push(Part::Media(media)),
            Event::Citation(citation) => {
                if let Some(Part::Text { citations, .. }) =
                    choice.parts.iter_mut().find(|part| matches!(part, Part::Text { .. }))
                {
                    citations.push(citation);
                }
            }
            Event::Logprobs(logprobs) => choice.logprobs = Some(logprobs),
            Event::Usage(usage) => response.usage = Some(usage),
            Event::Finish { reason, stop_sequence } => {
                (choice.finish, choice.stop_sequence) = (Some(reason), stop_sequence);
            }
            Event::ToolEnd { .. } => {}
            Event::Error(error) => panic!("{error:?}"),
        }
    }
    response.choices.push(choice);
    response
}
