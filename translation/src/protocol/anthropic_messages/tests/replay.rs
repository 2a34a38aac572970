//! Recorded traffic of the provider, where it is at hand: what is read of it, written anew and read again says the
//! same.

use std::path::PathBuf;

use serde_json::Value;

use super::{AnthropicMessages, Facts, asked, encode_for, events_of, stream_of};
use crate::format::Format;
use crate::ir::{Citation, Event, Part, Request, Response, Role};
use crate::protocol::contract::Protocol;

/// The recordings, by their names.
fn recordings() -> Vec<(String, Value)> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/wire"));
    let root = std::env::var_os("WIRE_RECORDINGS").map_or_else(beside, PathBuf::from);
    let folders = [("anthropic", ""), ("response-only", "anthropic--")];
    let mut found = Vec::new();
    for (folder, prefix) in folders {
        let Ok(files) = std::fs::read_dir(root.join(folder)) else { continue };
        for file in files.map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                found.push((name, serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// Without what the format cannot say again.
fn plain(mut parts: Vec<Part>) -> Vec<Part> {
    for part in &mut parts {
        match part {
            Part::Text { citations, .. } => {
                citations.retain(|citation| citation.url.is_some());
                let of_the_web = |citation: Citation| Citation { start: None, end: None, ..citation };
                *citations = std::mem::take(citations).into_iter().map(of_the_web).collect();
            }
            Part::Refusal(text) => *part = Part::text(std::mem::take(text)),
            Part::ToolResult(result) => result.content = plain(std::mem::take(&mut result.content)),
            _ => {}
        }
    }
    parts
}

fn said(request: &Request) -> Vec<(Role, Vec<Part>)> {
    let mut said: Vec<(Role, Vec<Part>)> = Vec::new();
    for message in &request.messages {
        let mut parts = plain(message.parts.clone());
        for part in &mut parts {
            // A request does not repeat what the model's earlier texts rest on.
            if let Part::Text { citations, .. } = part {
                citations.clear();
            }
        }
        match said.last_mut() {
            Some((role, before)) if *role == message.role => before.append(&mut parts),
            _ => said.push((message.role, parts)),
        }
    }
    said
}

#[test]
fn recorded_requests_survive_being_written_anew() {
    for (name, recording) in recordings() {
        let Some(body) = recording["request"].get("body").filter(|body| body.is_object()) else { continue };
        if recording["request"]["path"].as_str().is_some_and(|path| path.contains("count_tokens")) {
            continue;
        }
        let request = AnthropicMessages.decode_request(body.to_string().as_bytes());
        if recording["response"]["status"] == 400 && request.is_err() {
            continue;
        }
        let request = request.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(request.model, body["model"], "{name}");
        let encoded = match encode_for(&request, &request.model, request.stream) {
            Ok(encoded) => encoded,
            Err(_) if recording["response"]["status"] != 200 => continue,
            Err(error) => panic!("{name}: {error}"),
        };
        let again = AnthropicMessages.decode_request(&encoded.body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(said(&again), said(&request), "{name}");
        assert_eq!(again.tools.len(), request.tools.len(), "{name}");
        assert_eq!(again.tool_choice, request.tool_choice, "{name}");
        assert_eq!(again.parallel_tool_calls, request.parallel_tool_calls, "{name}");
        assert_eq!(again.stop, request.stop, "{name}");
        assert_eq!(again.service_tier, request.service_tier, "{name}");
        assert_eq!(again.stream, request.stream, "{name}");
        let kept = |request: &Request| -> Vec<_> {
            request.extensions.iter().filter(|(name, _)| !name.starts_with("tools.")).cloned().collect()
        };
        assert_eq!(kept(&again), kept(&request), "{name}");
        assert_eq!(again.output, request.output, "{name}");
        let known = Facts::built_in().of(&request.model);
        assert!(again.max_output_tokens <= known.max_output.or(again.max_output_tokens), "{name}");
    }
}

#[test]
fn recorded_answers_survive_being_written_anew() {
    for (name, recording) in recordings() {
        let body = &recording["response"]["body"];
        let status = recording["response"]["status"].as_u64().unwrap();
        if status != 200 {
            let status = u16::try_from(status).unwrap();
            let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
            let error = AnthropicMessages.decode_error(status, text.as_bytes());
            assert!(!error.message.is_empty(), "{name}");
            continue;
        }
        if !body.is_object() || body["type"] != "message" {
            continue;
        }
        let read =
            |bytes: &[u8]| AnthropicMessages.decode_response(bytes).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let response = read(body.to_string().as_bytes());
        assert!(response.usage.is_some() && response.choices[0].finish.is_some(), "{name}");
        let request = Request::new(Format::AnthropicMessages, response.model.clone().unwrap_or_default());
        let again = read(&AnthropicMessages.encode_response(&response, &asked(request)));
        let same = |response: Response| {
            let mut choices = response.choices;
            choices[0].parts = plain(std::mem::take(&mut choices[0].parts));
            (response.model, choices, response.usage, response.service_tier)
        };
        let refused = response.choices[0].parts.iter().any(|part| matches!(part, Part::Refusal(_)));
        if refused {
            assert_eq!(again.choices[0].finish, response.choices[0].finish, "{name}");
        } else {
            assert_eq!(same(again), same(response), "{name}");
        }
    }
}

#[test]
fn recorded_streams_read_alike_in_any_portions_and_survive_being_written_anew() {
    for (name, recording) in recordings() {
        let Some(sse) = recording["response"]["sse"].as_str().map(str::as_bytes) else { continue };
        let events = events_of(sse, &[]);
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut cuts: Vec<usize> = (0..random.usize(1..40)).map(|_| random.usize(0..=sse.len())).collect();
            cuts.sort_unstable();
            assert_eq!(events_of(sse, &cuts), events, "{name}, cut at {cuts:?}");
        }
        let every_byte: Vec<usize> = (0..sse.len()).collect();
        assert_eq!(events_of(sse, &every_byte), events, "{name}");
        if matches!(events.last(), Some(Event::Error(_))) {
            continue;
        }
        assert!(matches!(events.last(), Some(Event::Finish { .. })), "{name}");
        let again = events_of(stream_of(&events).as_bytes(), &[]);
        let same = |events: Vec<Event>| -> Vec<Event> {
            let events = events.into_iter().filter_map(|event| match event {
                Event::Start(mut start) => {
                    (start.id, start.model) = (None, None);
                    Some(Event::Start(start))
                }
                Event::Refusal(text) => Some(Event::Text(text)),
                Event::Citation(citation) => citation.url.is_some().then_some(Event::Citation(citation)),
                other => Some(other),
            });
            events.collect()
        };
        let (mut again, events) = (same(again), same(events));
        if events.len() + 1 == again.len() {
            // A refusal is a text to the client, and a stop reason.
            again.remove(again.len() - 3);
        }
        assert_eq!(again, events, "{name}");
    }
}

#[test]
fn recorded_streams_are_metered_as_they_are_read() {
    for (name, recording) in recordings() {
        let Some(sse) = recording["response"]["sse"].as_str() else { continue };
        let events = events_of(sse.as_bytes(), &[]);
        let read = events.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        let mut watcher = AnthropicMessages.watcher();
        let (mut usage, mut done, mut finishes, mut error) = (None, false, false, false);
        for data in sse.lines().filter_map(|line| line.strip_prefix("data:")) {
            let seen = watcher.event(&bytes::Bytes::from(data.to_owned()));
            usage = seen.usage.or(usage);
            (done, finishes, error) = (done | seen.done, finishes | seen.finishes, error | seen.error);
        }
        if let Some(read) = read {
            assert_eq!(usage, Some(read), "{name}");
            assert!(done && finishes && !error, "{name}");
        }
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "says which tests had nothing to do")]
fn says_where_recordings_are_missing() {
    if recordings().is_empty() {
        eprintln!(
            "skipped: recorded_requests_survive_being_written_anew and the other replays, there are no recordings"
        );
    }
}
