//! Whole answers, errors, and what metering reads.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{OpenAiResponses, asked, decoded};
use crate::format::Family;
use crate::ir::{
    CallKind, Choice, Citation, ErrorKind, Finish, MediaKind, MediaSource, Part, ProviderError, Response, Signature,
    ToolCall, Usage,
};
use crate::protocol::contract::{Protocol as _, Seen};
use crate::protocol::openai_responses::response_id;

fn answer(more: &Value) -> Result<Response, ProviderError> {
    let mut body = json!({
        "id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": "completed", "error": null,
        "incomplete_details": null, "model": "gpt-x", "output": [],
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15},
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    OpenAiResponses.decode_response(body.to_string().as_bytes())
}

fn message(content: &Value) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
}

#[test]
fn items_of_all_kinds_are_parts_in_order() {
    let response = answer(&json!({"output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "reasoning", "id": "rs_3", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        message(&json!([{"type": "output_text", "text": "ab", "annotations": [
            {"type": "url_citation", "url": "https://x", "title": "X", "start_index": 0, "end_index": 2},
            {"type": "file_path", "file_id": "f"}]},
            {"type": "output_text", "text": "cd", "annotations": []}])),
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA", "output_format": "webp"},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": ""},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "4 + 4"},
        {"type": "something_new", "x": 1}, 7, {"type": 3},
    ]}))
    .unwrap();
    assert_eq!((response.id.as_deref(), response.model.as_deref()), (Some("resp_1"), Some("gpt-x")));
    let usage = Usage { input: 10, cached: 4, output: 5, reasoning: 2, ..Usage::default() };
    assert_eq!((response.created, response.usage), (Some(1_790_000_000), Some(usage)));
    let [choice] = &response.choices[..] else { panic!() };
    assert_eq!(choice.finish, Some(Finish::ToolCalls));
    let [
        thought,
        raw,
        Part::Opaque { family: Family::OpenAi, .. },
        cited,
        second,
        Part::Media(picture),
        Part::ToolCall(f),
        Part::ToolCall(g),
        Part::Opaque { .. },
    ] = &choice.parts[..]
    else {
        panic!("{choice:?}")
    };
    let signature = Some(Signature { family: Family::OpenAi, data: "rs_1:gAAA".to_owned() });
    assert_eq!(*thought, Part::Thinking { text: "hm".to_owned(), signature });
    assert_eq!(*raw, Part::Thinking { text: "raw".to_owned(), signature: None });
    let Part::Text { citations, .. } = cited else { panic!() };
    let (url, title) = (Some("https://x".to_owned()), Some("X".to_owned()));
    assert_eq!(*citations, [Citation { url, title, start: Some(0), end: Some(2), quote: None }]);
    assert_eq!(second.as_text(), Some("cd"));
    assert_eq!((picture.kind, picture.mime.as_deref()), (MediaKind::Image, Some("image/webp")));
    assert_eq!(picture.source, MediaSource::Base64("AAAA".to_owned()));
    assert_eq!((f.arguments.as_str(), g.arguments.as_str(), g.kind), ("{}", "4 + 4", CallKind::Custom));
}

#[test]
fn point_06_every_way_to_stop_is_one_of_ours() {
    let finish = |more: Value| answer(&more).unwrap().choices[0].finish;
    assert_eq!(finish(json!({})), Some(Finish::Stop));
    let cut = |reason: &str| json!({"status": "incomplete", "incomplete_details": {"reason": reason}});
    assert_eq!(finish(cut("max_output_tokens")), Some(Finish::Length));
    assert_eq!(finish(cut("content_filter")), Some(Finish::ContentFilter));
    assert_eq!(finish(cut("new")), Some(Finish::Length));
    let refusal = message(&json!([{"type": "refusal", "refusal": "no"}]));
    assert_eq!(finish(json!({"output": [refusal]})), Some(Finish::ContentFilter));
    assert_eq!(finish(json!({"status": "queued", "usage": null})), None);
    assert_eq!(finish(json!({"status": "in_progress"})), None);
}

#[test]
fn an_error_in_the_guise_of_an_answer_is_one() {
    let kind = |more: Value| answer(&more).unwrap_err().kind;
    assert_eq!(kind(json!({"status": "failed", "error": {"code": "server_error", "message": "m"}})), ErrorKind::Server);
    assert_eq!(
        kind(json!({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "m"}})),
        ErrorKind::RateLimited
    );
    assert_eq!(
        kind(json!({"status": "failed", "error": {"code": "invalid_image_url", "message": "m"}})),
        ErrorKind::InvalidRequest
    );
    assert_eq!(kind(json!({"status": "failed", "error": null})), ErrorKind::Server);
    assert_eq!(kind(json!({"status": "cancelled"})), ErrorKind::Server);
    for body in ["", "<html>", "[]", "{}", "{\"object\":\"chat.completion\",\"choices\":[]}"] {
        let error = OpenAiResponses.decode_response(body.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::Server, 502), "{body}");
    }
}

#[test]
fn fields_of_an_unexpected_type_are_ignored() {
    let response = answer(&json!({
        "created_at": 1_790_000_000.5, "service_tier": 1, "usage": {"input_tokens": 3.0, "output_tokens": "x"},
        "output": [{"type": "message", "content": "bare"}, message(&json!([{"type": "output_text", "text": "a", "annotations": null, "logprobs": {}}]))],
    }))
    .unwrap();
    assert_eq!(response.created, Some(1_790_000_000));
    assert_eq!(response.usage.unwrap(), Usage { input: 3, ..Usage::default() });
    assert_eq!(response.choices[0].parts, [Part::text("a")]);
}

#[test]
fn a_clients_answer_says_back_what_it_asked() {
    let request = decoded(&json!({
        "model": "alias", "input": "hi", "instructions": "Be brief.", "max_output_tokens": 50, "temperature": 0.2, "top_p": 0.7,
        "parallel_tool_calls": false, "reasoning": {"effort": "low", "summary": "auto"}, "user": "u", "metadata": {"k": "v"},
        "text": {"format": {"type": "json_object"}, "verbosity": "low"}, "tool_choice": {"type": "function", "name": "f"},
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true},
            {"type": "web_search"}], "truncation": "auto", "prompt_cache_key": "p", "service_tier": "flex",
    }));
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        kind: CallKind::Function,
        signature: None,
        cache: None,
    };
    let parts = vec![Part::text("a"), Part::ToolCall(call)];
    let choice = Choice { parts, finish: Some(Finish::ToolCalls), ..Choice::default() };
    let response = Response { choices: vec![choice], usage: Some(Usage::default()), ..Response::default() };
    let body = OpenAiResponses.encode_response(&response, &asked(request));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        body,
        json!({
            "id": "resp_abc", "object": "response", "created_at": 1_790_000_000, "status": "completed", "error": null,
            "incomplete_details": null,
            "output": [
                {"id": "msg_abc_0", "type": "message", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]},
                {"id": "fc_abc_1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}"},
            ],
            "usage": {"input_tokens": 0, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}, "output_tokens": 0,
                "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 0},
            "service_tier": "flex", "background": false, "instructions": "Be brief.", "max_output_tokens": 50,
            "max_tool_calls": null, "model": "alias", "parallel_tool_calls": false, "previous_response_id": null,
            "prompt_cache_key": "p", "reasoning": {"effort": "low", "summary": "auto"}, "safety_identifier": null, "store": false,
            "temperature": 0.2, "text": {"format": {"type": "json_object"}, "verbosity": "low"},
            "tool_choice": {"type": "function", "name": "f"},
            "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true},
                {"type": "web_search"}],
            "top_logprobs": 0, "top_p": 0.7, "truncation": "auto", "user": "u", "metadata": {"k": "v"},
        })
    );
}

#[test]
fn point_21_signatures_of_every_family_make_the_round() {
    let request = decoded(&json!({"model": "m", "input": "hi"}));
    for family in [Family::OpenAi, Family::Anthropic, Family::Gemini] {
        let signature = |data: &str| Signature { family, data: data.to_owned() };
        let parts = vec![
            Part::Thinking { text: "a thought".to_owned(), signature: Some(signature("rs_7:EqQB+/=")) },
            Part::Thinking { text: String::new(), signature: Some(signature("rs_8:x")) },
            Part::Thinking { text: "unsigned".to_owned(), signature: None },
            Part::Thinking { text: "apart".to_owned(), signature: None },
            Part::text("said"),
        ];
        let choice = Choice { parts, finish: Some(Finish::Stop), ..Choice::default() };
        let response = Response { choices: vec![choice], ..Response::default() };
        let body = OpenAiResponses.encode_response(&response, &asked(request.clone()));
        let again = OpenAiResponses.decode_response(&body).unwrap();
        assert_eq!(again.choices, response.choices, "{family:?}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        let wrapped = body["output"][0]["encrypted_content"].as_str().unwrap().starts_with("orchestration:");
        assert_eq!(wrapped, family != Family::OpenAi, "OpenAI's own is given back as it was");
    }
}

#[test]
fn errors_have_openais_shape() {
    let (status, body) = OpenAiResponses.encode_error(&ProviderError::new(ErrorKind::RateLimited, "slow"), "req");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    assert_eq!(OpenAiResponses.decode_error(401, b"{}").kind, ErrorKind::UpstreamAuthentication);
}

#[test]
fn ids_are_found_in_answers_and_in_the_first_events() {
    assert_eq!(response_id(br#"{"output":[{"id":"msg_1"}],"id":"resp_1"}"#).as_deref(), Some("resp_1"));
    assert_eq!(
        response_id(br#"{"type":"response.created","response":{"id":"resp_2","object":"response"}}"#).as_deref(),
        Some("resp_2")
    );
    for other in ["", "{}", "[1]", r#"{"id":7}"#, r#"{"type":"response.output_text.delta","delta":"x"}"#, "{\"id\":"] {
        assert_eq!(response_id(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn a_stream_that_passes_through_is_metered() {
    let mut watcher = OpenAiResponses.watcher();
    let mut seen = |data: &str| watcher.event(&Bytes::from(data.to_owned()));
    let usage = Usage { input: 10, output: 5, ..Usage::default() };
    assert_eq!(seen(r#"{"type":"response.output_text.delta","delta":"\"response\""}"#), Seen::default());
    assert_eq!(seen(r#"{"type":"response.created","response":{"usage":null,"error":null}}"#), Seen::default());
    let counts = r#"{"input_tokens":10,"output_tokens":5}"#;
    for name in ["completed", "incomplete"] {
        let ended = seen(&format!(r#"{{"type":"response.{name}","response":{{"usage":{counts}}}}}"#));
        assert_eq!(ended, Seen { usage: Some(usage), finishes: true, done: true, ..Seen::default() });
    }
    let failed = seen(&format!(r#"{{"type":"response.failed","response":{{"error":{{}},"usage":{counts}}}}}"#));
    assert_eq!(failed, Seen { usage: Some(usage), error: true, done: true, ..Seen::default() });
    assert!(seen(r#"{"type":"error","error":{"message":"m"}}"#).error);
    assert!(seen(r#"{"type":"error","message":"m"}"#).error, "the documented shape");
    assert!(seen(r#"{"error":{"message":"m"}}"#).error);
    assert_eq!(seen("[DONE]"), Seen::default());
}

#[test]
fn usage_is_found_in_answers_and_their_tails() {
    let usage = Some(Usage { input: 10, cached: 4, output: 5, reasoning: 2, ..Usage::default() });
    let body = r#"{"output":[],"tool_usage":{"x":{}},"usage": {"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2}},"metadata":{"usage":"x"}}"#;
    assert_eq!(OpenAiResponses.usage(body.as_bytes()).unwrap(), usage);
    assert_eq!(OpenAiResponses.usage_in_tail(&body.as_bytes()[20..]), usage);
    assert_eq!(OpenAiResponses.usage(br#"{"usage":[]}"#).unwrap(), None);
    assert_eq!(OpenAiResponses.usage(b"[]").unwrap(), None);
    assert!(OpenAiResponses.usage(b"{").is_err());
    assert_eq!(OpenAiResponses.usage_in_tail(b"\"usage\":{\"input_tok"), None);
}
