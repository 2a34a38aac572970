//! Models that certainly cannot answer are not asked.

use std::collections::BTreeMap;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::{Value, json};
use shared::snapshot::{FallbackOn, Fallbacks, ProxyKey};

use super::matrix::{CLIENTS, request};
use super::{Bench, chat, error, key, plain, serving_key, text};
use crate::route::fixtures::group;

/// A gateway with a group `first`, which is asked before `second`, and whose model has these `facts`. Both serve `m`,
/// and `third` another model.
async fn bench(facts: &Value, second: &Value, change: impl FnOnce(&mut ProxyKey)) -> Bench {
    let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let known = |name: &str, model: &str, priority: i32, facts: &Value| {
        let mut group = group(name, &[model]);
        group.base_url = provider.base_url().into();
        group.priority = priority;
        group.model_facts = json!({ "m": facts }).as_object().unwrap().clone();
        group
    };
    let groups =
        [known("first", "m", 9, facts), known("second", "m", 1, second), known("third", "other", 1, &json!({}))];
    let mut key = key("k", "sk-client");
    change(&mut key);
    let bench = serving_key(provider, groups, key);
    bench.provider.always(Target::All, Script::saying("Hi"));
    bench
}

fn words(number: usize) -> String {
    "word ".repeat(number)
}

fn with_picture() -> Value {
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let content = json!([{"type": "text", "text": "What is this?"}, picture]);
    json!({"model": "m", "messages": [{"role": "user", "content": content}]})
}

fn with_tools(choice: &str) -> Value {
    let mut body = plain("m", false);
    body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    body["tool_choice"] = json!(choice);
    body
}

#[tokio::test]
async fn a_request_goes_to_a_model_that_can_answer_it() {
    let long = json!({"model": "m", "messages": [{"role": "user", "content": words(110)}]});
    let mut shortened = long.clone();
    shortened["truncation"] = json!("auto");
    let about_pictures = json!({"model": "m", "messages": [{"role": "user", "content": "draw an \"image_url\""}]});
    let facts = json!({"vision": false, "tools": false, "context": 100});
    for (body, group) in [
        (plain("m", false), "first"),
        (plain("m", true), "first"),
        (with_picture(), "second"),
        (about_pictures, "first"),
        (with_tools("auto"), "second"),
        (with_tools("none"), "first"),
        (long, "second"),
        (shortened, "first"),
        (json!({"model": "m", "messages": [{"role": "user", "content": words(100)}]}), "first"),
    ] {
        let bench = bench(&facts, &json!({}), |_| {}).await;
        let response = bench.send(chat(&body)).await;
        assert_eq!(response.status(), 200, "{body}");
        assert_eq!(response.headers()["x-orchestration-group"], group, "{body}");
        assert_eq!(response.headers()["x-orchestration-attempts"], "1", "{body}");
    }
}

#[tokio::test]
async fn every_format_of_clients_is_read_for_what_it_needs() {
    let facts = json!({"tools": false, "context": 100});
    for (format, prompt, tools) in
        CLIENTS.into_iter().flat_map(|format| [(format, words(150), false), (format, "Hi".to_owned(), true)])
    {
        let bench = bench(&facts, &json!({}), |_| {}).await;
        let response = bench.send(request(format, &prompt, false, tools)).await;
        let group = response.headers().get("x-orchestration-group").cloned();
        let answer = text(response).await;
        assert_eq!(group.unwrap(), "second", "{format} {tools}: {answer}");
    }
}

#[tokio::test]
async fn where_no_model_has_room_the_client_hears_it_in_its_own_words() {
    for format in CLIENTS {
        let mut bench = bench(&json!({"context": 100}), &json!({"context": 120}), |_| {}).await;
        let response = bench.send(request(format, &words(150), false, false)).await;
        assert_eq!(response.status(), 400, "{format}");
        assert_eq!(response.headers()["x-should-retry"], "false", "{format}");
        let answer = text(response).await;
        assert!(answer.contains("prompt is too long") && answer.contains("120"), "{format}: {answer}");
        let read = format.protocol().decode_error(400, answer.as_bytes());
        assert_eq!(read.code.as_deref(), Some("context_length_exceeded"), "{format}: {answer}");
        assert!(bench.keys_used().is_empty(), "nobody was asked");
        assert_eq!(bench.record().error_code, "context_length_exceeded", "{format}");
    }
}

#[tokio::test]
async fn where_no_model_can_the_refusal_says_what_none_can() {
    let facts = json!({"vision": false, "tools": false});
    let bench = bench(&facts, &facts, |_| {}).await;
    for (body, what) in [(with_picture(), "take pictures"), (with_tools("auto"), "call tools")] {
        let (status, answer) = bench.chat(&body).await;
        assert_eq!(status, 400, "{answer}");
        assert_eq!(error(&answer)["code"], "unsupported_by_model");
        assert!(answer.contains(what), "{answer}");
    }
    assert!(bench.keys_used().is_empty(), "nobody was asked");
}

#[tokio::test]
async fn a_chain_goes_on_to_a_model_that_can() {
    let long = json!({"model": "m", "messages": [{"role": "user", "content": words(150)}]});
    for (body, on, status) in [
        (&long, vec![], 400),
        (&long, vec![FallbackOn::ContentFilter], 400),
        (&long, vec![FallbackOn::ContextLength], 200),
        (&with_picture(), vec![], 200),
        (&with_tools("auto"), vec![], 200),
    ] {
        let facts = json!({"vision": false, "tools": false, "context": 100});
        let bench = bench(&facts, &facts, |key| {
            let models = BTreeMap::from([("m".into(), vec!["other".into()])]);
            key.routing.fallbacks = Fallbacks { models, on: on.clone() };
        })
        .await;
        let (answered, answer) = bench.chat(body).await;
        assert_eq!(answered, status, "{body} {on:?}: {answer}");
        assert_eq!(bench.keys_used().len(), usize::from(status == 200));
    }
}
