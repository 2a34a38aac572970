//! An exchange is read, written again, and read to the same.

use bytes::Bytes;
use serde_json::Value;

use super::{OpenAiResponses, asked, collected, decoded, events, stream};
use crate::facts::ModelFacts;
use crate::ir::{Event, Message, Part, Request, Response, ToolKind};
use crate::protocol::contract::{Protocol as _, Quirks, Seen, Target};
use crate::protocol::openai_responses::response_id;
use crate::protocol::sse;

/// What a request says, whatever it was written as.
fn meaning(mut request: Request) -> Request {
    for message in &mut request.messages {
        message.origin = 0;
        message.parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
        for part in &mut message.parts {
            // History carries no annotations.
            if let Part::Text { citations, .. } = part {
                citations.clear();
            }
        }
    }
    request.messages.retain(|message: &Message| !message.parts.is_empty());
    for tool in &mut request.tools {
        if let ToolKind::Function { strict, .. } = &mut tool.kind {
            *strict = Some(strict.unwrap_or(false));
        }
    }
    request
}

pub(super) fn request_makes_the_round(name: &str, body: &Value) {
    let request = decoded(body);
    // A model that takes whatever there is.
    let facts = ModelFacts::default();
    let target = Target { model: &request.model, facts: &facts, quirks: &Quirks::NONE, stream: request.stream };
    let again = OpenAiResponses.encode_request(&request, &target).unwrap();
    assert!(again.dropped.is_empty(), "{name}: {:?}", again.dropped);
    let again = OpenAiResponses.decode_request(&again.body).unwrap();
    assert_eq!(meaning(again), meaning(request), "{name}");
}

/// What of an answer an encoded answer can say: ids and models are the gateway's own.
fn told(mut response: Response) -> Response {
    (response.id, response.created, response.model) = (None, None, None);
    response
}

pub(super) fn response_makes_the_round(name: &str, request: &Value, body: &str) {
    let response = OpenAiResponses.decode_response(body.as_bytes()).unwrap();
    assert_eq!(OpenAiResponses.usage(body.as_bytes()).unwrap(), response.usage, "{name}");
    let tail = &body.as_bytes()[body.len() / 2..];
    if tail.windows(7).any(|window| window == b"\"usage\"") {
        assert_eq!(OpenAiResponses.usage_in_tail(tail), response.usage, "{name}");
    }
    assert_eq!(response_id(body.as_bytes()), response.id, "{name}");
    if response.choices[0].finish.is_none() {
        return;
    }
    let again = OpenAiResponses.encode_response(&response, &asked(decoded(request)));
    let again = OpenAiResponses.decode_response(&again).unwrap();
    assert_eq!(told(again), told(response), "{name}");
}

pub(super) fn stream_makes_the_round(name: &str, request: &Value, sse: &str) {
    let whole = events(sse.as_bytes(), &[]);
    assert!(matches!(whole.first(), Some(Event::Start(_))), "{name}");
    assert!(matches!(whole.last(), Some(Event::Finish { .. })), "{name}: {:?}", whole.last());
    any_split_gives_the_same(name, sse);
    let again = stream(&whole, decoded(request));
    let again = collected(&events(&again, &[]));
    assert_eq!(told(again), told(collected(&whole)), "{name}");

    // What the last event holds is what the events before it told, and what metering sees.
    let mut watcher = OpenAiResponses.watcher();
    let (mut last, mut seen) = (Value::Null, Seen::default());
    for event in sse::events(Bytes::copy_from_slice(sse.as_bytes())) {
        let Some(data) = sse::data(&event) else { continue };
        let now = watcher.event(&data);
        if now.done {
            (last, seen) = (serde_json::from_slice(&data).unwrap(), now);
        } else {
            assert_eq!(now, Seen::default(), "{name}");
        }
    }
    let answer = OpenAiResponses.decode_response(last["response"].to_string().as_bytes()).unwrap();
    assert_eq!(seen.usage, answer.usage, "{name}");
    assert_eq!(plain(collected(&whole)), plain(answer), "{name}");
}

pub(super) fn any_split_gives_the_same(name: &str, sse: &str) {
    let whole = events(sse.as_bytes(), &[]);
    for step in [1, 7, 64, 1_000] {
        let cuts: Vec<_> = (0..sse.len()).step_by(step).collect();
        assert_eq!(events(sse.as_bytes(), &cuts), whole, "{name} in portions of {step}");
    }
}

/// What streams and whole answers have in common: neighbouring texts are one, what only the provider knows is left out,
/// and thoughts are encrypted anew for every event.
fn plain(response: Response) -> Response {
    let mut response = told(response);
    response.service_tier = None;
    let choice = &mut response.choices[0];
    let mut parts: Vec<Part> = Vec::new();
    for part in std::mem::take(&mut choice.parts) {
        match (parts.last_mut(), part) {
            (_, Part::Opaque { .. }) => {}
            (Some(Part::Text { text, .. }), Part::Text { text: more, .. }) => text.push_str(&more),
            (_, Part::Thinking { text, signature: Some(mut signature) }) => {
                signature.data.clear();
                parts.push(Part::Thinking { text, signature: Some(signature) });
            }
            (_, part) => parts.push(part),
        }
    }
    choice.parts = parts;
    response
}
