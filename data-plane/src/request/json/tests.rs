use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT;
use serde_json::{Value, json};
use translation::Format;

use super::{JsonEndpoint, JsonRequest};
use crate::error::GatewayError;
use crate::request::{Outbound as _, Outgoing};
use crate::route::candidate::Candidate;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

fn asked(format: Format, path: &'static str, model: Option<&str>) -> JsonEndpoint<'static> {
    JsonEndpoint { format, path: path.into(), query: None, model: model.map(str::to_owned), default_model: None }
}

fn candidate(vendor: &str, upstream: &str) -> Candidate {
    let mut group = group("g", &[]);
    group.provider_type = vendor.into();
    group.base_url = "http://h/v1".into();
    group.model_aliases.insert("m".into(), upstream.into());
    group.parameter_overrides.insert("seed".to_owned(), json!(7));
    let table = RouteTable::compile(Arc::new(snapshot([group], [key("k", "sk")])), None);
    let principal = table.client(&shared::crypto::sha256(b"sk")).unwrap();
    Plan::serving(&table, principal, "m").unwrap().next().unwrap()
}

fn write(asked: JsonEndpoint<'static>, body: &str, candidate: &Candidate) -> Result<(Outgoing, Bytes), GatewayError> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let outgoing = JsonRequest::read(asked, &body)?.write(candidate)?;
    Ok((outgoing, body))
}

#[test]
fn only_the_models_name_is_changed() {
    let embeddings = || asked(Format::OpenAiChat, "/embeddings", None);
    let text = "{ \"input\" : [\"a\"], \"encoding_format\":\"base64\",\"model\":\"m\", \"x\":1.0 }";
    let (same, body) = write(embeddings(), text, &candidate("openai", "m")).unwrap();
    assert_eq!(same.body.as_ptr(), body.as_ptr());
    assert_eq!(same.uri, "http://h/v1/embeddings");
    let (renamed, _) = write(embeddings(), text, &candidate("openai", "n")).unwrap();
    assert_eq!(renamed.body, text.replace("\"m\"", "\"n\""));
    assert!(renamed.any_answer, "{ACCEPT}");
}

#[test]
fn a_stream_of_completions_is_asked_for_usage() {
    let body = |stream: bool, options: &str| format!(r#"{{"model":"m","prompt":"p","stream":{stream}{options}}}"#);
    let completions = |body: &str| {
        let (outgoing, _) =
            write(asked(Format::OpenAiChat, "/completions", None), body, &candidate("openai", "m")).unwrap();
        serde_json::from_slice::<Value>(&outgoing.body).unwrap()["stream_options"].clone()
    };
    assert_eq!(completions(&body(true, "")), json!({ "include_usage": true }));
    assert_eq!(completions(&body(false, "")), Value::Null);
    assert_eq!(completions(&body(true, r#","stream_options":{"x":1}"#)), json!({ "x": 1 }));
}

#[test]
fn geminis_bodies_name_the_model_of_the_url() {
    let gemini = |path, body: Value, upstream: &str| {
        let asked = asked(Format::GeminiGenerate, path, Some("m"));
        let (outgoing, _) = write(asked, &body.to_string(), &candidate("gemini", upstream)).unwrap();
        (outgoing.uri.to_string(), serde_json::from_slice::<Value>(&outgoing.body).unwrap())
    };
    let batch = |model: &str| json!({ "requests": [{ "model": model, "content": {} }, { "content": {} }] });
    assert_eq!(
        gemini(":batchEmbedContents", batch("models/m"), "n"),
        ("http://h/v1/models/n:batchEmbedContents".to_owned(), batch("models/n"))
    );
    let other = asked(Format::GeminiGenerate, ":batchEmbedContents", Some("m"));
    let refused = write(other, &batch("models/x").to_string(), &candidate("gemini", "m"));
    assert!(matches!(refused, Err(GatewayError::Field { .. })), "a key that is limited to a model would reach another");
    let count = |model: &str| json!({ "generateContentRequest": { "contents": [], "model": model } });
    assert_eq!(gemini(":countTokens", count("models/m"), "n").1, count("models/n"));
    let one = |model: &str| json!({ "model": model, "content": {} });
    assert_eq!(gemini(":embedContent", one("models/m"), "tunedModels/n").1, one("tunedModels/n"));
    assert_eq!(gemini(":countTokens", json!({ "contents": [] }), "n").1, json!({ "contents": [] }));
}

#[test]
fn vendors_without_the_endpoint_are_left_out() {
    let refused = |vendor, format, path| {
        let error = write(asked(format, path, None), r#"{"model":"m"}"#, &candidate(vendor, "m")).unwrap_err();
        assert!(matches!(error, GatewayError::NoEndpoint { .. }), "{error:?}");
    };
    refused("anthropic", Format::OpenAiChat, "/embeddings");
    refused("gemini", Format::OpenAiChat, "/rerank");
    refused("openai", Format::AnthropicMessages, "/messages/count_tokens");
    refused("openai_compatible", Format::OpenAiResponses, "/responses/compact");
    assert!(
        write(
            asked(Format::OpenAiResponses, "/responses/compact", None),
            r#"{"model":"m"}"#,
            &candidate("openai", "m")
        )
        .is_ok()
    );
}

#[test]
fn what_routing_needs_is_demanded() {
    let read = |default_model, body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let asked = JsonEndpoint { default_model, ..asked(Format::OpenAiChat, "/x", None) };
        JsonRequest::read(asked, &body).map(|request| (request.model.to_string(), request.stream))
    };
    let param = |body: &str| match read(None, body).unwrap_err() {
        GatewayError::Field { param, .. } => param.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(param("{}"), "model");
    assert_eq!(param(r#"{"model":5}"#), "model");
    assert_eq!(param(r#"{"model":"a","model":"b"}"#), "model");
    assert_eq!(param(r#"{"model":"a","stream":1}"#), "stream");
    assert_eq!(param(&json!({ "model": "m".repeat(300) }).to_string()), "model");
    assert!(matches!(read(None, "{").unwrap_err(), GatewayError::Json(_)));
    assert_eq!(read(Some("d"), r#"{"input":"x"}"#).unwrap(), ("d".to_owned(), false));
    assert_eq!(read(None, r#"{"model":"tts","stream_format":"sse"}"#).unwrap(), ("tts".to_owned(), true));
    assert_eq!(read(None, r#"{"model":"tts","stream_format":"audio"}"#).unwrap(), ("tts".to_owned(), false));
}
