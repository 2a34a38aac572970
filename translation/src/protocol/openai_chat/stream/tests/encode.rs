use std::sync::Arc;

use serde_json::{Value, json};

use super::super::encoder::{Encoder, usage_event};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{CallKind, Citation, ErrorKind, Event, Finish, ProviderError, Request, Signature, Start, Usage};
use crate::protocol::contract::{AnswerContext, StreamEncoder as _};

fn text(change: impl FnOnce(&mut Request), events: &[Event]) -> String {
    let mut request = Request::new(Format::OpenAiChat, "fast");
    change(&mut request);
    let asked = AnswerContext { id: "abc".to_owned(), created: 5, request: Arc::new(request) };
    let (mut encoder, mut bytes) = (Encoder::new(asked), Vec::new());
    for event in events {
        encoder.event(event, &mut bytes);
    }
    if !matches!(events.last(), Some(Event::Error(_))) {
        encoder.end(&mut bytes);
    }
    String::from_utf8(bytes).unwrap()
}

/// The chunks, and what stands behind them.
fn chunks(change: impl FnOnce(&mut Request), events: &[Event]) -> Vec<Value> {
    let text = text(change, events);
    let frames: Vec<&str> = text.split_terminator("\n\n").collect();
    let (done, chunks) = frames.split_last().unwrap();
    assert_eq!(*done, "data: [DONE]");
    chunks.iter().map(|chunk| serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

fn deltas(events: &[Event]) -> Vec<Value> {
    let chunks = chunks(|_| {}, events);
    chunks.into_iter().map(|mut chunk| chunk["choices"][0]["delta"].take()).collect()
}

fn start() -> Event {
    Event::Start(Start { id: Some("msg_1".into()), ..Start::default() })
}

fn tool(call: usize, kind: CallKind) -> Event {
    Event::ToolStart { call, id: format!("id{call}"), name: "f".into(), kind, signature: None }
}

fn arguments(call: usize, text: &str) -> Event {
    Event::ToolArguments { call, text: text.into() }
}

fn end(reason: Finish) -> Event {
    Event::Finish { reason, stop_sequence: None }
}

#[test]
fn the_golden_sequence() {
    let usage = Usage { input: 3, output: 4, ..Usage::default() };
    let events = [
        start(),
        start(),
        Event::Text("Hi".into()),
        tool(0, CallKind::Function),
        arguments(0, "{\"a\":"),
        arguments(0, "1}"),
        Event::ToolEnd { call: 0 },
        Event::Usage(Usage::default()),
        Event::Usage(usage),
        end(Finish::ToolCalls),
    ];
    let told = chunks(|request| request.include_usage = true, &events);
    let deltas: Vec<Value> = told.iter().map(|chunk| chunk["choices"].clone()).collect();
    let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
    assert_eq!(
        deltas,
        [
            choice(json!({"role": "assistant", "content": ""}), Value::Null),
            choice(json!({"content": "Hi"}), Value::Null),
            choice(
                json!({"tool_calls": [{"index": 0, "id": "id0", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
                Value::Null
            ),
            choice(json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}]}), Value::Null),
            choice(json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}), Value::Null),
            choice(json!({}), json!("tool_calls")),
            json!([]),
        ]
    );
    for (at, chunk) in told.iter().enumerate() {
        assert_eq!(
            (&chunk["id"], &chunk["object"], &chunk["created"], &chunk["model"]),
            (&json!("chatcmpl-abc"), &json!("chat.completion.chunk"), &json!(5), &json!("fast"))
        );
        assert_eq!(chunk["usage"].is_null(), at + 1 < told.len());
        assert!(chunk.get("usage").is_some());
    }
    assert_eq!(told.last().unwrap()["usage"]["total_tokens"], 7);
}

#[test]
fn point_08_usage_is_told_once_and_only_if_asked() {
    let events = [start(), Event::Usage(Usage { input: 3, ..Usage::default() }), end(Finish::Stop)];
    assert!(chunks(|_| {}, &events).iter().all(|chunk| chunk.get("usage").is_none()));
    let told = chunks(|request| request.include_usage = true, &events);
    assert_eq!(told.iter().filter(|chunk| !chunk["usage"].is_null()).count(), 1);
}

#[test]
fn usage_closes_a_stream_that_asked_for_it_also_where_the_provider_counted_nothing() {
    let told = chunks(|request| request.include_usage = true, &[start(), Event::Text("Hi".into()), end(Finish::Stop)]);
    let last = told.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!((&last["usage"]["prompt_tokens"], &last["usage"]["total_tokens"]), (&json!(0), &json!(0)));
}

#[test]
fn a_passed_stream_is_closed_in_the_words_of_its_own_chunks() {
    let last = br#"{"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    for (last, wanted) in [(&last[..], (json!("c"), json!(7), json!("m"))), (b"{}", (json!(""), json!(0), json!("")))] {
        let event = String::from_utf8(usage_event(last)).unwrap();
        let data = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\n\n")).unwrap();
        let chunk: Value = serde_json::from_str(data).unwrap();
        assert_eq!((chunk["id"].clone(), chunk["created"].clone(), chunk["model"].clone()), wanted);
        assert_eq!((&chunk["choices"], &chunk["usage"]["total_tokens"]), (&json!([]), &json!(0)));
    }
}

#[test]
fn point_02_a_call_without_arguments_is_told_an_empty_object() {
    let told = deltas(&[start(), tool(0, CallKind::Function), Event::ToolEnd { call: 0 }, end(Finish::ToolCalls)]);
    assert_eq!(told[2], json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}));
}

#[test]
fn point_03_tool_index_is_dense() {
    let told = deltas(&[
        start(),
        tool(0, CallKind::Function),
        tool(1, CallKind::Custom),
        arguments(1, "free"),
        arguments(0, "{}"),
        end(Finish::Stop),
    ]);
    let indices: Vec<_> = told[1..5].iter().map(|delta| delta["tool_calls"][0]["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 1, 0]);
    assert_eq!(
        told[2]["tool_calls"][0],
        json!({"index": 1, "id": "id1", "type": "custom", "custom": {"name": "f", "input": ""}})
    );
    assert_eq!(told[3]["tool_calls"][0], json!({"index": 1, "custom": {"input": "free"}}));
}

#[test]
fn point_10_an_error_is_the_last_frame() {
    let error = ProviderError::new(ErrorKind::Overloaded, "busy");
    let told = text(
        |_| {},
        &[start(), Event::Text("a".into()), Event::Error(error.clone()), Event::Text("b".into()), Event::Error(error)],
    );
    let last = told.split_terminator("\n\n").last().unwrap();
    assert_eq!(last, r#"data: {"error":{"message":"busy","type":"server_error","param":null,"code":"overloaded"}}"#);
    assert!(!told.contains("event:") && !told.contains("[DONE]") && !told.contains("\"b\""));
}

#[test]
fn point_12_a_refusal_without_words_gets_some() {
    let told = deltas(&[start(), end(Finish::ContentFilter)]);
    assert!(told[1]["refusal"].is_string());
    assert_eq!(
        deltas(&[start(), Event::Refusal("no".into()), end(Finish::ContentFilter)])[1],
        json!({"refusal": "no"})
    );
    assert_eq!(deltas(&[start(), Event::Text("a".into()), end(Finish::ContentFilter)]).len(), 3);
}

#[test]
fn point_21_a_signature_comes_with_its_whole_thought() {
    let signed = |family| Signature { family, data: "s".into() };
    let told = deltas(&[
        start(),
        Event::Thinking("a".into()),
        Event::Thinking("b".into()),
        Event::ThinkingSignature(signed(Family::Anthropic)),
        Event::RedactedThinking(signed(Family::Anthropic)),
        Event::ThinkingSignature(signed(Family::OpenAi)),
        end(Finish::Stop),
    ]);
    assert_eq!(told[1], json!({"reasoning_content": "a"}));
    assert_eq!(
        told[3],
        json!({"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "ab", "signature": "s"}]})
    );
    assert_eq!(told[4], json!({"thinking_blocks": [{"index": 1, "type": "redacted_thinking", "data": "s"}]}));
    assert_eq!(told.len(), 6);
}

#[test]
fn point_20_signatures_of_gemini() {
    let signature = Signature { family: Family::Gemini, data: "s".into() };
    let call = Event::ToolStart {
        call: 0,
        id: "1".into(),
        name: "f".into(),
        kind: CallKind::Function,
        signature: Some(signature.clone()),
    };
    let told = deltas(&[start(), call, Event::TextSignature(signature), end(Finish::ToolCalls)]);
    assert_eq!(told[1]["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "s");
    assert_eq!(told[2], json!({"extra_content": {"google": {"thought_signature": "s"}}}));
}

/// As in an answer in one piece (`docs/TRANSLATION.md` section 3).
#[test]
fn thoughts_stand_apart() {
    let signed = Event::ThinkingSignature(Signature { family: Family::OpenAi, data: "s".into() });
    let thought = |text: &str| Event::Thinking(text.into());
    let told = deltas(&[start(), thought("a"), thought("b"), signed, thought("c"), thought("d"), end(Finish::Stop)]);
    let words: Vec<_> = told.iter().filter_map(|delta| delta["reasoning_content"].as_str()).collect();
    assert_eq!(words, ["a", "b", "\n\nc", "d"]);
}

/// Official SDKs add up texts, and lists by an `index`: what has none comes once (`docs/CONFORMANCE.md` section 3).
#[test]
fn what_clients_add_up_comes_once() {
    let citation = |at| Citation {
        url: Some("u".into()),
        title: Some("t".into()),
        start: Some(at),
        end: Some(at + 1),
        quote: None,
    };
    let signed = |data: &str| Event::TextSignature(Signature { family: Family::Gemini, data: data.into() });
    let told = deltas(&[
        start(),
        Event::Citation(citation(1)),
        signed("first"),
        Event::Text("a".into()),
        Event::Citation(citation(5)),
        signed("last"),
        end(Finish::Stop),
    ]);
    assert_eq!(told[1], json!({"content": "a"}));
    assert_eq!(told[2]["annotations"][0]["url_citation"]["start_index"], 1);
    assert_eq!(told[2]["annotations"][1]["url_citation"]["start_index"], 5);
    assert_eq!(told[2]["extra_content"], json!({"google": {"thought_signature": "last"}}));
    assert_eq!(told[3], json!({}));
    assert_eq!(told.len(), 4);
}

#[test]
fn point_25_annotations_are_complete_or_absent() {
    let full = Citation { url: Some("u".into()), title: Some("t".into()), start: Some(1), end: Some(2), quote: None };
    let half = Citation { start: None, ..full.clone() };
    let told = deltas(&[start(), Event::Citation(half), Event::Citation(full), end(Finish::Stop)]);
    assert_eq!(
        told[1],
        json!({"annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 1, "end_index": 2}}]})
    );
    assert_eq!(told.len(), 3);
}

#[test]
fn functions_of_before_are_answered_as_such() {
    let events = [
        start(),
        tool(0, CallKind::Function),
        arguments(0, "{}"),
        tool(1, CallKind::Function),
        arguments(1, "{}"),
        end(Finish::ToolCalls),
    ];
    let told = chunks(|request| request.legacy_functions = true, &events);
    let choices: Vec<_> = told.iter().map(|chunk| &chunk["choices"][0]).collect();
    assert_eq!(choices[1]["delta"], json!({"function_call": {"name": "f", "arguments": ""}}));
    assert_eq!(choices[2]["delta"], json!({"function_call": {"arguments": "{}"}}));
    assert_eq!((choices.len(), &choices[3]["finish_reason"]), (4, &json!("function_call")));
}

#[test]
fn an_id_of_openai_is_kept_and_the_reason_is_one_of_five() {
    let start =
        Event::Start(Start { id: Some("chatcmpl-9".into()), service_tier: Some("flex".into()), ..Start::default() });
    let told = chunks(|_| {}, &[start, end(Finish::Pause)]);
    assert_eq!((&told[0]["id"], &told[1]["service_tier"]), (&json!("chatcmpl-9"), &json!("flex")));
    assert_eq!(told[1]["choices"][0]["finish_reason"], "stop");
}
