//! Recorded traffic of providers, where it is at hand: everything is read, written again, and read to the same.

use std::path::PathBuf;

use serde_json::Value;

use super::{OpenAiResponses, asked, collected, decoded, events, files, stream};
use crate::ir::{Event, Message, Part, Request, Response};
use crate::protocol::Protocol as _;

/// The exchanges in `folder`, or none, which is said.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn recordings(folder: &str) -> Vec<(String, Value)> {
    let root = std::env::var_os("WIRE_RECORDINGS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/wire")), PathBuf::from);
    let found = files(&root.join(folder));
    if found.is_empty() {
        eprintln!("skipped: there are no recordings of {folder}");
    }
    found
}

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
        if let crate::ir::ToolKind::Function { strict, .. } = &mut tool.kind {
            *strict = Some(strict.unwrap_or(false));
        }
    }
    request
}

#[test]
fn every_recorded_request_is_read_written_and_read_alike() {
    let mut seen = 0;
    for (name, file) in recordings("openai-responses").into_iter().chain(recordings("compat-responses")) {
        let body = &file["request"]["body"];
        if !body.is_object() {
            continue;
        }
        let request = decoded(body);
        // A model of which all is known to be allowed.
        let target = crate::facts::ModelFacts::default();
        let target = crate::protocol::Target {
            model: &request.model,
            facts: &target,
            quirks: &crate::protocol::Quirks::NONE,
            stream: request.stream,
        };
        let again = OpenAiResponses.encode_request(&request, &target).unwrap();
        assert!(again.dropped.is_empty(), "{name}: {:?}", again.dropped);
        let again = OpenAiResponses.decode_request(&again.body).unwrap();
        assert_eq!(meaning(again), meaning(request), "{name}");
        seen += 1;
    }
    assert!(seen == 0 || seen > 30, "{seen}");
}

/// What of an answer an encoded answer can say.
fn told(mut response: Response) -> Response {
    (response.id, response.created, response.model) = (None, None, None);
    response
}

#[test]
fn every_recorded_answer_is_read_written_and_read_alike() {
    for (name, file) in recordings("openai-responses") {
        let (status, body) = (&file["response"]["status"], &file["response"]["body"]);
        if !body.is_object() {
            continue;
        }
        let body = body.to_string();
        if status != 200 {
            let status = u16::try_from(status.as_u64().unwrap()).unwrap();
            let error = OpenAiResponses.decode_error(status, body.as_bytes());
            assert_eq!(error.status, if status == 401 { 502 } else { status }, "{name}");
            assert!(!error.message.is_empty(), "{name}");
            continue;
        }
        let response = OpenAiResponses.decode_response(body.as_bytes()).unwrap();
        assert!(response.usage.is_some() || name.starts_with("background"), "{name}");
        assert_eq!(OpenAiResponses.usage(body.as_bytes()).unwrap(), response.usage, "{name}");
        assert_eq!(
            OpenAiResponses.usage_in_tail(&body.as_bytes()[body.len() / 2..]).is_some(),
            response.usage.is_some()
        );
        if response.choices[0].finish.is_none() {
            continue;
        }
        let again = OpenAiResponses.encode_response(&response, &asked(decoded(&file["request"]["body"])));
        let again = OpenAiResponses.decode_response(&again).unwrap();
        assert_eq!(told(again), told(response), "{name}");
    }
}

#[test]
fn every_recorded_stream_is_read_in_any_portions_written_and_read_alike() {
    for (name, file) in recordings("openai-responses").into_iter().chain(recordings("compat-responses")) {
        let Some(sse) = file["response"]["sse"].as_str() else { continue };
        let whole = events(sse.as_bytes(), &[]);
        assert!(matches!(whole.first(), Some(Event::Start(_))), "{name}");
        assert!(matches!(whole.last(), Some(Event::Finish { .. })), "{name}: {:?}", whole.last());
        for step in [1, 7, 64, 1_000] {
            let cuts: Vec<_> = (0..sse.len()).step_by(step).collect();
            assert_eq!(events(sse.as_bytes(), &cuts), whole, "{name} in portions of {step}");
        }
        let again = stream(&whole, decoded(&file["request"]["body"]));
        let again = collected(&events(&again, &[]));
        assert_eq!(told(again), told(collected(&whole)), "{name}");

        // What the last event holds is what the events before it told.
        let data =
            sse.lines().rfind(|line| line.contains("\"response.completed\"") || line.contains("response.incomplete\""));
        let last: Value = serde_json::from_str(data.unwrap().trim_start_matches("data: ")).unwrap();
        let mut answer = OpenAiResponses.decode_response(last["response"].to_string().as_bytes()).unwrap();
        let mut told_so = collected(&whole);
        // Encrypted anew for every event.
        for part in answer.choices[0].parts.iter_mut().chain(&mut told_so.choices[0].parts) {
            if let Part::Thinking { signature: Some(signature), .. } = part {
                signature.data.clear();
            }
        }
        assert_eq!(told(told_so).choices, told(answer).choices, "{name}");
    }
}

#[test]
fn recorded_failures_are_one_error_each() {
    for (name, file) in recordings("response-only") {
        if file["provider"] != "openai-responses" {
            continue;
        }
        if let Some(sse) = file["response"]["sse"].as_str() {
            let events = events(sse.as_bytes(), &[]);
            let errors = events.iter().filter(|event| matches!(event, Event::Error(_))).count();
            assert_eq!(errors, 1, "{name}: {events:?}");
            assert!(matches!(events.last(), Some(Event::Error(_))), "{name}");
        } else if name.contains("error_200") {
            let body = file["response"]["body"].to_string();
            let error = OpenAiResponses.decode_response(body.as_bytes()).unwrap_err();
            assert_eq!(error.kind, crate::ir::ErrorKind::Quota, "{name}");
        }
    }
}
