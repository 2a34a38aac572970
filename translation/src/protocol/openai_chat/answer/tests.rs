use std::sync::Arc;

use serde_json::{Value, json};

use super::{decode, encode};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CallKind, Choice, Citation, ErrorKind, Finish, Part, ProviderError, Request, Response, Signature, ToolCall, Usage,
};
use crate::protocol::contract::AnswerContext;

fn read(body: &Value) -> Result<Response, ProviderError> {
    decode::response(body.to_string().as_bytes())
}

fn answer(message: Value, finish: Value) -> Choice {
    read(&json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})).unwrap().choices.remove(0)
}

fn asked(change: impl FnOnce(&mut Request)) -> AnswerContext {
    let mut request = Request::new(Format::OpenAiChat, "fast");
    change(&mut request);
    AnswerContext { id: "abc".to_owned(), created: 1_700_000_000, request: Arc::new(request) }
}

fn written(response: &Response) -> Value {
    serde_json::from_slice(&encode::response(response, &asked(|_| {}))).unwrap()
}

fn of(parts: Vec<Part>, finish: Finish) -> Response {
    let choice = Choice { parts, finish: Some(finish), ..Choice::default() };
    Response { choices: vec![choice], ..Response::default() }
}

fn message(parts: Vec<Part>, finish: Finish) -> Value {
    written(&of(parts, finish))["choices"][0]["message"].take()
}

fn call(id: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), "f".to_owned(), arguments.to_owned());
    Part::ToolCall(ToolCall { id, name, arguments, kind: CallKind::Function, signature: None, cache: None })
}

fn signature(family: Family) -> Signature {
    Signature { family, data: "s".to_owned() }
}

#[test]
fn point_02_arguments_are_never_empty() {
    for arguments in [json!(""), json!(null), json!("null"), json!(" ")] {
        let calls = json!({"content": null, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}]});
        assert_eq!(answer(calls, json!("tool_calls")).parts, [call("1", "{}")]);
    }
    let object = json!({"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}]});
    assert_eq!(answer(object, json!("stop")).parts, [call("1", r#"{"a":1}"#)]);
    let written = message(vec![call("1", "")], Finish::ToolCalls);
    assert_eq!(
        written["tool_calls"],
        json!([{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}])
    );
}

#[test]
fn point_05_called_tools_are_the_reason_to_stop() {
    for said in [json!("stop"), json!(""), json!(null), json!("tool_calls"), json!("function_call")] {
        let calls = json!({"tool_calls": [{"id": "1", "function": {"name": "f"}}]});
        assert_eq!(answer(calls, said).finish, Some(Finish::ToolCalls));
    }
    assert_eq!(
        answer(json!({"tool_calls": [{"id": "1", "function": {"name": "f"}}]}), json!("length")).finish,
        Some(Finish::Length)
    );
    assert_eq!(written(&of(vec![call("1", "{}")], Finish::Stop))["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn point_06_only_the_five_reasons_are_told() {
    let words = [
        (Finish::Stop, "stop"),
        (Finish::Pause, "stop"),
        (Finish::Length, "length"),
        (Finish::ContentFilter, "content_filter"),
        (Finish::ToolCalls, "stop"),
    ];
    for (finish, word) in words {
        assert_eq!(written(&of(vec![Part::text("x")], finish))["choices"][0]["finish_reason"], word);
    }
    assert_eq!(written(&of(vec![call("1", "{}")], Finish::ToolCalls))["choices"][0]["finish_reason"], "tool_calls");
    for (said, finish) in
        [("eos", Finish::Stop), ("model_length", Finish::Length), ("sensitive", Finish::ContentFilter)]
    {
        assert_eq!(answer(json!({"content": "x"}), json!(said)).finish, Some(finish));
    }
}

#[test]
fn point_07_counts_are_whole_and_add_up() {
    let usage = |usage: Value| {
        read(&json!({"choices": [{"message": {"content": "x"}}], "usage": usage})).unwrap().usage.unwrap()
    };
    let all = usage(json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 2, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 2}}));
    let expected = Usage {
        input: 10,
        cached: 4,
        cache_write: 3,
        input_audio: 2,
        output: 5,
        reasoning: 1,
        output_audio: 2,
        ..Usage::default()
    };
    assert_eq!(all, expected);
    // Thoughts that are in the total only (xAI, Gemini's compatible endpoint).
    let apart = usage(json!({"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}));
    assert_eq!((apart.output, apart.reasoning, apart.total()), (74, 62, 109));
    assert_eq!(
        usage(json!({"prompt_tokens": 5.0, "completion_tokens": "5"})),
        Usage { input: 5, output: 5, ..Usage::default() }
    );
    assert_eq!(usage(json!({"prompt_tokens": 5, "prompt_cache_hit_tokens": 3})).cached, 3);
    let mut response = of(vec![Part::text("x")], Finish::Stop);
    response.usage = Some(all);
    assert_eq!(
        written(&response)["usage"],
        json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3, "audio_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 2, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
    );
    assert_eq!(written(&of(Vec::new(), Finish::Stop))["usage"]["total_tokens"], 0);
}

#[test]
fn point_12_a_refusal_is_a_choice_with_words() {
    let refused = message(Vec::new(), Finish::ContentFilter);
    assert_eq!((refused["content"].clone(), refused["refusal"].as_str()), (Value::Null, Some(crate::ir::DECLINED)));
    let own = message(vec![Part::Refusal("no".into())], Finish::Stop);
    assert_eq!((own["content"].clone(), own["refusal"].clone()), (Value::Null, json!("no")));
    assert_eq!(answer(json!({"content": null, "refusal": "no"}), json!("stop")).parts, [Part::Refusal("no".into())]);
    assert_eq!(written(&Response::default())["choices"][0]["message"]["content"], "");
}

#[test]
fn the_smallest_answer_has_all_that_clients_need() {
    let mut response = of(vec![Part::text("a"), Part::text("b")], Finish::Stop);
    response.id = Some("msg_1".to_owned());
    let written = written(&response);
    assert_eq!(written["id"], "chatcmpl-abc");
    assert_eq!(written["object"], "chat.completion");
    assert_eq!(written["created"], 1_700_000_000);
    assert_eq!(written["model"], "fast");
    assert_eq!(
        written["choices"],
        json!([{"index": 0, "message": {"role": "assistant", "content": "ab", "refusal": null}, "logprobs": null, "finish_reason": "stop"}])
    );
}

#[test]
fn content_is_null_beside_calls_and_empty_alone() {
    assert_eq!(message(vec![call("1", "{}")], Finish::ToolCalls)["content"], Value::Null);
    let alone = message(Vec::new(), Finish::Length);
    assert_eq!(alone["content"], "");
    assert!(alone.get("tool_calls").is_none());
}

#[test]
fn point_21_thoughts_are_one_text_and_signed_blocks() {
    let thought = |text: &str, family| Part::Thinking { text: text.into(), signature: Some(signature(family)) };
    let written = message(
        vec![
            thought("a", Family::Anthropic),
            Part::RedactedThinking(signature(Family::Anthropic)),
            thought("b", Family::OpenAi),
            Part::text("x"),
        ],
        Finish::Stop,
    );
    assert_eq!(written["reasoning_content"], "a\n\nb");
    assert_eq!(
        written["thinking_blocks"],
        json!([{"type": "thinking", "thinking": "a", "signature": "s"}, {"type": "redacted_thinking", "data": "s"}])
    );
    let told = |message: Value| answer(message, json!("stop")).parts;
    let thought = Part::Thinking { text: "t".into(), signature: None };
    assert_eq!(told(json!({"content": "x", "reasoning_content": "t"})), [thought.clone(), Part::text("x")]);
    assert_eq!(told(json!({"content": "x", "reasoning": "t"})), [thought.clone(), Part::text("x")]);
    let mistral = json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "x"}, {"type": "text", "text": "y"}]});
    assert_eq!(told(mistral), [thought, Part::text("xy")]);
    assert_eq!(told(json!({"content": "x", "reasoning_content": {"odd": 1}})), [Part::text("x")]);
}

#[test]
fn point_20_signatures_of_calls_go_where_clients_keep_them() {
    let Part::ToolCall(mut signed) = call("1", "{}") else { unreachable!() };
    signed.signature = Some(signature(Family::Gemini));
    let written = message(vec![Part::ToolCall(signed.clone())], Finish::ToolCalls);
    assert_eq!(written["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "s");
    assert_eq!(answer(written, json!("tool_calls")).parts, [Part::ToolCall(signed)]);
}

#[test]
fn point_25_annotations_are_complete_or_absent() {
    let full = Citation { url: Some("u".into()), title: Some("t".into()), start: Some(1), end: Some(2), quote: None };
    let text = |text: &str, citations| Part::Text { text: text.into(), cache: None, citations, signature: None };
    let half = Citation { title: None, ..full.clone() };
    let written = message(vec![text("éa", vec![half.clone()]), text("b", vec![full.clone()])], Finish::Stop);
    assert_eq!(
        written["annotations"],
        json!([{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 3, "end_index": 4}}])
    );
    assert!(message(vec![text("a", vec![half])], Finish::Stop).get("annotations").is_none());
    let read = answer(
        json!({"content": "x", "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 1, "end_index": 2}}, {"type": "file"}]}),
        json!("stop"),
    );
    assert_eq!(read.parts, [text("x", vec![full])]);
}

#[test]
fn log_probabilities_are_made_complete() {
    let body = json!({"choices": [{"message": {"content": "x"}, "logprobs": {"content": [{"token": "x", "logprob": -0.5}], "refusal": null}}]});
    let response = read(&body).unwrap();
    assert_eq!(
        written(&response)["choices"][0]["logprobs"]["content"],
        json!([{"token": "x", "logprob": -0.5, "top_logprobs": [], "bytes": null}])
    );
    assert_eq!(
        read(&json!({"choices": [{"message": {}, "logprobs": {"content": null}}]})).unwrap().choices[0].logprobs,
        None
    );
}

#[test]
fn functions_of_before_are_answered_as_such() {
    let body = encode::response(
        &of(vec![call("1", "{}")], Finish::ToolCalls),
        &asked(|request| request.legacy_functions = true),
    );
    let written: Value = serde_json::from_slice(&body).unwrap();
    let choice = &written["choices"][0];
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
    assert!(choice["message"].get("tool_calls").is_none());
    assert_eq!(choice["finish_reason"], "function_call");
    let read =
        answer(json!({"content": null, "function_call": {"name": "f", "arguments": ""}}), json!("function_call"));
    assert!(matches!(&read.parts[0], Part::ToolCall(call) if call.arguments == "{}" && call.id.starts_with("call_")));
}

#[test]
fn calls_of_vendors_get_ids_that_differ() {
    let calls = json!({"tool_calls": [{"id": "", "function": {"name": "f"}}, {"function": {"name": "f"}}, {"id": "0", "function": {"name": "f"}}, {"id": "0", "function": {"name": "f"}}, null, {"id": "9", "function": {}}]});
    let parts = answer(calls, json!("stop")).parts;
    let ids: std::collections::HashSet<_> = parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => call.id.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((parts.len(), ids.len()), (4, 4));
    assert!(ids.iter().all(|id| !id.is_empty() && id.len() <= 40));
}

#[test]
fn what_is_no_answer_is_an_error() {
    let failed = |body: &str| decode::response(body.as_bytes()).unwrap_err();
    let limited = failed(r#"{"error":{"message":"slow down","code":429}}"#);
    assert_eq!((limited.kind, limited.message.as_str()), (ErrorKind::RateLimited, "slow down"));
    for body in ["", "<html>", "\"text\"", "[]", "{}", r#"{"choices":[]}"#, r#"{"choices":null}"#] {
        let error = failed(body);
        assert_eq!((error.status, error.code.as_deref()), (502, Some("bad_upstream_response")), "{body}");
    }
    assert_eq!(failed(r#"{"object":"error","message":"m","code":400}"#).message, "m");
    assert_eq!(
        failed(r#"{"choices":[{"finish_reason":"error","error":{"code":503,"message":"m"}}]}"#).kind,
        ErrorKind::Overloaded
    );
    assert!(decode::response(br#"{"error":null,"choices":[{"message":{"content":"x"}}]}"#).is_ok());
    assert!(decode::response(br#"{"error":"","choices":[{"message":{"content":"x"}}]}"#).is_ok());
}
