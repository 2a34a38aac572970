//! Reads an exchange, writes it, and reads it again.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::super::OpenAiChat;
use crate::facts::ModelFacts;
use crate::format::Family;
use crate::format::Format;
use crate::ir::DECLINED;
use crate::ir::{Collector, ErrorKind, Event, Part, Request, Response};
use crate::protocol::contract::{AnswerContext, Protocol as _, Quirks, Target};

/// Checks all of an exchange that there is.
pub(super) fn check(name: &str, request: &Value, status: u64, response: &Value, sse: Option<&str>) {
    let request = (!request.is_null()).then(|| check_request(name, request, status)).flatten();
    let mut request = request.unwrap_or_else(|| Request::new(Format::OpenAiChat, "m"));
    request.include_usage = true;
    let asked = AnswerContext { id: "abc".to_owned(), created: 5, request: Arc::new(request) };
    match sse {
        Some(stream) if status == 200 => check_stream(name, stream, &asked),
        _ if status == 200 => check_response(name, response, &asked),
        _ => check_error(name, status, response),
    }
}

fn check_request(name: &str, body: &Value, status: u64) -> Option<Request> {
    let read = OpenAiChat.decode_request(body.to_string().as_bytes());
    let request = match read {
        Ok(request) => request,
        // What the provider refuses may be refused here.
        Err(error) => {
            assert_eq!(status, 400, "{name}: {error}");
            return None;
        }
    };
    let (facts, quirks) = (ModelFacts { needs_signatures: true, ..ModelFacts::default() }, Quirks::NONE);
    let target = Target { model: &request.model, facts: &facts, quirks: &quirks, stream: request.stream };
    if request.stream && request.candidates.unwrap_or(1) > 1 {
        assert_eq!(OpenAiChat.encode_request(&request, &target).unwrap_err().param.as_deref(), Some("n"));
        return Some(request);
    }
    let written = match OpenAiChat.encode_request(&request, &target) {
        Ok(written) => written,
        Err(error) => {
            assert_eq!(status, 400, "{name}: {error}");
            return None;
        }
    };
    assert!(written.dropped.is_empty() && written.back.is_empty(), "{name}: {:?}", written.dropped);
    let mut again = OpenAiChat.decode_request(&written.body).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut expected = request.clone();
    // What the provider is asked beyond what the client asked; what it is not told; and one way to write it.
    expected.include_usage = request.stream;
    expected.candidates = request.candidates.filter(|wanted| *wanted > 1);
    expected.legacy_functions = false;
    for message in expected.messages.iter_mut().chain(&mut again.messages) {
        message.parts.retain(|part| !matches!(part, Part::Thinking { .. } | Part::RedactedThinking(_)));
        for part in &mut message.parts {
            if let Part::ToolResult(result) = part {
                result.name = None;
            }
        }
    }
    assert_eq!(again, expected, "{name}");
    check_foreign(name, &request);
    Some(request)
}

/// The same from a client of another format, to a vendor that knows little: refused by name, or written so that it can
/// be read.
fn check_foreign(name: &str, request: &Request) {
    let request = Request { origin: Format::GeminiGenerate, extensions: Vec::new(), ..request.clone() };
    let mut quirks = Quirks::COMPATIBLE;
    (quirks.json_schema, quirks.reasoning_effort, quirks.parallel_tool_calls) = (false, false, false);
    quirks.call_id_length = Some(9);
    let facts = ModelFacts::default();
    let target = Target { model: "v", facts: &facts, quirks: &quirks, stream: request.stream };
    match OpenAiChat.encode_request(&request, &target) {
        Ok(written) => {
            let again = OpenAiChat.decode_request(&written.body).unwrap_or_else(|error| panic!("{name}: {error}"));
            let calls = |request: &Request| {
                let parts = request.messages.iter().flat_map(|message| &message.parts);
                parts.filter(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_))).count()
            };
            assert_eq!(calls(&again), calls(&request), "{name}");
            assert!(again.messages.len() >= request.messages.len() || !written.dropped.is_empty(), "{name}");
        }
        Err(error) => assert!(error.param.is_some_and(|param| !param.is_empty()), "{name}"),
    }
}

/// What of an answer, which is in `source`, does not depend on who tells it.
fn told(mut response: Response, source: &str) -> Response {
    response.id = None;
    response.model = None;
    response.created = None;
    response.usage = Some(response.usage.unwrap_or_default());
    for choice in &mut response.choices {
        for part in &mut choice.parts {
            match part {
                // Made up.
                Part::ToolCall(call) if !source.contains(&format!("\"{}\"", call.id)) => call.id.clear(),
                _ => {}
            }
        }
        // A refusal without words gets some.
        choice.parts.retain(|part| !matches!(part, Part::Refusal(words) if words == DECLINED));
        // Signed by a family whose signatures have no place in this format.
        choice.parts.retain(|part| !matches!(part, Part::Thinking { signature: Some(signature), .. } | Part::RedactedThinking(signature) if signature.family != Family::Anthropic));
    }
    response
}

fn check_response(name: &str, body: &Value, asked: &AnswerContext) {
    let body = body.to_string();
    let read = match OpenAiChat.decode_response(body.as_bytes()) {
        Ok(read) => read,
        Err(error) => {
            assert!(name.contains("wrong_content_type") || name.contains("error"), "{name}: {error:?}");
            return;
        }
    };
    assert_eq!(OpenAiChat.usage(body.as_bytes()).unwrap(), read.usage, "{name}");
    let written = OpenAiChat.encode_response(&read, asked);
    let again = OpenAiChat.decode_response(&written).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(told(again, &body), told(read, &body), "{name}");
    let document: Value = serde_json::from_slice(&written).unwrap();
    for choice in document["choices"].as_array().unwrap() {
        assert_eq!(choice["message"]["role"], "assistant");
        assert!(choice["message"].get("content").is_some());
        let reasons = ["stop", "length", "tool_calls", "content_filter", "function_call"];
        assert!(reasons.contains(&choice["finish_reason"].as_str().unwrap()), "{name}");
    }
    let usage = &document["usage"];
    let count = |field: &str| usage[field].as_u64().unwrap();
    assert_eq!(count("total_tokens"), count("prompt_tokens") + count("completion_tokens"), "{name}");
}

fn events(stream: &[u8], portions: usize) -> Vec<Event> {
    let (mut decoder, mut events) = (OpenAiChat.decoder(), Vec::new());
    let mut rest = stream;
    while !rest.is_empty() {
        // One byte at a time, or at any.
        let length = if portions == 1 { 1 } else { fastrand::usize(1..=portions) };
        let (portion, behind) = rest.split_at(length.min(rest.len()));
        decoder.push(Bytes::copy_from_slice(portion), &mut events);
        rest = behind;
    }
    decoder.end(&mut events);
    for event in &mut events {
        match event {
            // Made up.
            Event::ToolStart { id, .. } if !contains(stream, id) => *id = "made_up".to_owned(),
            _ => {}
        }
    }
    events
}

fn contains(stream: &[u8], id: &str) -> bool {
    memchr::memmem::find(stream, format!("\"{id}\"").as_bytes()).is_some()
}

fn collected(events: Vec<Event>) -> Result<Response, String> {
    let mut collector = Collector::default();
    for event in events {
        collector.event(event).map_err(|error| error.message)?;
    }
    collector.finish().map_err(|error| error.message)
}

fn check_stream(name: &str, stream: &str, asked: &AnswerContext) {
    let whole = events(stream.as_bytes(), usize::MAX);
    for portions in [1, 7, 100, 1_000] {
        assert_eq!(events(stream.as_bytes(), portions), whole, "{name}");
    }
    let mut encoder = OpenAiChat.encoder(asked.clone());
    let mut written = Vec::new();
    for event in &whole {
        encoder.event(event, &mut written);
    }
    let read = match collected(whole) {
        Ok(read) => read,
        Err(message) => {
            assert!(name.contains("error") || name.contains("truncated"), "{name}: {message}");
            assert_eq!(collected(events(&written, 100)).unwrap_err(), message, "{name}");
            return;
        }
    };
    encoder.end(&mut written);
    let again = collected(events(&written, 100)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(told(again, stream), told(read, stream), "{name}");
}

fn check_error(name: &str, status: u64, body: &Value) {
    let status = u16::try_from(status).unwrap();
    let error = OpenAiChat.decode_error(status, body.to_string().as_bytes());
    assert!(!error.message.is_empty(), "{name}");
    let (told, document) = OpenAiChat.encode_error(&error, "request");
    let document: Value = serde_json::from_slice(&document).unwrap();
    if error.kind != ErrorKind::UpstreamAuthentication {
        assert_eq!(document["error"]["message"], error.message, "{name}");
    }
    assert!(document["error"]["code"].is_null() || document["error"]["code"].is_string(), "{name}");
    assert!(
        (400..600).contains(&told) && told != 401 && told != 403,
        "{name}: a key of ours is no fault of the client's"
    );
}
