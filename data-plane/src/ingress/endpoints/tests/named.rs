//! Requests beside chat that name several models, and what their successes say of keys.

use std::sync::Arc;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use http::Method;
use serde_json::{Value, json};

use super::{Bench, bench, plain, post};
use crate::route::health::Health;

/// Groups `first` and `second` of `vendor`, which serve a model of their name each, for a key that may give hints or
/// not.
async fn two(vendor: &str, hints: bool) -> Bench {
    bench(&[("first", vendor), ("second", vendor)], |group, key, _| {
        group.models = vec![Arc::from(&*group.id)];
        key.routing.client_hints = hints;
    })
    .await
}

fn messages(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] })
}

#[tokio::test]
async fn the_models_that_a_client_names_are_asked_beside_chat_too() {
    let contents = json!([{ "parts": [{ "text": "Hi" }] }]);
    for (path, vendor, mut body) in [
        ("/v1/completions", "openai", json!({ "model": "first", "prompt": "Hi" })),
        ("/v1/embeddings", "openai", json!({ "model": "first", "input": "Hi" })),
        ("/v1/moderations", "openai", json!({ "model": "first", "input": "Hi" })),
        ("/v1/messages/count_tokens", "anthropic", messages("first")),
        ("/v1beta/models/first:countTokens?key=sk-client", "gemini", json!({ "contents": contents })),
        ("/v1beta/models/first:embedContent?key=sk-client", "gemini", json!({ "content": contents[0] })),
    ] {
        body["models"] = json!(["unknown", "second"]);
        let bench = two(vendor, true).await;
        bench.providers[0].always(Target::All, Script::error(503));
        let got = bench.post(path, &body).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        assert!(!bench.asked()[0].is_empty(), "{path}");
        for provider in &bench.providers {
            let sent = provider.journal().last().unwrap().json();
            assert_eq!(sent.get("models"), None, "{path}: {sent}");
        }
        // The first that fails is the one of which the client hears.
        bench.providers[1].always(Target::All, Script::error(500));
        assert_eq!(bench.post(path, &body).await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn further_models_of_what_is_not_sent_again_are_refused() {
    for (path, body) in [
        ("/v1/images/generations", json!({ "model": "first", "prompt": "Hi" })),
        ("/v1/audio/speech", json!({ "model": "first", "input": "Hi", "voice": "alloy" })),
    ] {
        let bench = two("openai", true).await;
        let naming = |models: &[&str]| {
            let mut body = body.clone();
            body["models"] = json!(models);
            body
        };
        let got = bench.post(path, &naming(&["second"])).await;
        assert_eq!((got.status, &got.json()["error"]["param"]), (400, &json!("models")), "{path}");
        assert!(bench.asked().concat().is_empty());
        assert_eq!(bench.post(path, &naming(&["first"])).await.status, 200, "{path}: the same model is no further one");
    }
}

#[tokio::test]
async fn a_key_that_is_limited_to_some_models_names_no_others_beside_chat() {
    for (path, body) in [
        ("/v1/embeddings", json!({ "model": "m", "input": "Hi", "models": ["other"] })),
        ("/v1/responses/input_tokens", json!({ "model": "m", "input": "Hi", "models": ["other"] })),
    ] {
        let bench = bench(&[("g", "openai")], |_, key, _| key.allowed_models = vec!["m".into()]).await;
        assert_eq!(bench.post(path, &body).await.status, 403, "{path}");
        assert!(bench.asked().concat().is_empty());
    }
}

#[tokio::test]
async fn a_list_of_models_goes_to_no_provider_that_does_not_know_it() {
    let body = json!({ "model": "first", "prompt": "Hi", "models": ["second"] });
    for (vendor, named) in [("openai", Some("models")), ("openrouter", None)] {
        let bench = two(vendor, false).await;
        let response = bench.raw(0, post("/v1/completions", &body)).await;
        let dropped = response.headers().get("x-orchestration-dropped").map(|names| names.to_str().unwrap());
        let path = format!("{vendor}: {}", response.status());
        assert_eq!(dropped, named, "{path}");
        let sent = bench.providers[0].journal().last().unwrap().json();
        assert_eq!(sent.get("models").is_some(), named.is_none(), "{path}");
    }
}

#[tokio::test]
async fn what_costs_nothing_does_not_end_what_is_known_of_a_key() {
    for (vendor, free) in [("openai", "/v1/files"), ("anthropic", "/v1/messages/count_tokens")] {
        let mut bench = plain(&[("g", vendor)]).await;
        let chat = if vendor == "openai" { "/v1/chat/completions" } else { "/v1/messages" };
        let mut question = messages("m");
        question["max_tokens"] = json!(9);
        bench.providers[0].script(Target::All, Script::error(401));
        assert_ne!(bench.post(chat, &question).await.status, 200);
        assert_eq!(bench.key_states.try_recv().unwrap().health, Health::Invalid);
        // All keys are out by what may be over, so the only one is tried.
        let got = match free {
            "/v1/files" => bench.call(0, Method::GET, free).await,
            _ => bench.post(free, &messages("m")).await,
        };
        assert_eq!(got.status, 200, "{free}: {}", got.text());
        assert!(bench.key_states.try_recv().is_err(), "{free}: that says nothing of the key");
        assert_eq!(bench.post(chat, &question).await.status, 200);
        assert_eq!(bench.key_states.try_recv().unwrap().health, Health::Valid);
    }
}
