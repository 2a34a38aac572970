//! Models that are asked after another.

use std::collections::BTreeMap;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::Script;
use serde_json::json;
use shared::snapshot::{FallbackOn, Fallbacks, Group, ProxyKey};

use super::matrix::{CLIENTS, request, said, streamed};
use super::{Bench, chat, key, plain, serving_key, text};
use crate::route::fixtures::group;

fn chain(model: &str, further: &[&str], on: &[FallbackOn]) -> Fallbacks {
    let further = further.iter().map(|model| (*model).into()).collect();
    Fallbacks { models: BTreeMap::from([(model.into(), further)]), on: on.to_vec() }
}

/// A gateway with a group of one key for each of the models `m`, `second` and `third`, the first of which fails.
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
    bench.provider.always(Target::Key("sk-upstream-third-1".to_owned()), Script::saying("the third"));
    bench.provider.always(Target::Key("sk-upstream-second-1".to_owned()), Script::saying("the second"));
    bench
}

#[tokio::test]
async fn the_next_model_answers_clients_of_every_format() {
    for (format, stream) in CLIENTS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
        let mut bench = bench(|_, key| key.routing.fallbacks = chain("m", &["unknown", "second"], &[])).await;
        let response = bench.send(request(format, "Hello", stream, false)).await;
        let status = response.status().as_u16();
        let model = response.headers()["x-orchestration-model"].clone();
        let answer = text(response).await;
        assert_eq!((status, model.to_str().unwrap()), (200, "second"), "{format} {stream}: {answer}");
        let words =
            if stream { streamed(format, &answer) } else { said(format, &serde_json::from_str(&answer).unwrap()) };
        assert_eq!(words.0, "the second", "{format} {stream}: {answer}");
        let record = bench.record();
        assert_eq!((record.requested_model.as_str(), record.upstream_model.as_str()), ("m", "second"));
        assert_eq!((record.attempts.len(), record.group_name.as_str()), (2, "second"));
    }
}

#[tokio::test]
async fn the_proxy_keys_chain_counts_before_that_of_a_group() {
    let bench_with = async |of_key: bool| {
        bench(|groups, key| {
            groups[0].routing.fallbacks = chain("m", &["third"], &[]);
            if of_key {
                key.routing.fallbacks = chain("m", &["second"], &[]);
            }
        })
        .await
    };
    assert!(bench_with(false).await.chat(&plain("m", false)).await.1.contains("the third"));
    assert!(bench_with(true).await.chat(&plain("m", false)).await.1.contains("the second"));
}

#[tokio::test]
async fn the_clients_own_fault_goes_to_no_other_model_unless_the_operator_says_so() {
    let too_long = json!({"error": {"message": "too long", "type": "invalid_request_error", "param": "messages",
        "code": "context_length_exceeded"}});
    let filtered = json!({"error": {"message": "refused", "type": "invalid_request_error", "param": null,
        "code": "content_policy_violation"}});
    let malformed = json!({"error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": null}});
    let (length, filter) = (FallbackOn::ContextLength, FallbackOn::ContentFilter);
    for (said, on, status) in [
        (&too_long, vec![], 400),
        (&too_long, vec![filter], 400),
        (&too_long, vec![length], 200),
        (&filtered, vec![], 400),
        (&filtered, vec![length], 400),
        (&filtered, vec![filter], 200),
        (&malformed, vec![length, filter], 400),
    ] {
        let bench = bench(|_, key| key.routing.fallbacks = chain("m", &["second"], &on)).await;
        let refusal = Script::verbatim(400, "application/json", said.to_string());
        bench.provider.always(Target::Key("sk-upstream-m-1".to_owned()), refusal);
        assert_eq!(bench.chat(&plain("m", false)).await.0, status, "{said} {on:?}");
    }
}

#[tokio::test]
async fn the_allowed_models_of_the_key_bind_its_fallbacks() {
    let bench = bench(|_, key| {
        key.allowed_models = vec!["m".into(), "third".into()];
        key.routing.fallbacks = chain("m", &["second", "third"], &[]);
    })
    .await;
    assert!(bench.chat(&plain("m", false)).await.1.contains("the third"));
    assert_eq!(bench.keys_used(), ["sk-upstream-m-1", "sk-upstream-third-1"]);
}

#[tokio::test]
async fn where_all_fail_the_client_hears_of_the_model_that_it_asked_for() {
    let bench = bench(|_, key| key.routing.fallbacks = chain("m", &["second", "third"], &[])).await;
    bench.provider.always(Target::Key("sk-upstream-second-1".to_owned()), Script::error(429));
    bench.provider.always(Target::Key("sk-upstream-third-1".to_owned()), Script::error(500));
    let response = bench.send(chat(&plain("m", false))).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-orchestration-attempts"]),
        (503, &"3".parse().unwrap())
    );
    assert_eq!(response.headers()["x-orchestration-model"], "m");
}

#[tokio::test]
async fn a_client_may_narrow_where_it_goes_if_its_key_says_so() {
    let hinted = async |hints: bool, headers: &[(&str, &str)]| {
        let bench = bench(|groups, key| {
            for group in groups.iter_mut() {
                group.models = vec!["m".into()];
            }
            groups[1].routing.tags = vec!["eu".into(), "fast".into()];
            groups[2].routing.tags = vec!["eu".into()];
            groups[2].priority = 9;
            key.allowed_groups = vec!["m".into(), "second".into(), "third".into()];
            key.routing.client_hints = hints;
        })
        .await;
        let mut request = chat(&plain("m", false));
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let response = bench.send(request).await;
        let status = response.status().as_u16();
        let group = response.headers().get("x-orchestration-group").map(|group| group.to_str().unwrap().to_owned());
        (status, group.unwrap_or_default(), text(response).await)
    };
    let (group, tags) = ("x-orchestration-group", "x-orchestration-tags");
    for (hints, headers, expected) in [
        (true, vec![], (200, "third")),
        (true, vec![(group, "second")], (200, "second")),
        (true, vec![(tags, "eu, fast")], (200, "second")),
        (true, vec![(tags, "eu")], (200, "third")),
        (true, vec![(group, "third"), (tags, "fast")], (404, "")),
        (true, vec![(group, "unknown")], (404, "")),
        (false, vec![(group, "second"), (tags, "fast")], (200, "third")),
    ] {
        let (status, group, answer) = hinted(hints, &headers).await;
        assert_eq!((status, group.as_str()), expected, "{hints} {headers:?}: {answer}");
        assert!(status == 200 || !answer.contains("second"), "no other group is named: {answer}");
    }
}
