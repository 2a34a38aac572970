//! The exchanges in `tests/fixtures/anthropic_messages`, written from the provider's documentation.

use serde_json::Value;

use super::{AnthropicMessages, encode_for, events_of, stream_of};
use crate::ir::{Event, Finish, Part};
use crate::protocol::contract::Protocol;

fn fixtures() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/anthropic_messages");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut found: Vec<_> = files
        .map(|file| {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
        })
        .collect();
    found.sort_by(|one: &(String, Value), other| one.0.cmp(&other.0));
    found
}

fn fixture(name: &str) -> Value {
    fixtures().into_iter().find(|(known, _)| known == name).unwrap().1
}

#[test]
fn every_request_is_read_and_written_anew() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 40, "{}", fixtures.len());
    for (name, fixture) in fixtures {
        assert!(fixture["about"].is_string(), "{name}");
        let text = fixture["request"].to_string();
        let request =
            AnthropicMessages.decode_request(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let encoded =
            encode_for(&request, &request.model, request.stream).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = AnthropicMessages.decode_request(&encoded.body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(again.tools, request.tools, "{name}");
        assert_eq!(again.max_output_tokens, request.max_output_tokens, "{name}");
        assert_eq!((&again.user, &again.cache), (&request.user, &request.cache), "{name}");
        // Texts may be joined; the rest may not be lost.
        let parts = |request: &crate::ir::Request| {
            let parts = request.messages.iter().flat_map(|message| &message.parts);
            parts.filter(|part| !matches!(part, Part::Text { .. })).count()
        };
        assert_eq!(parts(&again), parts(&request), "{name}");
    }
}

#[test]
fn every_answer_is_read() {
    for (name, fixture) in fixtures() {
        let Some(status) = fixture.get("status").or(fixture.get("response")) else { continue };
        let answer = fixture["response"].to_string();
        if let Some(status) = status.as_u64() {
            let error = AnthropicMessages.decode_error(u16::try_from(status).unwrap(), answer.as_bytes());
            assert!((400..600).contains(&error.status) && error.status != 529, "{name}");
            assert!(!error.message.contains("x-api-key"), "{name}");
            continue;
        }
        let response =
            AnthropicMessages.decode_response(answer.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(!response.choices[0].parts.is_empty(), "{name}");
        assert_eq!(response.usage, AnthropicMessages.usage(answer.as_bytes()).unwrap(), "{name}");
        assert_eq!(response.usage, AnthropicMessages.usage_in_tail(answer.as_bytes()), "{name}");
    }
}

#[test]
fn every_stream_is_read_and_written_anew() {
    for (name, fixture) in fixtures() {
        let Some(sse) = fixture["sse"].as_str() else { continue };
        let events = events_of(sse.as_bytes(), &[]);
        let every_byte: Vec<usize> = (0..sse.len()).collect();
        assert_eq!(events_of(sse.as_bytes(), &every_byte), events, "{name}");
        if name.starts_with("stream_error_") {
            assert!(matches!(events.last(), Some(Event::Error(_))), "{name}");
            assert!(stream_of(&events).contains("event: error"), "{name}");
        } else {
            assert!(matches!(events.last(), Some(Event::Finish { .. })), "{name}");
            let again = events_of(stream_of(&events).as_bytes(), &[]);
            assert_eq!(again.last(), events.last(), "{name}");
        }
    }
}

#[test]
fn compaction_is_paid_for() {
    let answer = fixture("iterations")["response"].to_string();
    let usage = AnthropicMessages.usage(answer.as_bytes()).unwrap().unwrap();
    assert_eq!((usage.input, usage.output), (9300, 220));
}

#[test]
fn a_call_that_was_cut_keeps_what_came() {
    let events = events_of(fixture("stream_max_tokens")["sse"].as_str().unwrap().as_bytes(), &[]);
    assert!(events.contains(&Event::ToolArguments { call: 0, text: r#"{"city": "San"#.to_owned() }));
    assert_eq!(events.last(), Some(&Event::Finish { reason: Finish::Length, stop_sequence: None }));
}
