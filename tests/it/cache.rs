//! Answers from memory, in the programs as they run (`docs/ROUTING.md` section "Response cache"). What is kept and what
//! not is tested in `data-plane/src/ingress/tests/caching.rs`.

use fake_provider::queue::Target;
use fake_provider::script::Script;
use harness::admin::Key;
use harness::http::{Answer, Connection};
use harness::planes::{Planes, chat, chat_request, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{SOON, chat_records, provider, split, standalone};

/// A proxy key whose answers are kept for so many seconds.
async fn key(planes: &Planes, seconds: u64) -> Key {
    let key = planes.admin.create_key(&json!({ "name": format!("kept-{seconds}"), "cacheSeconds": seconds })).await;
    let key = key.unwrap();
    planes.knows(&key).await.unwrap();
    key
}

async fn ask(planes: &Planes, key: &Key, stream: bool) -> Answer {
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_costs_no_provider_request_and_is_marked_in_the_ledger() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    planes.admin.create_group(&group("g", &provider.base_url(), &["sk-upstream-0001"], &["gpt-4o"])).await.unwrap();
    let key = key(&planes, 3600).await;
    provider.always(Target::All, Script::saying("one two three").usage(9, 3));

    let first = ask(&planes, &key, false).await;
    let again = ask(&planes, &key, false).await;
    assert_eq!((first.header("x-orchestration-cache"), again.header("x-orchestration-cache")), ("miss", "hit"));
    assert_eq!((&first.body, provider.journal().total()), (&again.body, 1));
    assert_eq!(again.header("x-orchestration-attempts"), "0");
    assert_ne!(first.header("x-request-id"), again.header("x-request-id"));

    let mut streams = Vec::new();
    for expected in ["miss", "hit"] {
        let mut stream = planes.api().chat_stream(&key.value, &chat("gpt-4o", true)).await.unwrap();
        assert_eq!((stream.status, stream.header("x-orchestration-cache")), (200, expected));
        assert!(stream.header("content-type").starts_with("text/event-stream"), "{}", stream.header("content-type"));
        streams.push(stream.rest().await.unwrap());
    }
    assert_eq!(streams[0], streams[1], "the same events");
    assert_eq!((streams[1].last().map(String::as_str), provider.journal().total()), (Some("[DONE]"), 2));

    let records = chat_records(&planes, 4, SOON).await.unwrap();
    let spent: i64 = records.iter().filter_map(|record| record["totalTokens"].as_i64()).sum();
    assert_eq!(spent, 24, "tokens are counted where they were spent");
    let hits = planes.admin.get("/admin/logs?cache=hit").await.unwrap();
    let hits = hits["items"].as_array().unwrap();
    assert_eq!(hits.len(), 2, "{hits:#?}");
    for hit in hits {
        assert_eq!((&hit["cache"], &hit["outcome"], &hit["status"]), (&json!("hit"), &json!("success"), &json!(200)));
        assert_eq!((&hit["attempts"], &hit["groupId"], &hit["groupPolicy"]), (&json!([]), &Value::Null, &Value::Null));
        assert_eq!(
            (&hit["totalTokens"], &hit["costMicros"], &hit["usageSource"]),
            (&json!(0), &json!(0), &json!("none"))
        );
    }
    assert_eq!(planes.admin.get("/admin/logs?cache=miss").await.unwrap()["items"].as_array().unwrap().len(), 2);
    let id = again.header("x-request-id");
    let trace = planes.admin.get(&format!("/admin/requests/{id}/trace")).await.unwrap();
    assert_eq!((&trace["cache"], &trace["attempts"]), (&json!("hit"), &json!([])));

    let scrape = planes.api().scrape().await.unwrap();
    assert!(scrape.text().contains("orchestration_cache_requests_total{result=\"hit\"} 2"), "{}", scrape.text());
    assert_eq!(scrape.sum("cache_entries"), Some(2.0));
    assert!(scrape.sum("cache_bytes") > Some(100.0));
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "the test waits for it, or ends it")]
async fn identical_requests_at_once_are_one_request_to_the_provider() {
    let provider = provider().await;
    let planes = split(1).start().await.unwrap();
    planes.admin.create_group(&group("g", &provider.base_url(), &["sk-upstream-0001"], &["gpt-4o"])).await.unwrap();
    let key = key(&planes, 3600).await;
    let asks = (0..50).map(|_| {
        let (address, key) = (planes.api().http, key.value.clone());
        tokio::spawn(async move {
            let request = chat_request(&key, &chat("gpt-4o", false)).unwrap();
            let answer = Connection::to(address).fetch(request).await.unwrap();
            (answer.status, answer.body)
        })
    });
    let asks: Vec<_> = asks.collect();
    let mut bodies = Vec::new();
    for ask in asks {
        let (status, body) = ask.await.unwrap();
        assert_eq!(status, 200);
        bodies.push(body);
    }
    assert_eq!(provider.journal().total(), 1);
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let records = chat_records(&planes, 50, SOON).await.unwrap();
    assert_eq!(records.iter().filter(|record| record["cache"] == "hit").count(), 49);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_for_as_long_as_the_operator_says() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut body = group("g", &provider.base_url(), &["sk-upstream-0001"], &["gpt-4o"]);
    body["cacheSeconds"] = json!(3600);
    let group = planes.admin.create_group(&body).await.unwrap();
    let (short, long, other) = (key(&planes, 1).await, key(&planes, 0).await, key(&planes, 2).await);
    assert_eq!(ask(&planes, &long, false).await.header("x-orchestration-cache"), "miss");
    assert_eq!(ask(&planes, &long, false).await.header("x-orchestration-cache"), "hit", "as the group says");
    assert_eq!(ask(&planes, &other, false).await.header("x-orchestration-cache"), "miss", "of another key");
    ask(&planes, &short, false).await;
    wait::until_async("the time of the answer is over", SOON, async || {
        (ask(&planes, &short, false).await.header("x-orchestration-cache") == "miss").then_some(())
    })
    .await
    .unwrap();

    // What would be answered otherwise is asked anew.
    body["parameterOverrides"] = json!({ "temperature": 0 });
    let shown = planes.admin.get(&format!("/admin/groups/{group}")).await.unwrap();
    body["updatedAt"] = shown["updatedAt"].clone();
    planes.admin.ok(Method::PUT, &format!("/admin/groups/{group}"), &body).await.unwrap();
    wait::until_async("the change counts", SOON, async || {
        (ask(&planes, &long, false).await.header("x-orchestration-cache") == "miss").then_some(())
    })
    .await
    .unwrap();
    assert_eq!(provider.journal().last().unwrap().json()["temperature"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_memory_for_it_keeps_nothing() {
    let provider = provider().await;
    let planes = split(1).set("Cache:MaxBytes", 0).start().await.unwrap();
    planes.admin.create_group(&group("g", &provider.base_url(), &["sk-upstream-0001"], &["gpt-4o"])).await.unwrap();
    let key = key(&planes, 3600).await;
    for _ in 0..2 {
        assert_eq!(ask(&planes, &key, false).await.header("x-orchestration-cache"), "miss");
    }
    assert_eq!(provider.journal().total(), 2);
}
