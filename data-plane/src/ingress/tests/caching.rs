//! Answers from memory (`docs/ROUTING.md` section "Response cache").

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use futures_util::future::join_all;
use http::Request;
use http::header::CACHE_CONTROL;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::pb::usage_record::{Outcome, UsageSource};
use shared::snapshot::{Fallbacks, Group, ProxyKey};
use tower::ServiceExt as _;
use translation::Format;

use super::matrix::{CLIENTS, VENDORS, request};
use super::{Bench, chat, key, plain, serving_key, text};
use crate::route::fixtures::{group, snapshot};
use crate::route::table::RouteTable;

const HOUR: Duration = Duration::from_hours(1);

/// The groups `g` and `other`, which serve `gpt-4o`, and a proxy key whose answers are kept for an hour; as `change`
/// makes them.
async fn bench(change: impl FnOnce(&mut [Group; 2], &mut ProxyKey)) -> Bench {
    let provider = FakeProvider::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (groups, key) = config(&provider, change);
    serving_key(provider, groups, key)
}

fn config(provider: &FakeProvider, change: impl FnOnce(&mut [Group; 2], &mut ProxyKey)) -> ([Group; 2], ProxyKey) {
    let mut groups = ["g", "other"].map(|id| group(id, &["gpt-4o"]));
    for group in &mut groups {
        group.base_url = provider.base_url().into();
    }
    groups[0].priority = 9;
    let mut key = key("k", "sk-client");
    key.routing.cache = HOUR;
    change(&mut groups, &mut key);
    (groups, key)
}

/// Another config for `bench`.
fn change(bench: &Bench, change: impl FnOnce(&mut [Group; 2], &mut ProxyKey)) {
    let (groups, key) = config(&bench.provider, change);
    let kept = bench.config.table();
    let snapshot = Arc::new(snapshot(groups, [key, super::key("l", "sk-other")]));
    bench.config.replace(RouteTable::compile(snapshot, kept.as_deref().map(|table| &table.kept)));
}

fn cached(response: &Response) -> &str {
    response.headers().get("x-orchestration-cache").map_or("", |value| value.to_str().unwrap())
}

impl Bench {
    /// Sends `request`. Gives what the cache was to it, and what was said.
    async fn ask(&self, request: Request<Body>) -> (String, String) {
        let response = self.send(request).await;
        assert_eq!(response.status(), 200);
        (cached(&response).to_owned(), text(response).await)
    }

    /// Asks `body` of the chat API. Gives what the cache was to it.
    async fn asked(&self, body: &Value) -> String {
        self.ask(chat(body)).await.0
    }

    fn sent(&self) -> u64 {
        self.provider.journal().total()
    }
}

/// A request of a client of `format`. What the provider is to keep is not answered from memory.
fn ask(format: Format, prompt: &str, stream: bool) -> Request<Body> {
    if format != Format::OpenAiResponses {
        return request(format, prompt, stream, false);
    }
    let body = json!({ "model": "m", "stream": stream, "store": false, "input": prompt });
    Request::post("/v1/responses")
        .header("authorization", "Bearer sk-client")
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn the_same_request_costs_no_second_one_in_any_format() {
    for (vendor, versioned, model) in VENDORS {
        let mut bench = bench(|groups, _| {
            let group = &mut groups[0];
            group.provider_type = vendor.into();
            if !versioned {
                group.base_url = group.base_url.trim_end_matches("/v1").into();
            }
            group.model_aliases.insert("m".into(), model.into());
        })
        .await;
        bench.provider.always(Target::All, Script::saying("one two three").usage(9, 3));
        for (format, stream) in CLIENTS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
            let about = format!("{format} from {vendor}, stream {stream}");
            let first = bench.send(ask(format, "Hello", stream)).await;
            assert_eq!((first.status().as_u16(), cached(&first)), (200, "miss"), "{about}");
            let content_type = first.headers()["content-type"].clone();
            let id = first.headers()["x-request-id"].clone();
            let first = text(first).await;
            let record = bench.record();
            assert_eq!((record.cache.as_str(), record.input_tokens, record.attempts.len()), ("miss", 9, 1), "{about}");

            let sent = bench.sent();
            let again = bench.send(ask(format, "Hello", stream)).await;
            assert_eq!((again.status().as_u16(), cached(&again)), (200, "hit"), "{about}");
            assert_eq!(again.headers()["content-type"], content_type, "{about}");
            assert_ne!(again.headers()["x-request-id"], id, "an answer has its own id: {about}");
            assert_eq!(again.headers()["age"], "0", "{about}");
            assert_eq!(again.headers()["x-orchestration-attempts"], "0", "{about}");
            assert!(!again.headers().contains_key("x-orchestration-group"), "{about}");
            let (mut body, mut frames, mut whole) = (again.into_body(), 0, Vec::new());
            while let Some(frame) = body.frame().await {
                frames += 1;
                whole.extend_from_slice(&frame.unwrap().into_data().unwrap());
            }
            assert_eq!(String::from_utf8(whole).unwrap(), first, "{about}");
            assert_eq!(frames > 1, stream, "a stream comes as one, event by event: {about}");
            assert_eq!(bench.sent(), sent, "{about}");

            let record = bench.record();
            assert_eq!((record.cache.as_str(), record.outcome(), record.status), ("hit", Outcome::Success, 200));
            assert_eq!((record.attempts.len(), record.group_id.as_str(), record.affinity.as_str()), (0, "", ""));
            assert_eq!((record.input_tokens, record.output_tokens, record.cost_micros), (0, 0, 0), "{about}");
            assert_eq!((record.usage_source(), record.streamed), (UsageSource::None, stream), "{about}");
            assert_eq!((record.requested_model.as_str(), record.proxy_key_id.as_str()), ("m", "k"), "{about}");
            assert_eq!(usize::try_from(record.response_bytes).unwrap(), first.len(), "{about}");
            assert!(record.first_byte_us > 0, "{about}");
        }
    }
}

#[tokio::test]
async fn it_is_off_by_default() {
    let mut bench = bench(|_, key| key.routing.cache = Duration::ZERO).await;
    for _ in 0..2 {
        assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "");
        assert_eq!(bench.record().cache, "");
    }
    assert_eq!(bench.sent(), 2);
}

#[tokio::test]
async fn only_the_same_request_of_the_same_key_is_answered_from_memory() {
    let bench = bench(|_, _| {}).await;
    change(&bench, |_, _| {});
    let body = plain("gpt-4o", false);
    assert_eq!(bench.asked(&body).await, "miss");
    assert_eq!(bench.asked(&body).await, "hit");
    let reordered = r#"{ "messages": [{"content": "Hello", "role": "user"}], "user": "alice", "model": "gpt-4o" }"#;
    let raw = |body: &str| {
        let request = Request::post("/v1/chat/completions").header("authorization", "Bearer sk-client");
        request.body(Body::from(body.to_owned())).unwrap()
    };
    assert_eq!(bench.ask(raw(reordered)).await.0, "hit");
    for other in
        [r#"{"messages":[{"content":"Hello!","role":"user"}],"model":"gpt-4o"}"#, &plain("gpt-4o", true).to_string()]
    {
        assert_eq!(bench.ask(raw(other)).await.0, "miss", "{other}");
    }
    let mut request = chat(&body);
    request.headers_mut().insert("authorization", "Bearer sk-other".parse().unwrap());
    assert_eq!(bench.ask(request).await.0, "", "another key, for which it is off");
    change(&bench, |groups, _| groups[0].routing.cache = HOUR);
    let mut request = chat(&body);
    request.headers_mut().insert("authorization", "Bearer sk-other".parse().unwrap());
    assert_eq!(bench.ask(request).await.0, "miss", "another key, for which it is on");
}

#[tokio::test]
async fn a_client_may_do_without() {
    let bench = bench(|_, _| {}).await;
    let with = |wish: &'static str| {
        let mut request = chat(&plain("gpt-4o", false));
        request.headers_mut().insert(CACHE_CONTROL, wish.parse().unwrap());
        request
    };
    for _ in 0..2 {
        assert_eq!(bench.ask(with("no-store")).await.0, "", "neither read");
    }
    assert_eq!((bench.asked(&plain("gpt-4o", false)).await.as_str(), bench.sent()), ("miss", 3), "nor kept");
    assert_eq!(bench.ask(with("max-age=3600")).await.0, "hit");
    bench.provider.always(Target::All, Script::saying("another"));
    assert_eq!(bench.ask(with("no-cache")).await.0, "miss");
    let (cached, said) = bench.ask(chat(&plain("gpt-4o", false))).await;
    assert!(cached == "hit" && said.contains("another"), "the newest answer is kept: {said}");
    assert_eq!(bench.ask(with("max-age=0")).await.0, "miss");
}

#[tokio::test]
async fn what_failed_was_cut_refused_or_is_empty_is_not_kept() {
    for stream in [false, true] {
        let mut scripts = vec![Script::saying(""), Script::saying("no").finish("content_filter"), Script::refusal()];
        if stream {
            scripts.push(Script::saying("one two three").cut(Cut::AfterChunks(2)));
        }
        for script in scripts {
            let bench = bench(|_, _| {}).await;
            let about = format!("{script:?}");
            bench.provider.script(Target::All, script);
            assert_eq!(bench.asked(&plain("gpt-4o", stream)).await, "miss", "{about}");
            assert_eq!(bench.asked(&plain("gpt-4o", stream)).await, "miss", "{about}");
            assert_eq!(bench.asked(&plain("gpt-4o", stream)).await, "hit", "{about}");
        }
    }
    let bench = bench(|_, _| {}).await;
    bench.provider.script(Target::All, Script::error(400));
    let response = bench.send(chat(&plain("gpt-4o", false))).await;
    assert_eq!((response.status().as_u16(), cached(&response)), (400, "miss"));
    assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "miss");
}

#[tokio::test]
async fn identical_requests_that_come_at_once_are_one() {
    let bench = bench(|_, _| {}).await;
    bench.provider.always(Target::All, Script::saying("one two three"));
    for stream in [false, true] {
        let sent = bench.sent();
        let answers = join_all((0..50).map(|_| bench.ask(chat(&plain("gpt-4o", stream))))).await;
        assert_eq!(bench.sent() - sent, 1, "stream {stream}");
        assert_eq!(answers.iter().filter(|(cached, _)| cached == "miss").count(), 1);
        assert!(answers.iter().all(|(_, said)| *said == answers[0].1));
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test waits for it, or ends it")]
async fn where_the_first_client_leaves_another_asks_and_all_are_answered() {
    let bench = bench(|_, _| {}).await;
    let never = Script::saying("late").head_delay(HOUR);
    bench.provider.script(Target::All, never);
    let send = || tokio::spawn(bench.router.clone().oneshot(chat(&plain("gpt-4o", false))));
    let first = send();
    while bench.sent() == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..9).map(|_| send()).collect();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.sent(), 1, "the others wait");
    first.abort();
    let mut misses = 0;
    for other in others {
        let response = other.await.unwrap().unwrap();
        assert_eq!(response.status(), 200);
        misses += u32::from(cached(&response) == "miss");
        assert!(!text(response).await.is_empty());
    }
    assert_eq!((misses, bench.sent()), (1, 2), "one other asked, and the rest had its answer");
}

#[tokio::test]
async fn where_the_first_fails_each_is_answered_and_nobody_is_lost() {
    let bench = bench(|groups, _| groups[1].enabled = false).await;
    bench.provider.script(Target::All, Script::error(400));
    let statuses = join_all((0..10).map(async |_| {
        let response = bench.send(chat(&plain("gpt-4o", false))).await;
        let status = response.status().as_u16();
        text(response).await;
        status
    }))
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 9);
    assert_eq!(bench.sent(), 2);
}

#[tokio::test]
async fn an_answer_is_given_as_long_as_its_time_says() {
    let bench = bench(|_, key| key.routing.cache = Duration::from_millis(20)).await;
    assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "miss");
    let over = tokio::time::timeout(Duration::from_secs(10), async {
        while bench.asked(&plain("gpt-4o", false)).await == "hit" {}
    });
    over.await.expect("its time is over at some time");
    assert_eq!(bench.sent(), 2);
}

#[tokio::test]
async fn a_change_of_config_that_changes_answers_counts_at_once() {
    let bench = bench(|_, _| {}).await;
    change(&bench, |_, _| {});
    let asked = async || bench.asked(&plain("gpt-4o", false)).await;
    assert_eq!(asked().await, "miss");
    change(&bench, |groups, _| (groups[0].routing.weight, groups[0].routing.hedging) = (7, false));
    assert_eq!(asked().await, "hit", "a change that says nothing of answers");
    change(&bench, |groups, _| drop(groups[0].parameter_overrides.insert("temperature".into(), json!(0))));
    assert_eq!(asked().await, "miss");
    change(&bench, |groups, _| groups[0].enabled = false);
    assert_eq!(asked().await, "miss", "the group that answered is gone");
    // Nobody gets an answer from memory that would be refused one.
    change(&bench, |_, _| {});
    assert_eq!(asked().await, "hit");
    change(&bench, |_, key| key.enabled = false);
    assert_eq!(bench.send(chat(&plain("gpt-4o", false))).await.status(), 401);
    change(&bench, |_, key| key.allowed_models = vec!["another".into()]);
    assert_eq!(bench.send(chat(&plain("gpt-4o", false))).await.status(), 404);
    change(&bench, |_, key| key.allowed_groups = vec!["none".into()]);
    assert_eq!(bench.send(chat(&plain("gpt-4o", false))).await.status(), 404);
}

#[tokio::test]
async fn what_is_in_memory_is_given_while_the_provider_is_away() {
    let bench = bench(|_, _| {}).await;
    assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "miss");
    bench.provider.always(Target::All, Script::error(503));
    assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "hit");
}

#[tokio::test]
async fn a_group_keeps_its_own_answers_and_not_those_of_others() {
    let bench = bench(|groups, key| {
        key.routing.cache = Duration::ZERO;
        groups[0].routing.cache = HOUR;
    })
    .await;
    bench.provider.script(Target::Key("sk-upstream-g-1".to_owned()), Script::error(503));
    let response = bench.send(chat(&plain("gpt-4o", false))).await;
    assert_eq!((response.headers()["x-orchestration-group"].to_str().unwrap(), cached(&response)), ("other", "miss"));
    text(response).await;
    assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "miss", "the other group keeps none");
    assert_eq!(bench.asked(&plain("gpt-4o", false)).await, "hit");
}

#[tokio::test]
async fn an_answer_of_another_model_says_so_from_memory_too() {
    let bench = bench(|groups, key| {
        groups[1].models = vec!["second".into()];
        let chain = [("gpt-4o".into(), vec!["second".into()])];
        key.routing.fallbacks = Fallbacks { models: chain.into_iter().collect(), on: Vec::new() };
    })
    .await;
    bench.provider.script(Target::Key("sk-upstream-g-1".to_owned()), Script::error(503));
    for expected in ["miss", "hit"] {
        let response = bench.send(chat(&plain("gpt-4o", false))).await;
        assert_eq!(
            (response.headers()["x-orchestration-model"].to_str().unwrap(), cached(&response)),
            ("second", expected)
        );
        text(response).await;
    }
}

#[tokio::test]
async fn requests_that_refer_to_something_or_act_are_sent() {
    let bench = bench(|_, _| {}).await;
    let with = |name: &str, value: Value| {
        let mut body = plain("gpt-4o", false);
        body[name] = value;
        body
    };
    let image = json!([{ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "https://example.com/cat.png" } }] }]);
    for body in [
        with("store", json!(true)),
        with("messages", image),
        with("web_search_options", json!({})),
        with("tools", json!([{ "type": "mcp" }])),
    ] {
        for _ in 0..2 {
            let sent = bench.sent();
            assert_eq!(bench.asked(&body).await, "", "{body}");
            assert_eq!(bench.sent(), sent + 1, "{body}");
        }
    }
}

#[tokio::test]
async fn embeddings_are_kept_too() {
    let mut bench = bench(|_, _| {}).await;
    for encoding in ["float", "base64"] {
        let ask = || {
            let body = json!({ "model": "gpt-4o", "input": ["one"], "encoding_format": encoding });
            let request = Request::post("/v1/embeddings").header("authorization", "Bearer sk-client");
            request.body(Body::from(body.to_string())).unwrap()
        };
        let sent = bench.sent();
        let (cached, first) = bench.ask(ask()).await;
        assert_eq!((cached.as_str(), bench.record().cache.as_str()), ("miss", "miss"));
        let (cached, again) = bench.ask(ask()).await;
        assert_eq!((cached.as_str(), again), ("hit", first));
        assert_eq!(bench.sent() - sent, 1);
        let record = bench.record();
        assert_eq!((record.cache.as_str(), record.input_tokens, record.attempts.len()), ("hit", 0, 0));
    }
}

#[tokio::test]
async fn an_array_of_gemini_comes_from_memory_as_an_array() {
    let bench = bench(|groups, _| {
        groups[0].provider_type = "gemini".into();
        groups[0].base_url = groups[0].base_url.trim_end_matches("/v1").into();
    })
    .await;
    let ask = || {
        let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hello" }] }] });
        let request =
            Request::post("/v1beta/models/gpt-4o:streamGenerateContent").header("x-goog-api-key", "sk-client");
        request.body(Body::from(body.to_string())).unwrap()
    };
    let (cached, first) = bench.ask(ask()).await;
    assert_eq!(cached, "miss");
    assert!(serde_json::from_str::<Vec<Value>>(&first).is_ok_and(|elements| !elements.is_empty()), "{first}");
    assert_eq!(bench.ask(ask()).await, ("hit".to_owned(), first));
}
