//! Every exchange in `tests/fixtures/gemini_generate`, which were written after the provider's documentation.

use serde_json::Value;

use super::scenes::{asked, collected, encoded_for, events_cut, written};
use crate::ir::{ErrorKind, Event, Finish, Part, Response};
use crate::protocol::contract::{Protocol as _, Quirks};
use crate::protocol::gemini_generate::GeminiGenerate;

fn fixtures() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/gemini_generate");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
    };
    let mut fixtures: Vec<_> = paths.map(read).collect();
    fixtures.sort_by(|one: &(String, Value), other| one.0.cmp(&other.0));
    assert!(fixtures.len() >= 40);
    fixtures
}

/// What the answer comes to, in short.
fn summary(response: &Response) -> String {
    let choice = &response.choices[0];
    let kinds = choice.parts.iter().map(|part| match part {
        Part::Text { .. } => "text",
        Part::Thinking { .. } => "thought",
        Part::ToolCall(_) => "call",
        Part::Media(_) => "media",
        Part::Opaque { .. } => "own",
        Part::Refusal(_) => "refusal",
        other => panic!("{other:?}"),
    });
    let finish = match choice.finish.unwrap() {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "calls",
        Finish::ContentFilter => "filter",
        Finish::Pause => "pause",
    };
    kinds.chain([finish]).collect::<Vec<_>>().join(" ")
}

fn wanted(name: &str) -> &'static str {
    match name {
        "plain_pretty" => "text text stop",
        "max_tokens_thought_away" => "length",
        "max_tokens_cut" => "text length",
        "function_call"
        | "function_call_no_args"
        | "function_call_with_id"
        | "tool_mode_any"
        | "unexpected_tool_call"
        | "stream_function_call"
        | "stream_partial_args" => "call calls",
        "function_call_parallel" => "text call call calls",
        "stream_function_calls_parallel" => "thought text call call call calls",
        "thoughts" | "stream_thoughts" => "thought text stop",
        "image_output" => "text media stop",
        "safety_stop" | "prompt_blocked" | "stream_prompt_blocked" => "refusal filter",
        "recitation" => "text filter",
        "code_execution" => "text own own text stop",
        _ => "text stop",
    }
}

#[test]
fn every_request_reads_and_writes() {
    for (name, document) in fixtures() {
        let body = document["request"].to_string();
        let request = GeminiGenerate.decode_request(body.as_bytes());
        let request = request.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let model = document["model"].as_str().unwrap();
        let encoded = encoded_for(&request, model, &Quirks::NONE, false);
        let encoded = encoded.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let again = GeminiGenerate.decode_request(&encoded.body).unwrap();
        assert_eq!(again.messages.len(), request.messages.len(), "{name}");
        let left_out: &[&str] = match name.as_str() {
            "error_unknown_name" => &["foo"],
            "stream_partial_args" => &["toolConfig.functionCallingConfig.streamFunctionCallArguments"],
            // Vertex AI took them for 2.5, which the Gemini API refuses.
            "sampling" => &["generationConfig.presencePenalty", "generationConfig.frequencyPenalty"],
            _ => &[],
        };
        assert_eq!(encoded.dropped.names(), left_out, "{name}");
    }
}

#[test]
fn every_answer_reads_and_writes_to_the_same() {
    for (name, document) in fixtures() {
        if document["response"].is_null() || !document["status"].is_null() {
            continue;
        }
        let body = serde_json::to_vec_pretty(&document["response"]).unwrap();
        if name == "malformed_function_call" {
            assert_eq!(GeminiGenerate.decode_response(&body).unwrap_err().status, 502);
            continue;
        }
        let response = GeminiGenerate.decode_response(&body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(summary(&response), wanted(&name), "{name}");
        let again = GeminiGenerate.encode_response(&response, &asked("m"));
        let again = GeminiGenerate.decode_response(&again).unwrap();
        let texts = |response: &Response| format!("{:?}", response.choices).replace("call_", "");
        assert_eq!(texts(&again).len(), texts(&response).len(), "{name}");
        assert_eq!((again.usage, again.id, again.model), (response.usage, response.id, response.model), "{name}");
        assert_eq!(GeminiGenerate.usage(&body).unwrap(), again.usage, "{name}");
    }
}

#[test]
fn every_stream_reads_alike_at_any_split() {
    for (name, document) in fixtures() {
        let Some(stream) = document["sse"].as_str() else { continue };
        let events = events_cut(stream.as_bytes(), &[]);
        for cut in 0..stream.len() {
            assert_eq!(events_cut(stream.as_bytes(), &[cut, cut + 1]), events, "{name} at {cut}");
        }
        if let Some(Event::Error(error)) = events.last() {
            assert!(name.contains("error") || name.contains("truncated"), "{name}: {error:?}");
            continue;
        }
        assert_eq!(summary(&collected(&events)), wanted(&name), "{name}");
        let again = written(&mut *GeminiGenerate.encoder(asked("m")), &events);
        assert_eq!(summary(&collected(&events_cut(again.as_bytes(), &[]))), wanted(&name), "{name}");
    }
}

#[test]
fn every_error_has_its_kind() {
    let mut seen = 0;
    for (name, document) in fixtures() {
        let Some(status) = document["status"].as_u64().and_then(|status| u16::try_from(status).ok()) else { continue };
        let error = GeminiGenerate.decode_error(status, document["response"].to_string().as_bytes());
        let kind = match name.as_str() {
            "error_api_key" | "error_permission" => ErrorKind::UpstreamAuthentication,
            "error_not_found" => ErrorKind::NotFound,
            "error_rate_limit" => ErrorKind::RateLimited,
            "error_daily_quota" => ErrorKind::Quota,
            "error_overloaded_array" => ErrorKind::Overloaded,
            "error_internal" | "error_location" => ErrorKind::Server,
            "error_deadline" => ErrorKind::Timeout,
            _ => ErrorKind::InvalidRequest,
        };
        assert_eq!(error.kind, kind, "{name}");
        seen += 1;
    }
    assert!(seen > 10);
}
