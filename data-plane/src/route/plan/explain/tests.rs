use std::sync::Arc;

use serde_json::{Value, json};
use shared::snapshot::{BalancePolicy, Group, GroupPolicy, ProxyKey};
use shared::time::{now_ms, steady_ms};

use super::{Explanation, Plan};
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::needs::Needs;
use crate::route::table::RouteTable;

fn table(groups: impl IntoIterator<Item = Group>, key: &ProxyKey) -> RouteTable {
    RouteTable::compile(Arc::new(snapshot(groups, [key.clone()])), None)
}

fn explained(table: &RouteTable, key: &ProxyKey, model: &str) -> Value {
    let client = table.client(&key.digest).unwrap();
    serde_json::to_value(Explanation::of(table, client, model, Needs::default(), None)).unwrap()
}

/// The reason of each group or key that is left out, by its name.
fn reasons(explained: &Value) -> Vec<(String, String)> {
    let name = |skip: &Value| skip["upstreamKeyId"].as_str().or(skip["groupId"].as_str()).unwrap().to_owned();
    let skipped = explained["skipped"].as_array().unwrap().iter();
    let mut reasons: Vec<_> = skipped.map(|skip| (name(skip), skip["reason"].as_str().unwrap().to_owned())).collect();
    reasons.sort();
    reasons
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, reason)| ((*name).to_owned(), (*reason).to_owned())).collect()
}

fn candidates(explained: &Value) -> Vec<&str> {
    let candidates = explained["candidates"].as_array().unwrap().iter();
    candidates.map(|candidate| candidate["upstreamKeyId"].as_str().unwrap()).collect()
}

/// What the node `n` saw of a key just now.
fn seen(upstream_key: &str, health: Health, until_ms: i64) -> KeyState {
    KeyState {
        upstream_key_id: upstream_key.into(),
        group_id: "one".into(),
        model: "".into(),
        health,
        until_ms,
        status: 429,
        times: 0,
        reason: "".into(),
        observed_at_ms: steady_ms(),
    }
}

#[test]
fn every_group_and_key_that_is_left_out_has_its_reason() {
    let mut one = group("one", &["m"]);
    one.upstream_keys.extend(["one-2", "one-3", "one-4", "one-5"].map(upstream_key));
    let change = |key: &mut Arc<_>, change: fn(&mut shared::snapshot::UpstreamKey)| change(Arc::make_mut(key));
    change(&mut one.upstream_keys[1], |key| key.enabled = false);
    change(&mut one.upstream_keys[2], |key| key.routing.expires_at_ms = Some(1));
    change(&mut one.upstream_keys[3], |key| key.routing.denied_models = vec!["m".into()]);
    let mut off = group("off", &["m"]);
    off.enabled = false;
    let mut foreign = group("foreign", &["m"]);
    foreign.provider_type = "of_another_build".into();
    let mut empty = group("empty", &["m"]);
    empty.upstream_keys.clear();
    let mut key = key("k", "sk");
    key.allowed_groups = ["one", "off", "foreign", "empty", "other"].map(Into::into).to_vec();
    let groups = [one, off, foreign, empty, group("other", &["n"]), group("forbidden", &["m"])];
    let table = table(groups, &key);
    table.kept.observe(&seen("one-5", Health::CoolingDown, steady_ms() + 60_000));
    let plan = explained(&table, &key, "m");
    assert_eq!(candidates(&plan), ["one-1"]);
    let expected = [
        ("empty", "no_keys"),
        ("forbidden", "not_allowed"),
        ("foreign", "unknown_provider"),
        ("off", "disabled"),
        ("one-2", "disabled"),
        ("one-3", "expired"),
        ("one-4", "not_for_model"),
        ("one-5", "cooling"),
        ("other", "model_not_served"),
    ];
    assert_eq!(reasons(&plan), pairs(&expected));
    let cooling = plan["skipped"].as_array().unwrap().iter().find(|skip| skip["reason"] == "cooling").unwrap();
    let until = cooling["until"].as_i64().unwrap() - now_ms();
    assert!((50_000..=60_000).contains(&until), "{until}");
    assert_eq!((&plan["refused"], &plan["lastResort"]), (&Value::Null, &json!(false)));
}

#[test]
fn a_breaker_that_is_open_is_a_reason_with_a_time() {
    let key = key("k", "sk");
    let table = table([group("one", &["m"]), group("two", &["m"])], &key);
    let breaker = &table.routes("m")[0].state.breaker;
    while !breaker.failed(steady_ms(), 0) {}
    let plan = explained(&table, &key, "m");
    assert_eq!(candidates(&plan), ["two-1"]);
    assert_eq!(reasons(&plan), pairs(&[("one-1", "failing")]));
    assert!(plan["skipped"][0]["until"].as_i64() > Some(now_ms()));
}

#[test]
fn where_all_are_out_they_are_candidates_nevertheless() {
    let key = key("k", "sk");
    let table = table([group("one", &["m"])], &key);
    table.kept.observe(&seen("one-1", Health::Invalid, 0));
    let plan = explained(&table, &key, "m");
    assert_eq!((candidates(&plan), &plan["lastResort"]), (vec!["one-1"], &json!(true)));
    assert_eq!(reasons(&plan), pairs(&[("one-1", "invalid")]));
}

#[test]
fn a_key_that_may_not_ask_has_no_candidates() {
    let mut limited = key("k", "sk");
    limited.allowed_models = vec!["n".into()];
    let other = table([group("one", &["m"])], &limited);
    let plan = explained(&other, &limited, "m");
    assert_eq!((candidates(&plan), &plan["refused"]), (vec![], &json!("not_allowed")));
    limited.enabled = false;
    let other = table([group("one", &["n"])], &limited);
    assert_eq!(explained(&other, &limited, "n")["refused"], "invalid_key");
}

#[test]
fn asking_takes_no_turn() {
    let mut key = key("k", "sk");
    key.group_policy = GroupPolicy::RoundRobin;
    let mut one = group("one", &["m"]);
    one.balance_policy = BalancePolicy::RoundRobin;
    one.upstream_keys.push(upstream_key("one-2"));
    let table = table([one, group("two", &["m"])], &key);
    let client = table.client(&key.digest).unwrap();
    for _ in 0..5 {
        let plan = explained(&table, &key, "m");
        assert_eq!(explained(&table, &key, "m"), plan);
        let made: Vec<_> = Plan::make(&table, client, "m").map(|candidate| candidate.key.key.id.to_string()).collect();
        assert_eq!(candidates(&plan), made, "what is explained is what comes");
    }
}

#[test]
fn each_candidate_shows_what_a_typical_request_costs_there() {
    let mut key = key("k", "sk");
    let priced = |policy: GroupPolicy, key: &mut ProxyKey| {
        key.group_policy = policy;
        let mut relay = group("relay", &["gpt-6.1-terra"]);
        relay.provider_type = "openai_compatible".into();
        let table = table([relay, group("vendor", &["gpt-6.1-terra"])], key);
        table.routes("gpt-6.1-terra")[1].state.cached.reported(1_000_000, 900_000);
        let plan = explained(&table, key, "gpt-6.1-terra");
        let candidates = plan["candidates"].as_array().unwrap().iter();
        candidates
            .map(|candidate| (candidate["groupId"].to_string(), candidate["effectivePriceMicros"].clone()))
            .collect::<Vec<_>>()
    };
    let (vendor, relay) = (("\"vendor\"".to_owned(), json!(1_358_750)), ("\"relay\"".to_owned(), Value::Null));
    assert_eq!(priced(GroupPolicy::Cost, &mut key), [vendor.clone(), relay.clone()]);
    // It is shown whatever the policy, but decides nothing then.
    assert_eq!(priced(GroupPolicy::LeastUsed, &mut key).len(), 2);
    assert!(priced(GroupPolicy::LeastUsed, &mut key).contains(&vendor));
}
