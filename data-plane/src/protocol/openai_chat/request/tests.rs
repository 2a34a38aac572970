use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::ChatRequest;
use crate::error::GatewayError;

fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn edit(body: &str, model: &str, defaults: &[(&str, &str)], overrides: &[(&str, &str)], usage: bool) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let edited = ChatRequest::read(&body).unwrap().edited(model, &pairs(defaults), &pairs(overrides), usage);
    String::from_utf8(edited.to_vec()).unwrap()
}

fn refused(body: &str) -> GatewayError {
    ChatRequest::read(&Bytes::copy_from_slice(body.as_bytes())).unwrap_err()
}

#[test]
fn without_an_edit_the_bytes_are_the_same() {
    let text = "{ \"model\" : \"gpt-4o\",\n\t\"unknown\":[1.0,2e3 ] , \"messages\":[] }  ";
    let body = Bytes::from_static(text.as_bytes());
    let edited = ChatRequest::read(&body).unwrap().edited("gpt-4o", &[], &[], true);
    assert_eq!(edited, body);
    assert_eq!(edited.as_ptr(), body.as_ptr());
}

#[test]
fn edits_leave_every_other_byte() {
    assert_eq!(
        edit("{ \"x\": 1.0,\"model\" : \"fast\" , \"y\":null }", "gpt-4o", &[], &[], true),
        "{ \"x\": 1.0,\"model\" : \"gpt-4o\" , \"y\":null }"
    );
    assert_eq!(
        edit(r#"{"model":"m","temperature":1 }"#, "m", &[("temperature", "0.7"), ("top_p", "0.5")], &[], true),
        r#"{"model":"m","temperature":1,"top_p":0.5 }"#
    );
    assert_eq!(
        edit(r#"{"model":"m","temperature":1}"#, "n\"", &[], &[("temperature", "0"), ("seed", "7")], true),
        r#"{"model":"n\"","temperature":0,"seed":7}"#
    );
}

#[test]
fn a_field_that_the_client_set_is_no_default_even_as_null() {
    assert_eq!(edit(r#"{"model":"m","seed":null}"#, "m", &[("seed", "7")], &[], true), r#"{"model":"m","seed":null}"#);
    for given in ["max_tokens", "max_completion_tokens"] {
        let body = format!(r#"{{"model":"m","{given}":5}}"#);
        assert_eq!(edit(&body, "m", &[("max_tokens", "2000")], &[], true), body);
    }
}

#[test]
fn streams_are_asked_for_usage() {
    assert_eq!(
        edit(r#"{"model":"m","stream":true}"#, "m", &[], &[], true),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
    );
    assert_eq!(
        edit(r#"{"model":"m","stream":true,"stream_options":{"include_usage":false,"z":1}}"#, "m", &[], &[], true),
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true,"z":1}}"#
    );
    assert_eq!(
        edit(r#"{"stream_options":null,"model":"m","stream":true}"#, "m", &[], &[], true),
        r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#
    );
    for unchanged in [
        r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"model":"m","stream":false}"#,
        r#"{"model":"m"}"#,
    ] {
        assert_eq!(edit(unchanged, "m", &[], &[], true), unchanged);
    }
    let stream = r#"{"model":"m","stream":true}"#;
    assert_eq!(edit(stream, "m", &[], &[], false), stream);
}

#[test]
fn what_routing_reads() {
    let body = Bytes::from_static(br#"{"mod\u0065l":"gpt\u002d4o","stream":true,"tools":[{}],"messages":[]}"#);
    let request = ChatRequest::read(&body).unwrap();
    assert_eq!((&*request.model, request.stream, request.has_tools), ("gpt-4o", true, true));
    let body = Bytes::from_static(br#"{"model":"m","tools":[],"stream":null}"#);
    let request = ChatRequest::read(&body).unwrap();
    assert_eq!((request.stream, request.has_tools), (false, false));
}

#[test]
fn malformed_json_is_refused_naming_where() {
    let error = refused("{\"model\":\"m\",\n  oops}");
    assert!(matches!(error, GatewayError::Json(_)));
    assert!(error.to_string().contains("line 2 column 3"), "{error}");
    for body in ["", "{", "{\"model\":\"m\"} x", "{\"model\":\"m\",}", "{\"model\":\"\u{1}\"}"] {
        assert!(matches!(refused(body), GatewayError::Json(_) | GatewayError::Field { .. }), "{body:?}");
    }
    assert!(ChatRequest::read(&Bytes::from_static(b"{\"model\":\"m\",\"x\":\"\xff\"}")).is_err());
}

#[test]
fn a_wrong_field_is_named() {
    let param = |body: &str| match refused(body) {
        GatewayError::Field { param, .. } => param,
        other => panic!("{other:?}"),
    };
    assert_eq!(param("{}"), "model");
    assert_eq!(param(r#"{"model":null}"#), "model");
    assert_eq!(param(r#"{"model":5}"#), "model");
    assert_eq!(param(r#"{"model":"m","stream":"yes"}"#), "stream");
    assert_eq!(param(r#"{"model":"m","stream_options":5}"#), "stream_options");
    assert_eq!(param(r#"{"model":"a","model":"b"}"#), "model");
    assert_eq!(param(r#"{"model":"a","mod\u0065l":"b"}"#), "model");
    assert_eq!(param("[]"), "body");
}

#[test]
fn deep_nesting_does_not_overflow() {
    let body = format!(r#"{{"model":"m","x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let body = Bytes::from(body);
    let read = ChatRequest::read(&body);
    assert!(read.is_ok() || matches!(read, Err(GatewayError::Json(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let body = Bytes::from(body);
        if let Ok(request) = ChatRequest::read(&body) {
            request.edited("other", &[], &[], true);
        }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else(
        names in prop::collection::btree_set("[a-z]{1,6}", 0..6),
        value in prop::sample::select(vec![json!(null), json!(1.5), json!("\"x\\"), json!([1, {"a": "}"}])]),
        pretty in any::<bool>(),
    ) {
        let mut object: serde_json::Map<String, Value> = names.iter().map(|name| (name.clone(), value.clone())).collect();
        object.insert("model".to_owned(), json!("alias"));
        let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
        let edited = edit(&text, "real", &[("added", "[true]")], &[("set", "{}")], true);
        object.insert("model".to_owned(), json!("real"));
        object.entry("added").or_insert(json!([true]));
        object.insert("set".to_owned(), json!({}));
        prop_assert_eq!(serde_json::from_str::<Value>(&edited).unwrap(), Value::Object(object));
    }
}
