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

/// Groups of their own names with these retry counts, in the order in which they are tried, each with a number of keys.
async fn groups(provider: &FakeProvider, groups: &[(&str, u32, usize)]) -> (Planes, Key) {
    let planes = standalone().start().await.unwrap();
    for (position, (name, retry_count, keys)) in groups.iter().enumerate() {
        let keys: Vec<String> = (1..=*keys).map(|number| upstream(name, number)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut body = group(name, &provider.base_url(), &keys, &["gpt-4o"]);
        body["retryCount"] = json!(retry_count);
        body["priority"] = json!(100 - position);
        planes.admin.create_group(&body).await.unwrap();
    }
    let key = planes.admin.create_key(&json!({ "name": "failover" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    (planes, key)
}

/// The upstream key of this number in the group `name`.
fn upstream(name: &str, number: usize) -> String {
    format!("sk-upstream-{name}-{number:04}")
}

fn keys_used(provider: &FakeProvider) -> Vec<String> {
    provider.journal().requests().iter().map(|request| request.key().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_gets_its_retry_count_and_three_keys_at_most() {
    for (retry_count, attempts) in [(3, 3), (1, 2), (0, 1), (100, 3)] {
        let provider = provider().await;
        let (planes, key) = groups(&provider, &[("many", retry_count, 12)]).await;
        provider.always(Target::All, Script::error(503));
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 503);
        let used = keys_used(&provider);
        assert_eq!(
            (used.len(), used.iter().collect::<HashSet<_>>().len()),
            (attempts, attempts),
            "{retry_count}: {used:?}"
        );
        let records = chat_records(&planes, 1, SOON).await.unwrap();
        assert_eq!(records[0]["attempts"].as_array().map(Vec::len), Some(attempts), "{}", records[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_retries_is_passed_over_and_does_not_end_the_walk() {
    let provider = provider().await;
    let (planes, key) = groups(&provider, &[("a", 3, 1), ("b", 0, 1), ("c", 3, 1)]).await;
    provider.always(Target::Key(upstream("a", 1)), Script::error(503));
    provider.always(Target::Key(upstream("b", 1)), Script::error(503));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(keys_used(&provider), [upstream("a", 1), upstream("c", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_money_is_passed_over_and_its_key_rests() {
    let money = |status, message: &str| Script {
        error: Some(json!({ "message": message, "type": "invalid_request_error" })),
        ..Script::error(status)
    };
    for script in [
        money(402, "Insufficient Balance"),
        money(429, "You exceeded your current quota"),
        money(403, "用户额度不足"),
        money(400, "Your credit balance is too low"),
    ] {
        let provider = provider().await;
        let (planes, key) = groups(&provider, &[("one", 3, 2), ("two", 3, 1)]).await;
        provider.always(Target::Key(upstream("one", 1)), script.clone());
        for _ in 0..2 {
            let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(keys_used(&provider), [upstream("one", 1), upstream("one", 2), upstream("one", 2)]);
        // The next group is tried, too.
        provider.always(Target::Key(upstream("one", 2)), script.clone());
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(keys_used(&provider).last(), Some(&upstream("two", 1)));
    }
}

/// Relays say with 503 that they have no such model.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_without_the_model_is_not_asked_with_its_other_keys() {
    let provider = provider().await;
    let (planes, key) = groups(&provider, &[("one", 3, 2), ("two", 3, 1)]).await;
    let missing = json!({ "message": "分组 default 下模型 gpt-4o 无可用渠道", "code": "model_not_found" });
    provider.always(Target::Key(upstream("one", 1)), Script { error: Some(missing), ..Script::error(503) });
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(keys_used(&provider), [upstream("one", 1), upstream("two", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_one_group_lacks_is_asked_of_the_next_and_only_then_is_404() {
    let provider = provider().await;
    let (planes, key) = groups(&provider, &[("one", 3, 2), ("two", 3, 1)]).await;
    let missing = json!({ "message": "The model `gpt-4o` does not exist", "code": "model_not_found" });
    let missing = Script { error: Some(missing), ..Script::error(404) };
    provider.always(Target::Key(upstream("one", 1)), missing.clone());
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(keys_used(&provider), [upstream("one", 1), upstream("two", 1)]);
    provider.always(Target::All, missing);
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 404, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "model_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_keys_out_the_client_is_told_when_the_first_returns() {
    let provider = provider().await;
    let (planes, key) = groups(&provider, &[("one", 3, 2)]).await;
    provider.always(Target::Key(upstream("one", 1)), Script::error(401));
    provider.script(Target::Key(upstream("one", 2)), Script::error(429).header("retry-after", "100"));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 429, "{}", answer.text());
    // One was refused and the other rests for as long as its provider said, so nothing is sent.
    for _ in 0..3 {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text());
        let pause: u64 = answer.header("retry-after").parse().unwrap();
        assert!((90..=100).contains(&pause), "{pause}");
    }
    assert_eq!(keys_used(&provider).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_keys_out_the_one_that_rests_by_a_guess_answers() {
    let provider = provider().await;
    let (planes, key) = groups(&provider, &[("one", 3, 2)]).await;
    provider.always(Target::Key(upstream("one", 1)), Script::error(401));
    provider.script(Target::Key(upstream("one", 2)), Script::error(429));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 429, "{}", answer.text());
    for _ in 0..3 {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let used = keys_used(&provider);
    assert_eq!(used.iter().filter(|used| **used == upstream("one", 1)).count(), 1, "{used:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_a_stated_pause_is_never_broken_and_a_client_is_told_to_wait_two_minutes_at_most() {
    let provider = provider().await;
    let words = json!({ "message": "Rate limit reached. Please try again in 3h0m0s.", "type": "tokens" });
    let in_words = Script { error: Some(words), ..Script::error(429) };
    for script in [in_words, Script::error(429).header("retry-after", "10800")] {
        let (planes, key) = groups(&provider, &[("one", 3, 1)]).await;
        provider.always(Target::All, script);
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!((answer.status, answer.header("retry-after")), (429, "120"), "{}", answer.text());
        let before = provider.journal().total();
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        let pause: u64 = answer.header("retry-after").parse().unwrap();
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert!((100..=120).contains(&pause), "{pause}");
        assert_eq!(provider.journal().total(), before, "nothing is sent while it lasts");
    }
}

/// A key without money is left alone, and the others serve.
#[tokio::test(flavor = "multi_thread")]
async fn p09_a_key_without_money_is_exhausted_and_the_next_one_serves() {
    let provider = provider().await;
    let (planes, key) = groups(&provider, &[("one", 3, 2)]).await;
    let words = json!({ "type": "invalid_request_error", "message": "Your credit balance is too low." });
    let spent = Script { error: Some(words), ..Script::error(400) };
    provider.always(Target::Key(upstream("one", 1)), spent);
    for _ in 0..4 {
        let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let used = keys_used(&provider);
    assert!(used.iter().filter(|used| **used == upstream("one", 1)).count() <= 1, "{used:?}");
    provider.always(Target::Key(upstream("one", 2)), Script::error(401));
    let answer = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(answer.status, 502, "{}", answer.text());
    let used = keys_used(&provider);
    assert!(used.iter().filter(|used| **used == upstream("one", 1)).count() <= 1, "{used:?}");
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
    let quota = json!({ "message": "You exceeded your current quota.", "type": "insufficient_quota", "param": null,
        "code": "insufficient_quota" });
    let wrong = json!({ "message": "The tools are wrong.", "type": "invalid_request_error", "param": "tools", "code": "bad_tools" });
    let cases = [(429, false), (429, true), (500, false), (503, true), (400, false), (422, true)];
    let models: Vec<String> = (0..cases.len()).map(|number| format!("case-{number}")).collect();
    let bed = a_group_for_each(standalone(), &models).await.unwrap();
    for (model, (status, stream)) in models.iter().zip(cases) {
        // Money is never the client's fault, whatever status says so.
        let own = if matches!(status, 400 | 422) { &wrong } else { &quota };
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
