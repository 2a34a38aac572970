//! Recorded traffic of providers, where it is at hand: everything is read, written again, and read to the same.

use std::path::PathBuf;

use serde_json::Value;

use super::replay::{request_makes_the_round, response_makes_the_round, stream_makes_the_round};
use super::{OpenAiResponses, events, files};
use crate::ir::{ErrorKind, Event};
use crate::protocol::contract::Protocol as _;

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

#[test]
fn every_recorded_exchange_makes_the_round() {
    for (name, file) in recordings("openai-responses").into_iter().chain(recordings("compat-responses")) {
        let (request, response) = (&file["request"]["body"], &file["response"]);
        if request.is_object() {
            request_makes_the_round(&name, request);
        }
        let body = response["body"].to_string();
        match (response["status"].as_u64(), response["sse"].as_str()) {
            (_, Some(sse)) => stream_makes_the_round(&name, request, sse),
            (Some(200), _) => response_makes_the_round(&name, request, &body),
            (status, _) => {
                let status = u16::try_from(status.unwrap()).unwrap();
                let error = OpenAiResponses.decode_error(status, body.as_bytes());
                assert_eq!(error.status, if status == 401 { 502 } else { status }, "{name}");
                assert!(!error.message.is_empty(), "{name}");
            }
        }
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
            assert_eq!(error.kind, ErrorKind::Quota, "{name}");
        }
    }
}
