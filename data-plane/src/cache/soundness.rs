//! Whether an answer is one to keep: whole, saying something, and ended by the model itself. It is read as the client's
//! own program would read it, whichever way it was made.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde_json::value::RawValue;
use translation::Format;
use translation::ir::{self, Collector, Finish, Part};
use translation::protocol::sse;

/// How some answers of a stream of several say that they were filtered. Only the first of them is read.
const FILTERED: &[u8] = b"\"content_filter\"";

/// The `body` of an answer as it is kept: without what only kept a connection alive. None where it is not to be kept.
/// `chat` is the format of an answer of a chat API; others hold vectors.
pub(super) fn sound(chat: Option<Format>, streams: bool, body: Bytes) -> Option<Bytes> {
    let body = if streams { events_of(body) } else { body.slice_ref(body.trim_ascii()) };
    let Some(format) = chat else { return body.starts_with(b"{").then_some(body) };
    let response = if streams {
        collected(format, body.clone())
    } else if body.starts_with(b"[") {
        collected(format, as_events(&body)?)
    } else {
        format.protocol().decode_response(&body).ok()
    };
    let filtered = memmem::find(&body, FILTERED).is_some();
    (!filtered && response.is_some_and(|response| is_sound(&response))).then_some(body)
}

/// The events of a stream that say something to the client's program, and not only to its connection.
fn events_of(body: Bytes) -> Bytes {
    let silent = |event: &Bytes| {
        let text = event.trim_ascii();
        text.is_empty() || (text.starts_with(b":") && sse::data(event).is_none())
    };
    let mut kept = BytesMut::with_capacity(body.len());
    sse::events(body).filter(|event| !silent(event)).for_each(|event| kept.extend_from_slice(&event));
    kept.freeze()
}

/// The elements of a JSON array as events, which Gemini's clients get otherwise.
fn as_events(body: &[u8]) -> Option<Bytes> {
    let elements: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
    let mut events = BytesMut::with_capacity(body.len());
    for element in elements {
        events.extend_from_slice(b"data: ");
        // Line ends within an element would end the event.
        events.extend(element.get().bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        events.extend_from_slice(b"\n\n");
    }
    Some(events.freeze())
}

fn collected(format: Format, events: Bytes) -> Option<ir::Response> {
    let mut decoder = format.protocol().decoder();
    let (mut collector, mut read) = (Collector::default(), Vec::new());
    decoder.push(events, &mut read);
    decoder.end(&mut read);
    read.into_iter().try_for_each(|event| collector.event(event)).ok()?;
    collector.finish().ok()
}

fn is_sound(response: &ir::Response) -> bool {
    let sound = |choice: &ir::Choice| {
        let ended = matches!(choice.finish, Some(Finish::Stop | Finish::Length | Finish::ToolCalls));
        let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
        ended && !refused && choice.parts.iter().any(says)
    };
    !response.choices.is_empty() && response.choices.iter().all(sound)
}

/// Whether `part` is more than a thought.
fn says(part: &Part) -> bool {
    match part {
        Part::Text { text, .. } => !text.is_empty(),
        Part::Thinking { .. } | Part::RedactedThinking(_) | Part::Refusal(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
