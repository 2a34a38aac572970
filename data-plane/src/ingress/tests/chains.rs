//! Chains of models that the client names itself, and that filters of providers lead to.

use std::collections::BTreeMap;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::{Value, json};
use shared::snapshot::{FallbackOn, Fallbacks, Group, ProxyKey};

use super::matrix::{CLIENTS, request, said, streamed};
use super::{Bench, chat, error, key, plain, serving_key, text};
use crate::route::fixtures::group;

/// A gateway with a group of one key for each of the models `m`, `second` and `third`.
async fn bench(change: impl FnOnce(&mut [Group; 3], &mut ProxyKey)) -> Bench {
    let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let mut groups = ["m", "second", "third"].map(|model| group(model, &[model]));
    for group in &mut groups {
        group.base_url = provider.base_url().into();
    }
    let mut key = key("k", "sk-client");
    change(&mut groups, &mut key);
    let bench = serving_key(provider, groups, key);
    bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), Script::error(503));
    bench.provider.always(Target::Key("sk-upstream-second-1".to_owned()), Script::saying("the second"));
    bench.provider.always(Target::Key("sk-upstream-third-1".to_owned()), Script::saying("the third"));
    bench
}

fn naming(model: Option<&str>, models: &[&str]) -> Value {
    let mut body = plain("m", false);
    body.as_object_mut().unwrap().remove("model");
    if let Some(model) = model {
        body["model"] = json!(model);
    }
    body["models"] = json!(models);
    body
}

#[tokio::test]
async fn the_models_that_a_client_names_are_asked_one_after_the_other() {
    for (model, models, answered) in [
        (Some("m"), &["second", "third"][..], "the second"),
        (Some("m"), &["m", "unknown", "third"], "the third"),
        (None, &["m", "third"], "the third"),
        (None, &["second"], "the second"),
        (Some("unknown"), &["third"], "the third"),
    ] {
        let bench = bench(|_, key| {
            key.routing.client_hints = true;
            // What the client itself names counts before this.
            key.routing.fallbacks = chain("m", &["unknown"], &[]);
        })
        .await;
        let (status, answer) = bench.chat(&naming(model, models)).await;
        assert_eq!(status, 200, "{model:?} {models:?}: {answer}");
        assert!(answer.contains(answered), "{model:?} {models:?}: {answer}");
        for request in bench.provider.journal().requests() {
            assert!(request.json().get("models").is_none(), "the field is the gateway's: {}", request.json());
        }
    }
}

#[tokio::test]
async fn a_client_may_name_no_model_that_its_key_may_not_use() {
    let bench = bench(|_, key| {
        key.routing.client_hints = true;
        key.allowed_models = vec!["m".into(), "third".into()];
    })
    .await;
    let (status, answer) = bench.chat(&naming(Some("m"), &["second", "third"])).await;
    assert_eq!((status, answer.contains("the third")), (200, true), "{answer}");
    assert_eq!(bench.keys_used(), ["sk-upstream-m-1", "sk-upstream-third-1"]);
    let (status, answer) = bench.chat(&naming(None, &["second"])).await;
    assert_eq!((status, &error(&answer)["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn without_the_right_to_hints_the_field_goes_to_providers_that_know_it() {
    for (vendor, passes) in [("openrouter", true), ("openai_compatible", true), ("openai", false), ("groq", false)] {
        let bench = bench(|groups, _| groups[1].provider_type = vendor.into()).await;
        let (status, _) = bench.chat(&naming(Some("second"), &["third"])).await;
        assert_eq!(status, 200);
        let sent = bench.provider.journal().requests()[0].json();
        assert_eq!(sent.get("models"), passes.then_some(&json!(["third"])), "{vendor}");
    }
}

#[tokio::test]
async fn the_next_model_is_asked_where_all_keys_of_one_are_out() {
    let bench = bench(|_, key| key.routing.client_hints = true).await;
    let spent = json!({ "message": "You exceeded your current quota", "code": "insufficient_quota" });
    let spent = Script { error: Some(spent), ..Script::error(429) };
    bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), spent);
    for asked in [&["sk-upstream-m-1", "sk-upstream-second-1"][..], &["sk-upstream-second-1"]] {
        bench.provider.journal().clear();
        let (status, answer) = bench.chat(&naming(Some("m"), &["second"])).await;
        assert_eq!((status, answer.contains("the second")), (200, true), "{answer}");
        assert_eq!(bench.keys_used(), asked);
    }
}

#[tokio::test]
async fn a_list_that_is_none_is_refused() {
    let bench = bench(|_, key| key.routing.client_hints = true).await;
    for models in [json!("second"), json!([1]), json!(["a", "b", "c", "d", "e", "f", "g", "h", "i"])] {
        let mut body = plain("m", false);
        body["models"] = models;
        let (status, answer) = bench.chat(&body).await;
        assert_eq!((status, &error(&answer)["param"]), (400, &json!("models")), "{answer}");
    }
}

#[tokio::test]
async fn hints_narrow_requests_beside_chat_too() {
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "m", "input": "Hi"})),
        ("/v1/images/generations", json!({"model": "m", "prompt": "Hi"})),
        ("/v1/moderations", json!({"model": "m", "input": "Hi"})),
    ] {
        for (hints, header, value, expected) in [
            (true, "x-orchestration-group", "second", (200, "second")),
            (true, "x-orchestration-tags", "eu", (200, "third")),
            (true, "x-orchestration-tags", "us", (404, "")),
            (false, "x-orchestration-group", "second", (200, "m")),
        ] {
            let bench = bench(|groups, key| {
                key.routing.client_hints = hints;
                groups[0].priority = 9;
                groups[2].routing.tags = vec!["eu".into()];
                for group in groups {
                    group.models = vec!["m".into()];
                }
            })
            .await;
            bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), Script::json(json!({"data": []})));
            bench.provider.always(Target::Key("sk-upstream-second-1".to_owned()), Script::json(json!({"data": []})));
            bench.provider.always(Target::Key("sk-upstream-third-1".to_owned()), Script::json(json!({"data": []})));
            let mut request = chat(&body);
            *request.uri_mut() = path.parse().unwrap();
            request.headers_mut().insert(header, value.parse().unwrap());
            let response = bench.send(request).await;
            let status = response.status().as_u16();
            let group = response.headers().get("x-orchestration-group").map(|group| group.to_str().unwrap().to_owned());
            let answer = text(response).await;
            assert_eq!((status, group.as_deref().unwrap_or_default()), expected, "{path} {hints} {value}: {answer}");
        }
    }
}

fn chain(model: &str, further: &[&str], on: &[FallbackOn]) -> Fallbacks {
    let further = further.iter().map(|model| (*model).into()).collect();
    Fallbacks { models: BTreeMap::from([(model.into(), further)]), on: on.to_vec() }
}

#[tokio::test]
async fn an_answer_that_a_filter_has_emptied_leads_on_where_the_operator_says_so() {
    let silent = || Script::saying("").finish("content_filter");
    for (format, stream) in CLIENTS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
        for (on, models, expected) in [
            (vec![FallbackOn::ContentFilter], vec!["second"], Some("the second")),
            (vec![FallbackOn::ContextLength], vec!["second"], None),
            (vec![], vec!["second"], None),
            // The last of the chain answers as it does.
            (vec![FallbackOn::ContentFilter], vec!["unknown"], None),
        ] {
            let mut bench = bench(|_, key| key.routing.fallbacks = chain("m", &models, &on)).await;
            bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), silent());
            let response = bench.send(request(format, "Hello", stream, false)).await;
            assert_eq!(response.status(), 200, "{format} {stream} {on:?} {models:?}");
            let answer = text(response).await;
            if let Some(expected) = expected {
                let words = if stream {
                    streamed(format, &answer)
                } else {
                    said(format, &serde_json::from_str(&answer).unwrap())
                };
                assert_eq!(words.0, expected, "{format} {stream}: {answer}");
            } else {
                assert!(!answer.contains("the second"), "{format} {stream} {on:?}: {answer}");
            }
            let record = bench.record();
            assert_eq!(record.attempts.len(), if expected.is_some() { 2 } else { 1 }, "{format} {stream} {on:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_with_words_goes_to_the_client_though_a_filter_ends_it() {
    for stream in [false, true] {
        let bench = bench(|_, key| key.routing.fallbacks = chain("m", &["second"], &[FallbackOn::ContentFilter])).await;
        let script = Script::saying("half of it").finish("content_filter");
        bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), script);
        let (status, answer) = bench.chat(&plain("m", stream)).await;
        assert_eq!((status, answer.contains("content_filter")), (200, true), "{answer}");
        assert_eq!(bench.keys_used(), ["sk-upstream-m-1"]);
    }
}

#[tokio::test]
async fn refusals_of_other_vendors_lead_on_too() {
    for (vendor, script) in [("gemini", Script::blocked("PROHIBITED_CONTENT")), ("anthropic", Script::refusal())] {
        for stream in [false, true] {
            let bench = bench(|groups, key| {
                key.routing.fallbacks = chain("m", &["second"], &[FallbackOn::ContentFilter]);
                groups[0].provider_type = vendor.into();
                groups[0].base_url = groups[0].base_url.trim_end_matches("/v1").into();
            })
            .await;
            bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), script.clone());
            let (status, answer) = bench.chat(&plain("m", stream)).await;
            assert_eq!(status, 200, "{vendor} {stream}: {answer}");
            assert!(stream || answer.contains("the second"), "{vendor}: {answer}");
            assert_eq!(bench.keys_used(), ["sk-upstream-m-1", "sk-upstream-second-1"], "{vendor} {stream}");
        }
    }
}
