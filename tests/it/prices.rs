//! What requests cost: in the records, in the sums, and where it is not known.

use fake_provider::queue::Target;
use fake_provider::script::{Cut, Script};
use harness::http::Connection;
use harness::planes::{Planes, chat, group};
use harness::wait;
use hyper::Method;
use serde_json::{Value, json};

use crate::support::{Bed, SOON, chat_records, provider, raw_post, split, standalone};

/// An answer of OpenAI's with these counts, and with the tier of service that it was given.
fn answer(usage: &Value, tier: &str) -> Script {
    let choice = json!({ "index": 0, "message": { "role": "assistant", "content": "Hi" }, "finish_reason": "stop" });
    Script::json(json!({
        "id": "a", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage,
        "service_tier": tier,
    }))
}

fn usage() -> Value {
    json!({
        "prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100,
        "prompt_tokens_details": { "cached_tokens": 400 }, "completion_tokens_details": { "reasoning_tokens": 40 },
    })
}

fn sum_of_kinds(costs: &Value) -> i64 {
    costs.as_object().unwrap().values().map(|kind| kind.as_i64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_costs_what_its_tokens_cost_by_kind_and_tier() {
    for setup in [standalone(), split(1)] {
        let bed = Bed::start(setup).await.unwrap();
        for tier in ["default", "flex", "scale"] {
            bed.provider.script(Target::All, answer(&usage(), tier));
            bed.chat(&chat("gpt-4o", false)).await.unwrap();
        }
        let records = bed.chat_records(3).await.unwrap();
        let of = |tier: &str| records.iter().find(|record| record["serviceTier"] == tier).unwrap();
        // 2.50 dollars a million in, 1.25 from the cache, 10 out.
        let standard = of("default");
        assert_eq!(standard["costMicros"], 1_500 + 500 + 1_000, "{standard}");
        let costs = &standard["costs"];
        assert_eq!(
            (&costs["input"], &costs["cached"], &costs["output"], &costs["reasoning"]),
            (&json!(1_500), &json!(500), &json!(600), &json!(400))
        );
        assert_eq!(sum_of_kinds(costs), 3_000);
        for tier in ["flex", "scale"] {
            let record = of(tier);
            assert_eq!((&record["costMicros"], &record["costs"]), (&Value::Null, &Value::Null), "{record}");
        }
        let sums = bed.planes.admin.get("/admin/usage").await.unwrap();
        assert_eq!((&sums["costMicros"], &sums["unpricedRecords"]), (&json!(3_000), &json!(2)), "{sums}");
        assert_eq!(sum_of_kinds(&sums["costs"]), 3_000);
        let status = bed.planes.admin.get("/admin/status").await.unwrap();
        assert_eq!((&status["counts"]["costMicros"], &status["counts"]["unpricedRecords"]), (&json!(3_000), &json!(2)));
        let nobody = bed.planes.admin.get("/admin/usage?groupId=nobody").await.unwrap();
        assert_eq!((&nobody["records"], &nobody["costMicros"]), (&json!(0), &json!(0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_costs_what_was_generated_and_an_unknown_model_nothing_that_is_known() {
    let provider = provider().await;
    let planes = standalone().start().await.unwrap();
    let models = ["gpt-4o", "nobody-knows-it"];
    planes.admin.create_group(&group("g", &provider.base_url(), &["sk-upstream-0001"], &models)).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "prices" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.script(Target::All, Script { chunks: Some(9), ..Script::new() }.cut(Cut::AfterChunks(4)));
    let mut stream = planes.api().chat_stream(&key.value, &chat("gpt-4o", true)).await.unwrap();
    stream.rest().await.unwrap();
    assert_eq!(planes.api().chat(&key.value, &chat("nobody-knows-it", false)).await.unwrap().status, 200);
    let records = chat_records(&planes, 2, SOON).await.unwrap();
    let of = |model: &str| records.iter().find(|record| record["requestedModel"] == model).unwrap();
    let cut = of("gpt-4o");
    let tokens = |name: &str| cut[name].as_i64().unwrap();
    assert_eq!(cut["usageSource"], "partial");
    assert!(tokens("inputTokens") > 0 && tokens("outputTokens") > 0, "{cut}");
    // 2.50 dollars a million in and 10 out, rounded once.
    let quarters = 10 * tokens("inputTokens") + 40 * tokens("outputTokens");
    assert_eq!(cut["costMicros"], (quarters + 2) / 4, "{cut}");
    assert_eq!(of("nobody-knows-it")["costMicros"], Value::Null);
}

/// Prices that are set for all groups: 2 dollars a million in and 8 out.
fn for_all() -> Value {
    json!({ "vendors": [{
        "providerTypes": ["openai"], "source": "https://relay.test", "lookedUp": "2026-11-30",
        "rows": [{ "models": ["gpt-4o"], "rates": { "input": 2_000_000, "output": 8_000_000 } }],
    }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_sets_counts_in_the_ledger_and_is_told_to_the_client() {
    let provider = provider().await;
    let planes = split(1).start().await.unwrap();
    let mut relay = group("relay", &provider.base_url(), &["sk-upstream-0001"], &["gpt-4o"]);
    relay["priceMultiplier"] = json!("0.35");
    relay["costHeader"] = json!(true);
    let id = planes.admin.create_group(&relay).await.unwrap();
    planes.admin.ok(Method::PUT, "/admin/prices", &for_all()).await.unwrap();
    let key = planes.admin.create_key(&json!({ "name": "prices" })).await.unwrap();
    planes.knows(&key).await.unwrap();
    provider.always(Target::All, answer(&usage(), "default"));
    let told = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    // 1,000 in at 2 dollars and 100 out at 8, and 0.35 of that.
    assert_eq!(told.header("x-orchestration-cost"), "0.000980", "{}", told.text());
    let messages = json!({ "model": "gpt-4o", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi" }] });
    let converted = raw_post("/v1/messages", &key.value, messages.to_string()).unwrap();
    let converted = Connection::to(planes.api().http).fetch(converted).await.unwrap();
    assert_eq!((converted.status, converted.header("x-orchestration-cost")), (200, "0.000980"), "{}", converted.text());
    let records = wait_for(&planes, 2).await;
    for record in &records {
        assert_eq!(record["costMicros"], 980, "{record}");
    }
    let own = json!({ "prices": [{ "models": ["gpt-4o"], "rates": { "input": 1_000_000 } }], "costHeader": false });
    planes.admin.ok(Method::PATCH, &format!("/admin/groups/{id}"), &own).await.unwrap();
    let another = planes.admin.create_key(&json!({ "name": "later" })).await.unwrap();
    planes.knows(&another).await.unwrap();
    let told = planes.api().chat(&key.value, &chat("gpt-4o", false)).await.unwrap();
    assert_eq!(told.header("x-orchestration-cost"), "", "the group says so no more");
    let records = wait_for(&planes, 3).await;
    assert!(records.iter().any(|record| record["costMicros"] == 1_000), "{records:#?}");
}

async fn wait_for(planes: &Planes, count: usize) -> Vec<Value> {
    wait::until_async("the records are in the ledger", SOON, async || {
        let logs = planes.admin.logs().await.ok()?;
        let asked = |record: &Value| record["requestedModel"] == "gpt-4o";
        let of_model: Vec<Value> = logs.into_iter().filter(asked).collect();
        (of_model.len() == count).then_some(of_model)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_priced_again_after_a_correction() {
    let bed = Bed::start(standalone()).await.unwrap();
    bed.provider.always(Target::All, answer(&usage(), "default"));
    for _ in 0..3 {
        bed.chat(&chat("gpt-4o", false)).await.unwrap();
    }
    let records = bed.chat_records(3).await.unwrap();
    let until = 1 + records.iter().filter_map(|record| record["startedAt"].as_i64()).max().unwrap();
    let admin = &bed.planes.admin;
    admin.ok(Method::PUT, "/admin/prices", &for_all()).await.unwrap();
    let asked = json!({ "from": until - 3_600_000, "until": until, "model": "gpt-4o" });
    let run = admin.ok(Method::POST, "/admin/usage/reprice", &asked).await.unwrap();
    let done = wait::until_async("the run is over", SOON, async || {
        let runs = admin.get("/admin/usage/reprice").await.ok()?;
        let found = runs["items"].as_array()?.iter().find(|one| one["id"] == run["id"])?.clone();
        (found["state"] == "done").then_some(found)
    })
    .await
    .unwrap();
    assert_eq!((&done["records"], &done["changed"]), (&json!(3), &json!(3)), "{done}");
    assert_eq!((&done["costMicrosBefore"], &done["costMicrosAfter"]), (&json!(9_000), &json!(8_400)));
    for record in bed.chat_records(3).await.unwrap() {
        assert_eq!((&record["costMicros"], &record["previousCostMicros"]), (&json!(2_800), &json!(3_000)), "{record}");
    }
    let sums = admin.get("/admin/usage").await.unwrap();
    assert_eq!((&sums["costMicros"], sum_of_kinds(&sums["costs"])), (&json!(8_400), 8_400));
    assert_eq!(admin.get("/admin/status").await.unwrap()["counts"]["costMicros"], 8_400);
}
