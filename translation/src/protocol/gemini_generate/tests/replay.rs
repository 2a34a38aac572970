//! Recorded traffic, where it is at hand: it decodes, and what is written of it decodes to the same.

use std::path::PathBuf;

use serde_json::Value;

use super::scenes::{asked, collected, encoded_for, events_cut, written};
use crate::facts::Facts;
use crate::ir::{ErrorKind, Event, Part, Request, Response, Role};
use crate::protocol::contract::{Protocol as _, Quirks};
use crate::protocol::gemini_generate::{GeminiGenerate, array_encoder};

/// Recorded exchanges: their names, and their documents.
fn recordings() -> Vec<(String, Value)> {
    let given = std::env::var_os("WIRE_RECORDINGS").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/wire").into());
    let mut found = Vec::new();
    for (below, prefix) in [("gemini", ""), ("vertex", ""), ("response-only", "gemini--")] {
        let Ok(entries) = std::fs::read_dir(folder.join(below)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                let document = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                found.push((format!("{below}/{name}"), document));
            }
        }
    }
    if found.is_empty() {
        skipped();
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[expect(clippy::print_stderr, reason = "a test that has nothing to do says so")]
fn skipped() {
    eprintln!("skipped: gemini_generate::tests::replay, for want of recordings");
}

fn is_generate(document: &Value) -> bool {
    document["request"]["path"].as_str().is_none_or(|path| path.contains("enerateContent"))
}

/// What only the place of a message, or what the format cannot say, tells apart.
fn plain(mut request: Request) -> Request {
    for message in &mut request.messages {
        message.origin = 0;
        if message.role == Role::Developer {
            message.role = Role::System;
        }
    }
    request
}

#[test]
fn recorded_requests_read_and_write_to_the_same() {
    for (name, document) in recordings() {
        let body = &document["request"]["body"];
        if body.is_null() || !is_generate(&document) || name.contains("error_400--gemini-2.5-pro") {
            continue;
        }
        let request = GeminiGenerate.decode_request(body.to_string().as_bytes());
        let request = request.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let path = document["request"]["path"].as_str().unwrap();
        let model = path.rsplit_once("/models/").unwrap().1.split(':').next().unwrap();
        let quirks = Quirks::NONE;
        let encoded = encoded_for(&request, model, &quirks, false);
        let encoded = encoded.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let again = GeminiGenerate.decode_request(&encoded.body).unwrap();
        let facts = Facts::built_in().of(model);
        let mut wanted = plain(request.clone());
        let mut again = plain(again);
        // Ids are sent to models that take them only.
        for request in [&mut wanted, &mut again] {
            for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
                match part {
                    Part::ToolCall(call) => {
                        call.signature = call.signature.take().filter(|_| !facts.needs_signatures);
                        call.id.clear();
                    }
                    Part::ToolResult(result) => result.call_id.clear(),
                    _ => {}
                }
            }
            request.candidates = request.candidates.filter(|count| *count != 1);
            request.extensions.retain(|(name, _)| name != "modelArmorConfig");
            request.tools.sort_by(|one, other| one.name.cmp(&other.name));
            // The least thought goes with short answers.
            if request.max_output_tokens.is_some_and(|most| most < 1024) {
                request.reasoning = None;
            }
        }
        if encoded.dropped.is_empty() {
            assert_eq!(wanted, again, "{name}");
        } else {
            let names = encoded.dropped.names();
            // Vertex AI took penalties for 2.5, which the Gemini API refuses.
            let known = |field: &str| field == "modelArmorConfig" || field.ends_with("Penalty");
            assert!(names.iter().all(|field| known(field)), "{name}: {names:?}");
        }
    }
}

fn without_ids(mut response: Response) -> Response {
    for choice in &mut response.choices {
        for part in &mut choice.parts {
            if let Part::ToolCall(call) = part
                && call.id.starts_with("call_")
            {
                call.id.clear();
            }
        }
    }
    response
}

#[test]
fn recorded_answers_read_and_write_to_the_same() {
    for (name, document) in recordings() {
        let body = &document["response"]["body"];
        let status = document["response"]["status"].as_u64().unwrap_or(200);
        if body.is_null() || !is_generate(&document) || status != 200 || body[0]["error"].is_object() {
            continue;
        }
        // As a provider sends it: over several lines.
        let body = serde_json::to_vec_pretty(body).unwrap();
        if name.contains("malformed_function_call") {
            let error = GeminiGenerate.decode_response(&body).unwrap_err();
            assert_eq!(error.code.as_deref(), Some("malformed_function_call"), "{name}");
            continue;
        }
        let response = GeminiGenerate.decode_response(&body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert!(!response.choices.is_empty(), "{name}");
        let mut wanted = without_ids(response.clone());
        let again = GeminiGenerate.encode_response(&response, &asked("gemini"));
        let mut again = without_ids(GeminiGenerate.decode_response(&again).unwrap());
        // An answer without counts is told with counts of nothing.
        for response in [&mut wanted, &mut again] {
            response.usage.get_or_insert_default();
        }
        assert_eq!(wanted, again, "{name}");
    }
}

#[test]
fn recorded_errors_are_understood() {
    for (name, document) in recordings() {
        let status = u16::try_from(document["response"]["status"].as_u64().unwrap_or(200)).unwrap();
        let body = &document["response"]["body"];
        if body.is_null() || (status == 200 && !body[0]["error"].is_object()) {
            continue;
        }
        let error = GeminiGenerate.decode_error(status, body.to_string().as_bytes());
        assert!(!error.message.is_empty() && error.provider_type.is_some(), "{name}: {error:?}");
        let (again, document) = GeminiGenerate.encode_error(&error, "");
        // The gateway's trouble with its own key is no matter of the client's.
        let kind = match error.kind {
            ErrorKind::UpstreamAuthentication => ErrorKind::Server,
            kind => kind,
        };
        assert_eq!(GeminiGenerate.decode_error(again, &document).kind, kind, "{name}");
    }
}

#[test]
fn recorded_streams_read_alike_at_any_split_and_write_to_the_same() {
    for (name, document) in recordings() {
        let body = &document["response"]["body"];
        let stream = match document["response"]["sse"].as_str() {
            Some(sse) => sse.to_owned(),
            None if body[0].is_object() => serde_json::to_string_pretty(body).unwrap(),
            None => continue,
        };
        let stream = stream.as_bytes();
        let events = events_cut(stream, &[]);
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..50 {
            let mut cuts: Vec<usize> = (0..random.usize(1..9)).map(|_| random.usize(..=stream.len())).collect();
            cuts.sort_unstable();
            assert_eq!(events_cut(stream, &cuts), events, "{name} cut at {cuts:?}");
        }
        match events.last() {
            Some(Event::Finish { .. }) => {}
            Some(Event::Error(_)) if name.contains("503") || name.contains("error_as_array") => continue,
            other => panic!("{name} ends with {other:?}"),
        }
        let array = written(&mut *array_encoder(asked("gemini")), &events);
        for again in [written(&mut *GeminiGenerate.encoder(asked("gemini")), &events), array] {
            let again = events_cut(again.as_bytes(), &[]);
            let (mut wanted, mut again) = (without_ids(collected(&events)), without_ids(collected(&again)));
            // The tier is told with the counts, which come last.
            (wanted.service_tier, again.service_tier) = (None, None);
            assert_eq!(wanted, again, "{name}");
        }
    }
}
