//! Limits of proxy keys, models, groups and upstream keys, over real sockets (`docs/LIMITS.md`).

use std::time::Duration;

use fake_provider::queue::Target;
use fake_provider::script::Script;
use futures_util::future::join_all;
use harness::admin::Key;
use harness::http::{Answer, Connection};
use harness::planes::{chat, group};
use harness::wait;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Bed, SOON, standalone};

/// A proxy key with these fields beside its name, which every node knows.
async fn key(bed: &Bed, name: &str, more: Value) -> Key {
    let mut body = json!({ "name": name });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let key = bed.planes.admin.create_key(&body).await.unwrap();
    bed.planes.knows(&key).await.unwrap();
    key
}

async fn ask(bed: &Bed, key: &Key) -> Answer {
    bed.planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap()
}

/// Asks `count` times at once, and gives the answers.
async fn ask_at_once(bed: &Bed, key: &Key, count: usize) -> Vec<Answer> {
    join_all((0..count).map(|_| ask(bed, key))).await
}

fn with_status(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// The limits that the node shows for requests of `key`.
async fn explained(bed: &Bed, key: &Key) -> Value {
    bed.planes.admin.get(&format!("/admin/explain?model=gpt-4o&key={}", key.id)).await.unwrap()
}

/// Fails unless `answer` is a refusal that says what the limit is and when to come back.
fn refused(answer: &Answer, words: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]["code"]), (429, &json!("rate_limit_exceeded")), "{body}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains(words) && message.contains("try again in"), "{message}");
    let pause: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=70).contains(&pause), "{pause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_a_key_gets_exactly_as_many_as_it_may() {
    let bed = Bed::start(standalone()).await.unwrap();
    let key = key(&bed, "rpm", json!({ "rpm": 20 })).await;
    let answers = ask_at_once(&bed, &key, 50).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (20, 30));
    let answer = answers.iter().find(|answer| answer.status == 429).unwrap();
    refused(answer, "this API key has reached its limit of 20 requests per minute");
    assert_eq!(
        (answer.header("x-ratelimit-limit-requests"), answer.header("x-ratelimit-remaining-requests")),
        ("20", "0")
    );
    assert_eq!(bed.provider.journal().total(), 20, "what is refused reaches no provider");
    // Another key has none, and its client hears what the provider says.
    assert_eq!(ask(&bed, &bed.key).await.header("x-ratelimit-limit-requests"), "10000");
    let scrape = bed.planes.control.scrape().await.unwrap();
    let limited = scrape.text().lines().find(|line| {
        line.contains("limited_requests_total")
            && line.contains("proxy_key")
            && line.contains("\"requests\"")
            && line.contains("enforce")
    });
    assert!(limited.is_some_and(|line| line.ends_with(" 30")), "{limited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_count_as_they_were_used_and_not_as_they_were_estimated() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.always(Target::All, Script::saying("ok").usage(400, 100));
    let plain = key(&bed, "tpm", json!({ "tpmLimit": 1_000 })).await;
    let statuses = [ask(&bed, &plain).await.status, ask(&bed, &plain).await.status];
    assert_eq!(statuses, [200, 200]);
    let third = ask(&bed, &plain).await;
    refused(&third, "1000 tokens per minute");
    wait::until_async("both have settled", SOON, async || {
        let limits = explained(&bed, &plain).await;
        (limits["limits"][0]["used"] == 1_000).then_some(())
    })
    .await
    .unwrap();
    // Tokens that weigh nothing leave room for more.
    let more = json!({
        "limits": [{ "unit": "tokens", "window": "hour", "amount": 1_000 }], "tokenWeights": { "output": 0, "cached": 0 }
    });
    bed.provider.always(Target::All, Script::saying("ok").usage(400, 100).cached(300, 0));
    let weighed = key(&bed, "weighed", more).await;
    for _ in 0..4 {
        assert_eq!(ask(&bed, &weighed).await.status, 200);
    }
    wait::until_async("all have settled", SOON, async || {
        let limits = explained(&bed, &weighed).await;
        (limits["limits"][0]["used"] == 400).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_bounded_and_may_wait_in_a_queue() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.always(Target::All, Script::saying("ok").head_delay(Duration::from_secs(2)));
    let two = key(&bed, "two", json!({ "concurrency": 2 })).await;
    let answers = ask_at_once(&bed, &two, 5).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (2, 3));
    refused(answers.iter().find(|answer| answer.status == 429).unwrap(), "2 requests at a time");
    let queued = json!({ "concurrencyLimit": 1, "concurrencyQueue": { "length": 1, "waitMs": 30_000 } });
    let queued = key(&bed, "queued", queued).await;
    let answers = ask_at_once(&bed, &queued, 3).await;
    assert_eq!((with_status(&answers, 200), with_status(&answers, 429)), (2, 1));
    // The seats are free again.
    wait::until_async("the answers have ended", SOON, async || {
        (explained(&bed, &two).await["limits"][0]["used"] == 0).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(ask(&bed, &two).await.status, 200);
}

/// How many requests came with the upstream key.
fn sent_with(bed: &Bed, key: &str) -> usize {
    bed.provider.journal().requests().iter().filter(|received| received.key() == key).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_of_groups_and_upstream_keys_lead_elsewhere_until_nothing_has_room() {
    let bed = Bed::start(standalone()).await.unwrap();
    let url = bed.provider.base_url();
    let keys = ["sk-upstream-first-0001", "sk-upstream-other-0002"];
    let mut first = group("limited", &url, &keys, &["m"]);
    first["priority"] = json!(9);
    first["rpmLimit"] = json!(5);
    first["affinity"] = json!(false);
    first["upstreamKeys"] = json!([
        { "key": keys[0], "limits": [{ "unit": "requests", "window": "minute", "amount": 1 }] }
    ]);
    bed.planes.admin.create_group(&first).await.unwrap();
    let mut second = group("second", &url, &["sk-upstream-third-0003"], &["m"]);
    second["limits"] = json!([{ "unit": "requests", "window": "hour", "amount": 3 }]);
    bed.planes.admin.create_group(&second).await.unwrap();
    let free = key(&bed, "free", json!({})).await;
    for _ in 0..8 {
        let answer = bed.planes.api().chat(&free.value, &chat("m", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let sent = [keys[0], keys[1], "sk-upstream-third-0003"].map(|key| sent_with(&bed, key));
    assert_eq!(sent, [1, 4, 3]);
    let answer = bed.planes.api().chat(&free.value, &chat("m", false)).await.unwrap();
    refused(&answer, "per minute");
    let text = answer.text();
    assert!(!text.contains("limited\"") && !text.contains("second") && !text.contains("sk-up"), "{text}");
    let plan = bed.planes.admin.get(&format!("/admin/explain?model=m&key={}", free.id)).await.unwrap();
    let skipped: Vec<_> =
        plan["skipped"].as_array().unwrap().iter().filter(|skip| skip["reason"] == "limited").collect();
    assert!(skipped.len() == 3 && skipped.iter().all(|skip| skip["until"].is_i64()), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_in_the_shadow_counts_and_refuses_nothing() {
    let bed = Bed::start(standalone()).await.unwrap();
    let shadow = key(&bed, "shadow", json!({ "rpmLimit": 1, "limitMode": "shadow" })).await;
    for _ in 0..3 {
        assert_eq!(ask(&bed, &shadow).await.status, 200);
    }
    let limits = explained(&bed, &shadow).await["limits"][0].clone();
    assert_eq!((&limits["used"], &limits["remaining"], &limits["shadow"]), (&json!(3), &json!(0), &json!(true)));
    wait::until_async("two are counted", SOON, async || {
        let scrape = bed.planes.control.scrape().await.ok()?;
        scrape
            .text()
            .lines()
            .any(|line| line.contains("limited_requests_total") && line.contains("\"shadow\"") && line.ends_with(" 2"))
            .then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_each_api_are_told_in_its_own_way() {
    let bed = Bed::start(standalone()).await.unwrap();
    let anthropic = json!({ "model": "gpt-4o", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] });
    let openai = chat("gpt-4o", false);
    let cases = [
        ("openai", "/v1/chat/completions", "authorization", &openai),
        ("anthropic", "/v1/messages", "x-api-key", &anthropic),
        ("gemini", "/v1beta/models/gpt-4o:generateContent", "x-goog-api-key", &gemini),
    ];
    // What a provider says of its own limits is not what the client is told.
    bed.provider.always(Target::All, Script::saying("ok").usage(5, 5).header("x-ratelimit-limit-requests", "777"));
    for (name, path, header, body) in cases {
        let key = key(&bed, name, json!({ "rpmLimit": 1, "tpmLimit": 10_000 })).await;
        let ask = async || {
            let value = if header == "authorization" { format!("Bearer {}", key.value) } else { key.value.clone() };
            let request = Request::builder().method(Method::POST).uri(path).header("host", "127.0.0.1");
            let request = request.header(header, value).header("content-type", "application/json");
            let request = request.body(Full::new(body.to_string().into())).unwrap();
            Connection::to(bed.planes.api().http).fetch(request).await.unwrap()
        };
        let (first, second) = (ask().await, ask().await);
        assert_eq!((first.status, second.status), (200, 429), "{name}: {} {}", first.text(), second.text());
        for answer in [&first, &second] {
            let told = ["limit-requests", "remaining-requests", "limit-tokens"]
                .map(|what| answer.header(&format!("x-ratelimit-{what}")));
            assert_eq!(told, ["1", "0", "10000"], "{name}");
            assert!(answer.header("x-ratelimit-reset-requests").ends_with('s'), "{name}");
            let own = answer.header("anthropic-ratelimit-requests-limit");
            assert_eq!(own, if name == "anthropic" { "1" } else { "" }, "{name}");
            if name == "anthropic" {
                let reset: jiff::Timestamp = answer.header("anthropic-ratelimit-requests-reset").parse().unwrap();
                assert!(reset > jiff::Timestamp::now() && reset.subsec_nanosecond() == 0);
            }
        }
        assert!(!second.header("retry-after").is_empty());
        let error = &second.json()["error"];
        match name {
            "anthropic" => assert_eq!(error["type"], "rate_limit_error"),
            "gemini" => assert_eq!(error["status"], "RESOURCE_EXHAUSTED"),
            _ => assert_eq!(error["code"], "rate_limit_exceeded"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_gives_back_what_it_has_taken() {
    let bed = Bed::start(standalone()).await.unwrap();
    let key = key(&bed, "failing", json!({ "rpmLimit": 2, "tpmLimit": 1_000 })).await;
    for _ in 0..6 {
        let answer = bed.planes.api().chat(&key.value, &chat("fake-error-500", false)).await.unwrap();
        assert!(answer.status >= 500, "{}", answer.status);
    }
    bed.provider.always(Target::All, Script::saying("ok").usage(5, 5));
    assert_eq!(
        (ask(&bed, &key).await.status, ask(&bed, &key).await.status, ask(&bed, &key).await.status),
        (200, 200, 429)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_kept_over_changes_of_config() {
    let bed = Bed::start(standalone()).await.unwrap();
    let limited = key(&bed, "kept", json!({ "rpmLimit": 3 })).await;
    assert_eq!((ask(&bed, &limited).await.status, ask(&bed, &limited).await.status), (200, 200));
    key(&bed, "another", json!({})).await;
    assert_eq!((ask(&bed, &limited).await.status, ask(&bed, &limited).await.status), (200, 429));
    let path = format!("/admin/proxy-keys/{}", limited.id);
    let more = json!({ "rpmLimit": 4, "limits": [{ "unit": "requests", "window": "day", "amount": 100 }] });
    bed.planes.admin.ok(Method::PATCH, &path, &more).await.unwrap();
    let limits = wait::until_async("the node has the new limit", SOON, async || {
        let limits = explained(&bed, &limited).await["limits"].clone();
        (limits[0]["amount"] == 4).then_some(limits)
    })
    .await
    .unwrap();
    assert_eq!((&limits[0]["used"], &limits[1]["window"]), (&json!(3), &json!("day")));
    assert_eq!((ask(&bed, &limited).await.status, ask(&bed, &limited).await.status), (200, 429));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_take_less_with_some_models() {
    let bed = Bed::start(standalone()).await.unwrap();
    let limits = json!({ "modelLimits": { "gpt-4o-*": { "limits": [{ "unit": "requests", "window": "minute", "amount": 1 }] } } });
    let key = key(&bed, "models", limits).await;
    let mini = async || bed.planes.api().chat(&key.value, &chat("gpt-4o-mini", false)).await.unwrap();
    assert_eq!(mini().await.status, 200);
    refused(&mini().await, "its limit for this model of 1 requests per minute");
    assert_eq!((ask(&bed, &key).await.status, ask(&bed, &key).await.status), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_itself_at_fault_counts() {
    let bed = Bed::start(standalone()).await.unwrap();
    let key = key(&bed, "at fault", json!({ "rpmLimit": 2 })).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(bed.planes.api().chat(&key.value, &chat("fake-error-400", false)).await.unwrap().status);
    }
    assert_eq!(statuses, [400, 400, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_from_memory_takes_nothing() {
    let bed = Bed::start(standalone()).await.unwrap();
    let key = key(&bed, "cached", json!({ "rpmLimit": 2, "cacheSeconds": 600 })).await;
    for expected in ["miss", "hit", "hit", "hit"] {
        let answer = ask(&bed, &key).await;
        assert_eq!((answer.status, answer.header("x-orchestration-cache")), (200, expected));
    }
    let limits = explained(&bed, &key).await;
    assert_eq!(limits["limits"][0]["used"], 1, "{limits}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_takes_more_as_it_outgrows_its_reservation_and_settles_when_its_client_leaves() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.always(Target::All, Script::endless(Duration::from_millis(2)));
    let key = key(&bed, "stream", json!({ "tpmLimit": 400, "concurrencyLimit": 5 })).await;
    let used = async || explained(&bed, &key).await["limits"].clone();
    let mut request = chat("gpt-4o", true);
    request["max_tokens"] = json!(10);
    let mut stream = bed.planes.api().chat_stream(&key.value, &request).await.unwrap();
    assert!(stream.next().await.unwrap().is_some());
    let mut read = 0;
    wait::until_async("the answer has passed its reservation", SOON, async || {
        // What is not read does not come.
        for _ in 0..100 {
            stream.next().await.ok()??;
            read += 1;
        }
        (used().await[0]["used"].as_u64()? > 400).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(ask(&bed, &key).await.status, 429, "what an answer has used keeps out those behind it");
    drop(stream);
    wait::until_async("the seat is free", SOON, async || (used().await[1]["used"] == 0).then_some(())).await.unwrap();
    assert!(used().await[0]["used"].as_u64().unwrap() > 0 && read > 0, "what the model wrote is used");
}
