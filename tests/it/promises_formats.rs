//! Tests with providers of other formats than the client's: promise 6 in `docs/PROMISES.md`, silence is a failure, and
//! promise 22, no loops.

use std::time::{Duration, Instant};

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::http::{Answer, Connection};
use harness::planes::{Planes, chat, chat_request, group};
use harness::wait;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{SOON, provider, standalone};

/// A group of this vendor.
fn vendor_group(name: &str, vendor: &str, base_url: &str, key: &str, more: &Value) -> Value {
    let mut group = group(name, base_url, &[key], &["claude-sonnet-4-5"]);
    group["providerType"] = json!(vendor);
    for (field, value) in more.as_object().into_iter().flatten() {
        group[field] = value.clone();
    }
    group
}

/// A request of a client of Anthropic's.
async fn messages(planes: &Planes, key: &str, stream: bool) -> Answer {
    let body = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 50, "stream": stream, "messages": [{ "role": "user", "content": "Hi" }]
    });
    let request = Request::post("/v1/messages").header("x-api-key", key).header("anthropic-version", "2023-06-01");
    let request = request.header("host", "x").body(Full::new(body.to_string().into())).unwrap();
    timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an answer").unwrap()
}

/// The ledger's records of requests to a chat API, once there are `count`.
async fn records(planes: &Planes, count: usize) -> Vec<Value> {
    let mut found = Vec::new();
    wait::until_async("the records are in the ledger", SOON, async || {
        found = planes.admin.logs().await.ok()?.into_iter().filter(|record| record["api"] != "models").collect();
        (found.len() >= count).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(found.len(), count, "{found:?}");
    found
}

/// Promise 6 in `docs/PROMISES.md`: if no first byte comes within the timeout, the fallback answers 0.5 s later at the
/// latest. Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p06_the_fallback_answers_when_a_provider_is_silent() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let silent = json!({ "priority": 2, "timeout": 1, "retryCount": 1 });
    let origin = provider.origin();
    // The first provider speaks the client's format, and the second another one.
    let first = vendor_group("silent", "anthropic", &origin, "sk-upstream-silent", &silent);
    let second = vendor_group("fallback", "openai", &provider.base_url(), "sk-upstream-fallback", &json!({}));
    planes.admin.create_group(&first).await.unwrap();
    planes.admin.create_group(&second).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "p06" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    let never = Script::saying("late").head_delay(Duration::from_hours(1));
    provider.always(Target::Key("sk-upstream-silent".to_owned()), never);
    for stream in [false, true] {
        let began = Instant::now();
        let answer = messages(&planes, &key.value, stream).await;
        assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains(if stream { "event: message_stop" } else { "end_turn" }), "{}", answer.text());
    }
}

/// Promise 6 in `docs/PROMISES.md`: silence within a stream ends it with an error event and not with a normal end. Full
/// scale.
#[tokio::test(flavor = "multi_thread")]
async fn p06_silence_within_a_stream_ends_it_with_an_error() {
    let provider = provider().await;
    let planes = standalone().set("Limits:StreamIdleTimeoutSeconds", 1).start().await.unwrap();
    let group = vendor_group("g", "openai", &provider.base_url(), "sk-upstream-key-0001", &json!({}));
    planes.admin.create_group(&group).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "p06" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::All, Script::paced(3, Duration::from_hours(1)));
    // One stream has the client's format and passes through, and the other is converted.
    let request = chat_request(&key.value, &chat("claude-sonnet-4-5", true)).unwrap();
    let passed = timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an end").unwrap();
    assert!(passed.text().contains("\"upstream_timeout\"") && !passed.text().contains("[DONE]"), "{}", passed.text());
    let converted = messages(&planes, &key.value, true).await;
    let text = converted.text();
    assert!(text.contains("event: error") && !text.contains("message_stop"), "{text}");
    let records = records(&planes, 2).await;
    assert!(records.iter().all(|record| record["outcome"] == "timeout"), "{records:?}");
}

/// Promise 22 in `docs/PROMISES.md`: an upstream that is the gateway itself is answered with 508 after at most 2 hops.
/// Full scale.
#[tokio::test(flavor = "multi_thread")]
async fn p22_a_gateway_that_calls_itself_says_508_after_two_hops() {
    for vendor in ["openai", "anthropic"] {
        let planes = standalone().start().await.unwrap();
        let key = planes.admin.create_key(&json!({ "name": "p22" })).await.unwrap();
        let origin = format!("http://{}", planes.api().http);
        let base_url = if vendor == "openai" { format!("{origin}/v1") } else { origin };
        let group = vendor_group("itself", vendor, &base_url, &key.value, &json!({}));
        planes.admin.create_group(&group).await.unwrap();
        // A node that knows a later key also knows the group.
        let later = planes.admin.create_key(&json!({ "name": "later" })).await.unwrap();
        planes.knows(&later).await.unwrap();
        for stream in [false, true] {
            let request = chat_request(&key.value, &chat("claude-sonnet-4-5", stream)).unwrap();
            let answer =
                timeout(SOON, Connection::to(planes.api().http).fetch(request)).await.expect("an end").unwrap();
            assert_eq!(answer.status, 508, "{vendor}: {}", answer.text());
            assert_eq!(answer.json()["error"]["code"], "loop_detected", "{vendor}: {}", answer.text());
        }
        // For each of the two there are the client's request and two hops.
        records(&planes, 6).await;
    }
}
