//! Tests of the retry on the next key, and of what the client hears when every attempt has failed.

use std::collections::HashSet;
use std::time::Duration;

use fake_provider::FakeProvider;
use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use harness::admin::Key;
use harness::planes::{Planes, chat, group};
use harness::{ports, wait};
use serde_json::json;

use crate::support::{Bed, SOON, a_group_for_each, chat_records, provider, standalone};

const KEYS: [&str; 4] = ["sk-upstream-a-0001", "sk-upstream-b-0002", "sk-upstream-c-0003", "sk-upstream-d-0004"];

/// A deployment whose group has four keys.
async fn four_keys() -> (Planes, FakeProvider, Key) {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    planes.admin.create_group(&group("four", &provider.base_url(), &KEYS, &["gpt-4o"])).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "failover" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    (planes, provider, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_or_broken_provider_is_asked_once_more_with_the_next_key() {
    for stream in [false, true] {
        for script in [429, 500, 502, 503, 504, 529].map(Script::error) {
            let status = script.status;
            // Each case has a deployment of its own, because what one case teaches about a key must not matter to the
            // next.
            let (planes, provider, key) = four_keys().await;
            provider.script(Target::All, script);
            let answer = planes.api().chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
            assert_eq!(answer.status, 200, "after {status}: {}", answer.text());
            let used: Vec<String> =
                provider.journal().requests().iter().map(|request| request.key().to_owned()).collect();
            assert_eq!((used.len(), used.iter().collect::<HashSet<_>>().len()), (2, 2), "{used:?}");
            let bodies: HashSet<Vec<u8>> =
                provider.journal().requests().iter().map(|request| request.body.to_vec()).collect();
            assert_eq!(bodies.len(), 1, "the second attempt sends what the first one sent");
            let records = chat_records(&planes, 1, SOON).await.unwrap();
            assert_eq!(records[0]["attempts"].as_array().map(Vec::len), Some(2), "{}", records[0]);
            assert_eq!(records[0]["attempts"][0]["status"], status);
            assert_eq!((&records[0]["outcome"], &records[0]["status"]), (&json!("success"), &json!(200)));
            if stream {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_retry_and_no_more() {
    let (planes, provider, key) = four_keys().await;
    provider.always(Target::All, Script::error(503));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(provider.journal().total(), 2);
    let records = chat_records(&planes, 1, SOON).await.unwrap();
    assert_eq!(records[0]["attempts"].as_array().map(Vec::len), Some(2), "{}", records[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_group_serves_when_the_first_cannot_be_reached() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let nobody = format!("http://{}/v1", ports::free().unwrap());
    let mut dead = group("dead", &nobody, &["sk-upstream-a-0001"], &["gpt-4o"]);
    dead["priority"] = json!(10);
    planes.admin.create_group(&dead).await.unwrap();
    planes
        .admin
        .create_group(&group("alive", &provider.base_url(), &["sk-upstream-b-0002"], &["gpt-4o"]))
        .await
        .unwrap();
    let key = planes.admin.create_key(&json!({ "name": "failover" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    for stream in [false, true] {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(provider.journal().last().unwrap().key(), "sk-upstream-b-0002");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_own_status_and_message_reach_the_client() {
    let own = json!({ "message": "You exceeded your current quota.", "type": "insufficient_quota", "param": null,
        "code": "insufficient_quota" });
    let cases = [(429, false), (429, true), (500, false), (503, true), (400, false), (422, true)];
    let models: Vec<String> = (0..cases.len()).map(|number| format!("case-{number}")).collect();
    let bed = a_group_for_each(standalone(), &models).await.unwrap();
    for (model, (status, stream)) in models.iter().zip(cases) {
        let script = Script { error: Some(own.clone()), ..Script::error(status) }.header("retry-after", "7");
        bed.provider.always(Target::All, script);
        let answer = bed.chat(&chat(model, stream)).await.unwrap();
        assert_eq!(answer.status, status, "{}", answer.text());
        let error = &answer.json()["error"];
        for field in ["message", "type", "code"] {
            assert_eq!(error[field], own[field], "{status}: {error}");
        }
        if status == 429 {
            assert_eq!(answer.header("retry-after"), "7");
        }
        assert!(answer.header("content-type").starts_with("application/json"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_cdn_becomes_an_error_in_openais_shape() {
    let bed = Bed::start(standalone()).await.unwrap();
    let answer = bed.chat(&chat("fake-html", false)).await.unwrap();
    assert_eq!(answer.status, 502);
    assert!(answer.header("content-type").starts_with("application/json"), "{}", answer.header("content-type"));
    assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_reached_is_502() {
    let planes = standalone().start().await.unwrap();
    let nobody = format!("http://{}/v1", ports::free().unwrap());
    planes.admin.create_group(&group("dead", &nobody, &KEYS, &["gpt-4o"])).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "failover" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    for stream in [false, true] {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
        assert_eq!(answer.status, 502, "{}", answer.text());
        let error = &answer.json()["error"];
        assert!(error["message"].is_string() && error["type"].is_string() && error["code"].is_string(), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_up_is_502() {
    let models = ["hangs-up", "no-http", "half"].map(str::to_owned);
    let bed = a_group_for_each(standalone(), &models).await.unwrap();
    let raw = Script { raw: Some("no HTTP at all\r\n\r\n".into()), ..Script::new() };
    let scripts = [Script::new().cut(Cut::BeforeHead), raw, Script::new().cut(Cut::AfterChunks(1))];
    for (model, script) in models.iter().zip(scripts) {
        bed.provider.always(Target::Model(model.clone()), script);
    }
    for model in &models[..2] {
        let answer = bed.chat(&chat(model, false)).await.unwrap();
        assert_eq!(answer.status, 502, "{}", answer.text());
    }
    // A whole answer that ends half-way never looks complete.
    let broken = bed.chat(&chat(&models[2], false)).await;
    assert!(broken.as_ref().is_err() || broken.as_ref().is_ok_and(|answer| answer.status == 502), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_silent_is_504_at_the_groups_timeout() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let mut silent = group("silent", &provider.base_url(), &["sk-upstream-a-0001"], &["gpt-4o"]);
    silent["timeout"] = json!(1);
    planes.admin.create_group(&silent).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "timeout" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::All, Script::new().head_delay(Duration::from_hours(1)));
    for stream in [false, true] {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", stream)).await.unwrap();
        assert_eq!(answer.status, 504, "{}", answer.text());
        assert!(answer.json()["error"]["message"].is_string());
        let received = provider.journal().last().unwrap();
        wait::until("the provider's request is cancelled", SOON, || received.end()).await.unwrap();
    }
    let records = chat_records(&planes, 2, SOON).await.unwrap();
    assert!(records.iter().all(|record| record["outcome"] == "timeout" && record["status"] == 504), "{records:?}");
}
