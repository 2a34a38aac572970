//! Streams: points 3, 4, 8, 9, 10, 11.

use serde_json::{Value, json};
use translation::Format;

use super::answered::{Answer, CACHED, INPUT, OUTPUT, data, frame, streamed, usage};
use super::asked::others;
use super::pairs;
use super::read::{put_together, read};

/// A text and then two calls: blocks and parts are not counted as calls are.
fn text_and_calls() -> Answer {
    Answer {
        text: Some("Let me see."),
        ..Answer::calls(&[("call_1", "f", Some(json!({"a": 1}))), ("call_2", "f", Some(json!({"a": 2})))])
    }
}

/// The pieces of calls that a client of chat completions gets.
fn pieces(stream: &str) -> Vec<Value> {
    let chunks = data(stream);
    let calls = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array());
    calls.flatten().cloned().collect()
}

#[test]
fn point_03_calls_are_numbered_without_a_gap() {
    for (client, provider) in pairs() {
        let stream = streamed(provider, &text_and_calls().stream(provider), client, false);
        let numbers: Vec<u64> = match client {
            Format::OpenAiChat => {
                let pieces = pieces(&stream);
                pieces
                    .iter()
                    .filter(|piece| piece.get("id").is_some())
                    .map(|piece| piece["index"].as_u64().unwrap())
                    .collect()
            }
            Format::OpenAiResponses | Format::AnthropicMessages => {
                let field = if client == Format::OpenAiResponses { "output_index" } else { "index" };
                let begins = |event: &&Value| event.get("item").or(event.get("content_block")).is_some();
                let added = |event: &&Value| !event["type"].as_str().unwrap().contains("done");
                let of = data(&stream);
                let numbers = of.iter().filter(begins).filter(added).map(|event| event[field].as_u64().unwrap());
                assert_eq!(numbers.collect::<Vec<_>>(), [0, 1, 2], "the text is one of them: {client} of {provider}");
                continue;
            }
            // Without numbers: in their order.
            _ => data(&stream)
                .iter()
                .filter_map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["functionCall"]["args"]["a"].as_u64())
                .map(|number| number - 1)
                .collect(),
        };
        assert_eq!(numbers, [0, 1], "{client} of {provider}");
    }
}

#[test]
fn point_04_id_type_and_name_come_once() {
    for (client, provider) in pairs() {
        let stream = streamed(provider, &text_and_calls().stream(provider), client, false);
        if client == Format::OpenAiChat {
            let pieces = pieces(&stream);
            for field in ["/id", "/type", "/function/name"] {
                assert_eq!(
                    pieces.iter().filter(|piece| piece.pointer(field).is_some()).count(),
                    2,
                    "{provider}: {field}"
                );
            }
        }
        // SDKs add up what comes twice.
        let calls = read(client, &put_together(client, &data(&stream))).calls;
        let names: Vec<_> = calls.iter().map(|(id, name, _)| (&**id, &**name)).collect();
        assert_eq!(names, [("call_1", "f"), ("call_2", "f")], "{client} of {provider}");
    }
    // A vendor that repeats them in every piece.
    let piece = |arguments: &str| {
        let call =
            json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": arguments}});
        frame(&json!({"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]}))
    };
    let end = frame(&json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}));
    let stream = [piece("{\"a\""), piece(":1}"), end].concat();
    for client in others(Format::OpenAiChat) {
        let told = streamed(Format::OpenAiChat, &stream, client, false);
        let calls = read(client, &put_together(client, &data(&told))).calls;
        assert_eq!(calls, [("call_1".to_owned(), "f".to_owned(), json!({"a": 1}))], "{client}");
    }
}

#[test]
fn point_08_counts_come_once_last_and_only_if_asked_for() {
    for provider in others(Format::OpenAiChat) {
        let stream = Answer::text("Hi").stream(provider);
        let silent = streamed(provider, &stream, Format::OpenAiChat, false);
        assert!(data(&silent).iter().all(|chunk| chunk["usage"].is_null()), "{provider}");
        assert!(data(&silent).iter().all(|chunk| chunk["choices"].as_array().unwrap().len() == 1), "{provider}");
        let told = streamed(provider, &stream, Format::OpenAiChat, true);
        let chunks = data(&told);
        let (last, before) = chunks.split_last().unwrap();
        assert_eq!(last["choices"], json!([]), "a list, if empty: {provider}");
        assert_eq!(last["usage"]["total_tokens"], INPUT + OUTPUT, "{provider}");
        assert!(before.iter().all(|chunk| chunk["usage"].is_null()), "{provider}");
        assert!(told.ends_with("data: [DONE]\n\n"), "{provider}");
    }
    // Elsewhere they are where the format has them: once, at the end.
    for provider in others(Format::GeminiGenerate) {
        let told = streamed(provider, &Answer::text("Hi").stream(provider), Format::GeminiGenerate, false);
        let with = data(&told).iter().filter(|chunk| chunk["usageMetadata"].is_object()).count();
        assert_eq!(with, 1, "{provider}");
    }
}

#[test]
fn point_09_later_counts_replace_earlier_ones() {
    let provider = Format::AnthropicMessages;
    let start = json!({"type": "message_start", "message": {"id": "m", "usage": usage(provider)}});
    let delta =
        |counts: Value| frame(&json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": counts}));
    // All of them again, as of late; and a second time.
    let stream = [
        frame(&start),
        delta(json!({"output_tokens": 7})),
        delta(usage(provider)),
        frame(&json!({"type": "message_stop"})),
    ]
    .concat();
    for client in others(provider) {
        let told = streamed(provider, &stream, client, true);
        let counts = read(client, &put_together(client, &data(&told))).usage;
        assert_eq!((counts.input, counts.cached, counts.output), (INPUT, CACHED, OUTPUT), "{client}");
    }
    // Running totals of Gemini are replaced likewise.
    let chunk = |output: u64| {
        let counts = json!({"promptTokenCount": 5, "candidatesTokenCount": output, "totalTokenCount": 5 + output});
        frame(&json!({"candidates": [{"content": {"parts": [{"text": "x"}]}}], "usageMetadata": counts}))
    };
    let end = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 9}});
    let stream = [chunk(3), chunk(6), frame(&end)].concat();
    for client in others(Format::GeminiGenerate) {
        let told = streamed(Format::GeminiGenerate, &stream, client, true);
        assert_eq!(read(client, &put_together(client, &data(&told))).usage.output, 9, "{client}");
    }
}

/// How a stream of each provider goes on when it fails in the middle.
fn failure(provider: Format) -> String {
    match provider {
        Format::OpenAiChat => frame(&json!({"error": {"message": "It broke.", "type": "server_error", "code": null}})),
        Format::OpenAiResponses => {
            frame(&json!({"type": "error", "code": "server_error", "message": "It broke.", "param": null}))
        }
        Format::AnthropicMessages => {
            frame(&json!({"type": "error", "error": {"type": "api_error", "message": "It broke."}}))
        }
        _ => frame(&json!({"error": {"code": 500, "message": "It broke.", "status": "INTERNAL"}})),
    }
}

/// A stream up to the text, without its end.
fn beginning(provider: Format) -> String {
    let stream = Answer::text("Hello").stream(provider);
    let at = stream.find("Hello").unwrap();
    let end = at + stream[at..].find("\n\n").unwrap() + 2;
    stream[..end].to_owned()
}

/// Whether a client's stream ends as if all were well.
fn ends_well(client: Format, stream: &str) -> bool {
    let ends: &[&str] = match client {
        Format::OpenAiChat => &["[DONE]", "\"finish_reason\":\""],
        Format::OpenAiResponses => &["response.completed", "response.incomplete"],
        Format::AnthropicMessages => &["message_stop", "message_delta"],
        _ => &["finishReason"],
    };
    ends.iter().any(|end| stream.contains(end))
}

/// The error that a client's stream ends with.
fn error(client: Format, stream: &str) -> Value {
    let events = data(stream);
    let last = events.last().unwrap();
    match client {
        Format::OpenAiResponses => {
            assert_eq!(last["type"], "response.failed");
            assert_eq!(events[events.len() - 2]["type"], "error");
            last["response"]["error"].clone()
        }
        Format::AnthropicMessages => {
            assert_eq!(last["type"], "error");
            last["error"].clone()
        }
        _ => last["error"].clone(),
    }
}

#[test]
fn point_10_an_error_in_a_stream_is_an_error_in_the_clients_form_and_the_last() {
    for (client, provider) in pairs() {
        let stream = [beginning(provider), failure(provider), beginning(provider)].concat();
        let told = streamed(provider, &stream, client, true);
        assert!(told.contains("Hello"), "{client} of {provider}: {told}");
        assert!(!ends_well(client, &told), "{client} of {provider}: {told}");
        assert!(
            error(client, &told)["message"].as_str().unwrap().contains("It broke."),
            "{client} of {provider}: {told}"
        );
        assert_eq!(
            told.contains("event: error"),
            matches!(client, Format::OpenAiResponses | Format::AnthropicMessages)
        );
        assert!(told.rfind("Hello") < told.rfind("It broke."), "nothing follows: {client} of {provider}: {told}");
    }
}

#[test]
fn point_11_a_stream_that_breaks_off_has_no_end() {
    for (client, provider) in pairs() {
        for stream in [beginning(provider), beginning(provider) + "data: {\"hal"] {
            let told = streamed(provider, &stream, client, true);
            assert!(told.contains("Hello"), "{client} of {provider}: {told}");
            assert!(!ends_well(client, &told), "{client} of {provider}: {told}");
            assert!(error(client, &told)["message"].is_string(), "{client} of {provider}: {told}");
        }
    }
}
