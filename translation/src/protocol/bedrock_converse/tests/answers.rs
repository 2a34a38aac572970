//! Whole answers (`docs/TRANSLATION.md` section 3).

use serde_json::{Value, json};

use super::BedrockConverse;
use crate::format::Family;
use crate::ir::{Finish, MediaKind, Part, ProviderError, Response, Usage};
use crate::protocol::contract::Protocol as _;

fn decode(answer: &Value) -> Result<Response, ProviderError> {
    BedrockConverse.decode_response(answer.to_string().as_bytes())
}

fn answer(content: &Value, reason: &str) -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30},
        "metrics": {"latencyMs": 1},
    })
}

fn parts(content: &Value) -> Vec<Part> {
    decode(&answer(content, "end_turn")).unwrap().choices.remove(0).parts
}

#[test]
fn texts_calls_and_thoughts_in_their_order() {
    let content = json!([
        {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "Ev"}}},
        {"reasoningContent": {"redactedContent": "RW1w"}},
        {"text": "I look."},
        {"text": ""},
        {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"n": 1.0}, "type": "tool_use"}},
    ]);
    let parts = parts(&content);
    let Part::Thinking { text, signature: Some(signature) } = &parts[0] else { panic!("{parts:?}") };
    assert_eq!((&**text, signature.family, &*signature.data), ("Hm", Family::Anthropic, "Ev"));
    assert!(matches!(&parts[1], Part::RedactedThinking(signature) if signature.data == "RW1w"));
    assert_eq!(parts[2], Part::text("I look."));
    let Part::ToolCall(call) = &parts[3] else { panic!("{parts:?}") };
    assert_eq!((&*call.id, &*call.name, &*call.arguments), ("t1", "f", r#"{"n":1.0}"#));
    assert_eq!(parts.len(), 4);
}

#[test]
fn point_02_a_call_without_arguments_has_an_empty_object() {
    for input in [json!({}), Value::Null] {
        let parts = parts(&json!([{"toolUse": {"toolUseId": "t", "name": "f", "input": input}}]));
        assert!(matches!(&parts[0], Part::ToolCall(call) if call.arguments == "{}"));
    }
}

#[test]
fn arguments_keep_their_digits() {
    let body = r#"{"output":{"message":{"content":[{"toolUse":{"toolUseId":"t","name":"f","input":{"n":12345678901234567890.10}}}]}},"stopReason":"tool_use"}"#;
    let response = BedrockConverse.decode_response(body.as_bytes()).unwrap();
    let Part::ToolCall(call) = &response.choices[0].parts[0] else { panic!() };
    assert_eq!(call.arguments, r#"{"n":12345678901234567890.10}"#);
}

#[test]
fn point_07_usage_counts_the_cache() {
    let usage = |usage: Value| {
        let mut answer = answer(&json!([{"text": "a"}]), "end_turn");
        answer["usage"] = usage;
        decode(&answer).unwrap().usage
    };
    let counted = usage(json!({
        "inputTokens": 5, "outputTokens": 7, "totalTokens": 142, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 30,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 10}],
    }));
    let expected =
        Usage { input: 135, cached: 100, cache_write: 30, cache_write_1h: 20, output: 7, ..Usage::default() };
    assert_eq!(counted, Some(expected));
    // The total tells where a maker counts the cache's in.
    let inclusive =
        usage(json!({"inputTokens": 105, "outputTokens": 7, "totalTokens": 112, "cacheReadInputTokens": 100}));
    assert_eq!(inclusive.map(|usage| (usage.input, usage.cached)), Some((105, 100)));
    assert_eq!(usage(json!({})), None);
    assert_eq!(usage(json!("free")), None);
    let body = json!({"usage": {"inputTokens": 1, "outputTokens": 2}}).to_string();
    assert_eq!(BedrockConverse.usage(body.as_bytes()).unwrap().unwrap().total(), 3);
    assert!(BedrockConverse.usage(b"<html>").is_err());
}

#[test]
fn point_05_and_06_reasons() {
    let finish = |content: Value, reason: &str| decode(&answer(&content, reason)).unwrap().choices[0].finish;
    let (text, call) = (json!([{"text": "a"}]), json!([{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]));
    assert_eq!(finish(text.clone(), "end_turn"), Some(Finish::Stop));
    assert_eq!(finish(text.clone(), "guardrail_intervened"), Some(Finish::ContentFilter));
    assert_eq!(finish(text.clone(), "malformed_model_output"), Some(Finish::Stop));
    assert_eq!(finish(text, "of_next_year"), Some(Finish::Stop));
    assert_eq!(finish(call.clone(), "end_turn"), Some(Finish::ToolCalls));
    assert_eq!(finish(call, "max_tokens"), Some(Finish::Length));
}

#[test]
fn point_12_an_answer_that_is_withheld_has_a_refusal() {
    let withheld = decode(&answer(&json!([]), "content_filtered")).unwrap();
    assert!(matches!(&withheld.choices[0].parts[..], [Part::Refusal(_)]));
    // A guardrail's own words are the text.
    let said = decode(&answer(&json!([{"text": "Not here."}]), "guardrail_intervened")).unwrap();
    assert_eq!(said.choices[0].parts, [Part::text("Not here.")]);
}

#[test]
fn point_24_blocks_that_a_client_cannot_use_are_skipped() {
    let content = json!([
        {"toolUse": {"toolUseId": "s", "name": "web", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "s", "content": []}},
        {"hologram": {"a": 1}},
        {"text": 5},
        {"reasoningContent": {"redactedContent": "cnNuX3BVUGg="}},
        {"text": "a"},
        {"text": "b"},
    ]);
    assert_eq!(parts(&content), [Part::text("a"), Part::text("b")]);
}

#[test]
fn citations_are_of_the_whole_text() {
    let cited = json!([{"citationsContent": {
        "content": [{"text": "née "}, {"text": "X"}],
        "citations": [{"title": "T", "sourceContent": [{"text": "q"}], "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}],
    }}]);
    let parts = parts(&cited);
    let Part::Text { text, citations, .. } = &parts[0] else { panic!("{parts:?}") };
    assert_eq!((&**text, citations[0].start, citations[0].end), ("née X", Some(0), Some(5)));
    assert_eq!((citations[0].title.as_deref(), citations[0].url.as_deref()), (Some("T"), None));
}

#[test]
fn pictures_tiers_and_stop_texts() {
    let mut picture = answer(&json!([{"image": {"format": "jpeg", "source": {"bytes": "/9j/"}}}]), "stop_sequence");
    picture["serviceTier"] = json!({"type": "flex"});
    picture["additionalModelResponseFields"] = json!({"stop_sequence": "END"});
    let response = decode(&picture).unwrap();
    assert_eq!(response.service_tier.as_deref(), Some("flex"));
    assert_eq!(response.choices[0].stop_sequence.as_deref(), Some("END"));
    let Part::Media(media) = &response.choices[0].parts[0] else { panic!() };
    assert_eq!((media.kind, media.mime.as_deref()), (MediaKind::Image, Some("image/jpeg")));
}

#[test]
fn what_is_no_answer_is_an_error() {
    let code = |body: &[u8]| BedrockConverse.decode_response(body).unwrap_err().code;
    assert_eq!(code(b"<html>").as_deref(), Some("bad_upstream_response"));
    assert_eq!(code(b"{}").as_deref(), Some("bad_upstream_response"));
    assert_eq!(code(b"[]").as_deref(), Some("bad_upstream_response"));
    let malformed = decode(&answer(&json!([]), "malformed_tool_use")).unwrap_err();
    assert_eq!(malformed.code.as_deref(), Some("malformed_model_output"));
}
