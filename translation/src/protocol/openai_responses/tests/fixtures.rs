//! The exchanges of `tests/fixtures/openai_responses`, made after the provider's documentation.

use std::path::Path;

use serde_json::Value;

use super::replay::{
    any_split_gives_the_same, request_makes_the_round, response_makes_the_round, stream_makes_the_round,
};
use super::{OpenAiResponses, events, files};
use crate::ir::{ErrorKind, Event};
use crate::protocol::contract::Protocol as _;

fn fixtures() -> Vec<(String, Value)> {
    let found = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/openai_responses")));
    assert!(found.len() >= 40, "{}", found.len());
    found
}

#[test]
fn every_exchange_makes_the_round() {
    for (name, file) in fixtures() {
        let (request, response) = (&file["request"], &file["response"]);
        assert!(file["about"].is_string(), "{name}");
        request_makes_the_round(&name, request);
        let fails = name.contains("error") || matches!(name.as_str(), "failed" | "stream_failed" | "stream_truncated");
        match file["sse"].as_str() {
            Some(sse) if fails => {
                any_split_gives_the_same(&name, sse);
                let events = events(sse.as_bytes(), &[]);
                let errors = events.iter().filter(|event| matches!(event, Event::Error(_))).count();
                assert_eq!(errors, 1, "{name}: {events:?}");
                assert!(matches!(events.last(), Some(Event::Error(_))), "{name}");
            }
            Some(sse) => stream_makes_the_round(&name, request, sse),
            None if !fails => response_makes_the_round(&name, request, &response.to_string()),
            None => {}
        }
    }
}

#[test]
fn point_23_every_error_is_of_its_kind() {
    let expected = [
        ("error_400_unsupported_parameter", ErrorKind::InvalidRequest, 400),
        ("error_400_context_length", ErrorKind::InvalidRequest, 400),
        ("error_401", ErrorKind::UpstreamAuthentication, 502),
        ("error_403", ErrorKind::UpstreamAuthentication, 502),
        ("error_404_model", ErrorKind::NotFound, 404),
        ("error_429_rate_limit", ErrorKind::RateLimited, 429),
        ("error_429_quota", ErrorKind::Quota, 429),
        ("error_500", ErrorKind::Server, 500),
        ("error_503", ErrorKind::Overloaded, 503),
        ("error_502_html", ErrorKind::Server, 502),
    ];
    let fixtures = fixtures();
    for (name, kind, status) in expected {
        let file = &fixtures.iter().find(|(known, _)| known == name).unwrap().1;
        // A body that is no JSON is a text.
        let body = file["response"].as_str().map_or_else(|| file["response"].to_string(), str::to_owned);
        let sent = u16::try_from(file["status"].as_u64().unwrap()).unwrap();
        let error = OpenAiResponses.decode_error(sent, body.as_bytes());
        assert_eq!((error.kind, error.status), (kind, status), "{name}");
        let (status, document) = OpenAiResponses.encode_error(&error, "req");
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(status, error.status, "{name}");
        assert!(document["error"]["message"].is_string() && !document["error"]["code"].is_number(), "{name}");
    }
}
