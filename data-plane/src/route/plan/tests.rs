use std::sync::Arc;

use shared::pb;
use shared::snapshot::{Group, ProxyKey};
use shared::time::now_ms;

use super::{Plan, SkipReason};
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::Unhealthy;
use crate::route::table::RouteTable;

fn table(groups: impl IntoIterator<Item = Group>, key: ProxyKey) -> RouteTable {
    RouteTable::compile(Arc::new(snapshot(groups, [key])), None)
}

fn plan(table: &RouteTable, key: &ProxyKey, model: &str) -> (Vec<String>, Vec<(String, SkipReason)>) {
    let plan = Plan::make(table, table.client(&key.digest).unwrap(), model);
    let candidates = plan.candidates.iter().map(|candidate| candidate.key.key.id.to_string()).collect();
    (candidates, plan.skipped.iter().map(|skipped| (skipped.group.to_string(), skipped.reason)).collect())
}

fn state(key: &str, health: pb::key_state::Health, until_ms: i64) -> pb::KeyState {
    pb::KeyState { upstream_key_id: key.to_owned(), health: health.into(), until_ms, ..pb::KeyState::default() }
}

#[test]
fn groups_go_by_priority_and_keys_in_order() {
    let mut low = group("low", &["m"]);
    low.upstream_keys.push(upstream_key("low-2"));
    let mut high = group("high", &["m"]);
    high.priority = 5;
    let other = group("other", &["n"]);
    let mut disabled = group("disabled", &["m"]);
    disabled.enabled = false;
    let key = key("k", "sk");
    let table = table([low, high, other, disabled], key.clone());
    assert_eq!(plan(&table, &key, "m").0, ["high-1", "low-1", "low-2"]);
    assert_eq!(plan(&table, &key, "unknown").0, Vec::<String>::new());
}

#[test]
fn an_alias_leads_to_the_vendors_name() {
    let mut one = group("one", &["gpt-4o"]);
    one.model_aliases.insert("fast".into(), "gpt-4o-mini".into());
    let key = key("k", "sk");
    let table = table([one], key.clone());
    let made = Plan::make(&table, table.client(&key.digest).unwrap(), "fast");
    assert_eq!(&*made.candidates[0].upstream_model, "gpt-4o-mini");
}

#[test]
fn what_is_left_out_has_its_reason() {
    let mut foreign = group("foreign", &["m"]);
    foreign.provider_type = "of_another_build".into();
    let mut empty = group("empty", &["m"]);
    empty.upstream_keys.clear();
    let forbidden = group("forbidden", &["m"]);
    let mut key = key("k", "sk");
    key.allowed_groups = vec!["foreign".into(), "empty".into()];
    let table = table([foreign, empty, forbidden], key.clone());
    let (candidates, mut skipped) = plan(&table, &key, "m");
    assert!(candidates.is_empty());
    skipped.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("empty", SkipReason::NoKeys),
        ("forbidden", SkipReason::NotAllowed),
        ("foreign", SkipReason::UnknownProvider),
    ];
    assert_eq!(skipped, expected.map(|(name, reason)| (name.to_owned(), reason)));
}

#[test]
fn keys_that_are_out_wait_until_no_other_is_left() {
    let mut one = group("one", &["m"]);
    one.upstream_keys.push(upstream_key("one-2"));
    let key = key("k", "sk");
    let table = table([one], key.clone());
    table.apply_key_state(&state("one-1", pb::key_state::Health::Invalid, 0));
    let (candidates, skipped) = plan(&table, &key, "m");
    assert_eq!(candidates, ["one-2"]);
    assert_eq!(skipped, [("one".to_owned(), SkipReason::Unhealthy(Unhealthy::Invalid))]);

    table.apply_key_state(&state("one-2", pb::key_state::Health::CoolingDown, now_ms() + 60_000));
    assert_eq!(plan(&table, &key, "m").0, ["one-1"]);
    table.apply_key_state(&state("one-1", pb::key_state::Health::Valid, 0));
    table.apply_key_state(&state("one-2", pb::key_state::Health::Valid, 0));
    assert_eq!(plan(&table, &key, "m").0, ["one-1", "one-2"]);
}
