//! The recorded streams, and how they are read and told.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde_json::Value;
use translation::Format;
use translation::ir::{Event, Request};
use translation::protocol::contract::{AnswerContext, StreamEncoder};
use translation::protocol::gemini_generate::array_encoder;

pub(crate) const FORMATS: [Format; 4] =
    [Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages, Format::GeminiGenerate];

/// A stream of a provider.
pub(crate) struct Fixture {
    pub(crate) format: Format,
    pub(crate) name: String,
    pub(crate) stream: String,
}

/// Those of every provider.
pub(crate) static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    let mut fixtures = Vec::new();
    for format in FORMATS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(format.name());
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let exchange: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            if let Some(stream) = exchange["sse"].as_str() {
                let name = format!("{format}/{}", path.file_stem().unwrap().to_str().unwrap());
                fixtures.push(Fixture { format, name, stream: stream.to_owned() });
            }
        }
    }
    fixtures.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(fixtures.len() >= 60, "{}", fixtures.len());
    fixtures
});

/// The events of `stream` when it comes in portions that end at `cuts`.
pub(crate) fn events_cut(format: Format, stream: &[u8], cuts: &[usize]) -> Vec<Event> {
    // Ids that a decoder makes up are the same in every run.
    fastrand::seed(7);
    let (mut decoder, mut events, mut from) = (format.protocol().decoder(), Vec::new(), 0);
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(from, stream.len());
        decoder.push(Bytes::copy_from_slice(&stream[from..cut]), &mut events);
        from = cut;
    }
    decoder.end(&mut events);
    events
}

pub(crate) fn events(format: Format, stream: &[u8]) -> Vec<Event> {
    events_cut(format, stream, &[])
}

/// A client's stream that says `events`.
pub(crate) fn told(client: Format, events: &[Event], include_usage: bool) -> Vec<u8> {
    let mut request = Request::new(client, "the-clients-name");
    (request.stream, request.include_usage) = (true, include_usage);
    written(client.protocol().encoder(asked(request)), events)
}

/// The same for a client of Gemini's format that did not ask for events.
pub(crate) fn told_as_array(events: &[Event]) -> Vec<u8> {
    let request = Request::new(Format::GeminiGenerate, "the-clients-name");
    written(array_encoder(asked(request)), events)
}

fn asked(request: Request) -> AnswerContext {
    AnswerContext { id: "0123456789abcdef".to_owned(), created: 1_700_000_000, request: Arc::new(request) }
}

fn written(mut encoder: Box<dyn StreamEncoder>, events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events {
        encoder.event(event, &mut bytes);
    }
    if !matches!(events.last(), Some(Event::Error(_))) {
        encoder.end(&mut bytes);
    }
    bytes
}
