use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use translation::Format;

use super::{ChatRequest, Spoken};
use crate::error::GatewayError;
use crate::request::{Outbound as _, Outgoing};
use crate::route::fixtures::{group, key, snapshot};
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

fn written(body: &str, upstream: &str, defaults: &[(&str, &str)], overrides: &[(&str, &str)]) -> (Bytes, Outgoing) {
    let object = |fields: &[(&str, &str)]| {
        fields.iter().map(|(name, value)| ((*name).to_owned(), serde_json::from_str(value).unwrap())).collect()
    };
    let mut group = group("g", &[]);
    group.model_aliases.insert("m".into(), upstream.into());
    group.parameter_defaults = object(defaults);
    group.parameter_overrides = object(overrides);
    let table = RouteTable::compile(Arc::new(snapshot([group], [key("k", "sk")])), None);
    let digest = shared::crypto::sha256(b"sk");
    let mut plan = Plan::serving(&table, table.client(&digest).unwrap(), "m").unwrap();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let request = ChatRequest::read(Format::OpenAiChat, &body, Spoken::default()).unwrap();
    let outgoing = request.write(&plan.next().unwrap()).unwrap();
    drop(request);
    (body, outgoing)
}

fn edit(body: &str, upstream: &str, defaults: &[(&str, &str)], overrides: &[(&str, &str)]) -> String {
    String::from_utf8(written(body, upstream, defaults, overrides).1.body.to_vec()).unwrap()
}

fn read(body: &str) -> Result<(String, bool, bool), GatewayError> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let request = ChatRequest::read(Format::OpenAiChat, &body, Spoken::default())?;
    Ok((request.model.to_string(), request.stream, request.has_tools))
}

#[test]
fn without_an_edit_the_bytes_are_the_clients() {
    let (body, outgoing) =
        written("{ \"model\" : \"m\",\n\t\"unknown\":[1.0,2e3 ] , \"messages\":[] }  ", "m", &[], &[]);
    assert_eq!(outgoing.body, body);
    assert_eq!(outgoing.body.as_ptr(), body.as_ptr());
    assert!(outgoing.conversion.is_none());
}

#[test]
fn edits_leave_every_other_byte() {
    assert_eq!(
        edit("{ \"x\": 1.0,\"model\" : \"m\" , \"y\":null }", "gpt-4o", &[], &[]),
        "{ \"x\": 1.0,\"model\" : \"gpt-4o\" , \"y\":null }"
    );
    assert_eq!(
        edit(r#"{"model":"m","temperature":1 }"#, "m", &[("temperature", "0.7"), ("top_p", "0.5")], &[]),
        r#"{"model":"m","temperature":1,"top_p":0.5 }"#
    );
    assert_eq!(
        edit(r#"{"model":"m","temperature":1}"#, "n\"", &[], &[("temperature", "0"), ("seed", "7")]),
        r#"{"model":"n\"","temperature":0,"seed":7}"#
    );
}

#[test]
fn a_field_that_the_client_set_is_no_default_even_as_null() {
    assert_eq!(edit(r#"{"model":"m","seed":null}"#, "m", &[("seed", "7")], &[]), r#"{"model":"m","seed":null}"#);
    for given in ["max_tokens", "max_completion_tokens"] {
        let body = format!(r#"{{"model":"m","{given}":5}}"#);
        assert_eq!(edit(&body, "m", &[("max_tokens", "2000")], &[]), body);
    }
    let both = edit(r#"{"model":"m"}"#, "m", &[("max_tokens", "5"), ("max_completion_tokens", "6")], &[]);
    assert_eq!(both, r#"{"model":"m","max_tokens":5}"#);
    let overridden = edit(r#"{"model":"m"}"#, "m", &[("max_tokens", "5")], &[("max_completion_tokens", "6")]);
    assert_eq!(overridden, r#"{"model":"m","max_completion_tokens":6}"#);
}

#[test]
fn streams_are_asked_for_usage() {
    assert_eq!(
        edit(r#"{"model":"m","stream":true}"#, "m", &[], &[]),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(
        edit(r#"{"model":"m","stream":true,"stream_options":{"include_usage":false,"z":1}}"#, "m", &[], &[]),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true,"z":1}}"#
    );
    assert_eq!(
        edit(r#"{"stream_options":null,"model":"m","stream":true}"#, "m", &[], &[]),
        r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#
    );
    for unchanged in [
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"model":"m","stream":false}"#,
        r#"{"model":"m"}"#,
    ] {
        assert_eq!(edit(unchanged, "m", &[], &[]), unchanged);
    }
}

#[test]
fn what_routing_reads() {
    let fields = read(r#"{"mod\u0065l":"gpt\u002d4o","stream":true,"tools":[{}],"messages":[]}"#).unwrap();
    assert_eq!(fields, ("gpt-4o".to_owned(), true, true));
    let fields = read(r#"{"model":"m","tools":[],"stream":null}"#).unwrap();
    assert_eq!(fields, ("m".to_owned(), false, false));
}

#[test]
fn what_the_url_says_counts() {
    let body = Bytes::from(json!({ "model": 5, "contents": [] }).to_string());
    let spoken = Spoken { model: Some("m".to_owned()), stream: Some(true), ..Spoken::default() };
    let request = ChatRequest::read(Format::GeminiGenerate, &body, spoken).unwrap();
    assert_eq!((&*request.model, request.stream), ("m", true));
}

#[test]
fn malformed_json_is_refused_naming_where() {
    let error = read("{\"model\":\"m\",\n  oops}").unwrap_err();
    assert!(matches!(error, GatewayError::Json(_)));
    assert!(error.to_string().contains("line 2 column 3"), "{error}");
    for body in ["", "{", "{\"model\":\"m\"} x", "{\"model\":\"m\",}", "{\"model\":\"\u{1}\"}"] {
        assert!(matches!(read(body).unwrap_err(), GatewayError::Json(_) | GatewayError::Field { .. }), "{body:?}");
    }
}

#[test]
fn a_wrong_field_is_named() {
    let param = |body: &str| match read(body).unwrap_err() {
        GatewayError::Field { param, .. } => param.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(param("{}"), "model");
    assert_eq!(param(r#"{"model":null}"#), "model");
    assert_eq!(param(r#"{"model":5}"#), "model");
    assert_eq!(param(&json!({ "model": "m".repeat(300) }).to_string()), "model");
    assert_eq!(param(r#"{"model":"m","stream":"yes"}"#), "stream");
    assert_eq!(param(r#"{"model":"m","stream_options":5}"#), "stream_options");
    assert_eq!(param(r#"{"model":"a","model":"b"}"#), "model");
    assert_eq!(param(r#"{"model":"a","mod\u0065l":"b"}"#), "model");
    assert_eq!(param("[]"), "body");
}

#[test]
fn openai_gets_no_signatures_of_other_families() {
    let history = r#"[{"role":"assistant","content":"a","thinking_blocks":[]},{"role":"user","content":"b"}]"#;
    let body = format!(r#"{{"model":"m", "messages":{history},"x":1.0}}"#);
    let expected =
        r#"{"model":"m", "messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}],"x":1.0}"#;
    assert_eq!(edit(&body, "m", &[], &[]), expected);
}

#[test]
fn the_longest_answer_is_known_in_every_format() {
    let longest = |format, body: serde_json::Value| {
        let body = Bytes::from(body.to_string());
        let spoken = Spoken { model: Some("m".into()), ..Spoken::default() };
        ChatRequest::read(format, &body, spoken).unwrap().longest_answer()
    };
    let messages = json!([{ "role": "user", "content": "Hello" }]);
    for name in ["max_tokens", "max_completion_tokens"] {
        let body = json!({ "model": "m", "messages": messages, name: 77 });
        assert_eq!(longest(Format::OpenAiChat, body), Some(77), "{name}");
    }
    let contents = json!([{ "role": "user", "parts": [{ "text": "Hello" }] }]);
    for (config, name) in [("generationConfig", "maxOutputTokens"), ("generation_config", "max_output_tokens")] {
        let body = json!({ "contents": contents, config: { "temperature": 0.5, name: 77 } });
        assert_eq!(longest(Format::GeminiGenerate, body), Some(77), "{name}");
    }
    let body = json!({ "contents": contents, "generationConfig": { "maxOutputTokens": "many" } });
    assert_eq!(longest(Format::GeminiGenerate, body), None, "what is no number bounds nothing");
}
