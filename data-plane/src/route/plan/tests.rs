use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use shared::snapshot::{Group, ProxyKey};
use shared::time::steady_ms;

use super::{Plan, SkipReason};
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState, Unhealthy};
use crate::route::owners::Owner;
use crate::route::table::RouteTable;

fn table(groups: impl IntoIterator<Item = Group>, key: ProxyKey) -> RouteTable {
    RouteTable::compile(Arc::new(snapshot(groups, [key])), None)
}

fn plan(table: &RouteTable, key: &ProxyKey, model: &str) -> (Vec<String>, Vec<(String, SkipReason)>) {
    let plan = Plan::make(table, table.client(&key.digest).unwrap(), model);
    let skipped = plan.skipped().iter().map(|skipped| (skipped.group.to_string(), skipped.reason)).collect();
    (plan.map(|candidate| candidate.key.key.id.to_string()).collect(), skipped)
}

fn state(key: &str, health: Health, until_ms: i64) -> KeyState {
    // What is observed later counts more, so each state is newer than the one before.
    static NEWER: AtomicI64 = AtomicI64::new(0);
    let (upstream_key_id, group_id) = (key.into(), "one".into());
    let observed_at_ms = steady_ms() - 900 + NEWER.fetch_add(1, Ordering::Relaxed);
    KeyState {
        upstream_key_id,
        group_id,
        model: "".into(),
        health,
        until_ms,
        times: 0,
        status: 0,
        reason: "".into(),
        observed_at_ms,
    }
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
fn a_client_may_have_other_weights_for_groups_than_these_have() {
    let mut key = key("k", "sk");
    key.group_weights = [("b".into(), 0), ("c".into(), 0), ("gone".into(), 9)].into();
    let mut last = group("z", &["m"]);
    last.priority = -1;
    let table = table([group("b", &["m"]), last, group("a", &["m"]), group("c", &["m"])], key.clone());
    for _ in 0..50 {
        let (candidates, _) = plan(&table, &key, "m");
        assert_eq!((&*candidates[0], &*candidates[3]), ("a-1", "z-1"), "{candidates:?}");
    }
}

#[test]
fn an_alias_leads_to_the_vendors_name() {
    let mut one = group("one", &["gpt-4o"]);
    one.model_aliases.insert("fast".into(), "gpt-4o-mini".into());
    let key = key("k", "sk");
    let table = table([one], key.clone());
    let mut made = Plan::make(&table, table.client(&key.digest).unwrap(), "fast");
    assert_eq!(&*made.next().unwrap().upstream_model, "gpt-4o-mini");
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
    table.kept.observe(&state("one-1", Health::Invalid, 0));
    let (candidates, skipped) = plan(&table, &key, "m");
    assert_eq!(candidates, ["one-2"]);
    assert_eq!(skipped, [("one".to_owned(), SkipReason::Unhealthy(Unhealthy::Invalid))]);

    table.kept.observe(&state("one-2", Health::Guessed, steady_ms() + 60_000));
    // Where all are out, the one that rests by a guess is tried, and the one that was refused is not.
    assert_eq!(plan(&table, &key, "m").0, ["one-2"]);
    table.kept.observe(&state("one-1", Health::Valid, 0));
    table.kept.observe(&state("one-2", Health::Valid, 0));
    assert_eq!(plan(&table, &key, "m").0, ["one-1", "one-2"]);
}

fn owner(group: &str, key: &str) -> Owner {
    Owner { group: group.into(), key: key.into() }
}

#[test]
fn a_plan_is_narrowed_to_the_owners_group_with_its_key_first() {
    let mut first = group("a", &["m"]);
    first.priority = 1;
    first.upstream_keys.push(upstream_key("a-2"));
    first.priority = 1;
    let key = key("k", "sk");
    let table = table([first, group("b", &["m"])], key.clone());
    let narrowed = |owner: Owner| {
        let mut plan = Plan::make(&table, table.client(&key.digest).unwrap(), "m");
        let found = plan.narrow(&owner);
        (found, plan.map(|candidate| candidate.key.key.id.to_string()).collect::<Vec<_>>())
    };
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(narrowed(owner("a", "a-2")), (true, keys(&["a-2", "a-1"])));
    assert_eq!(narrowed(owner("b", "gone")), (true, keys(&["b-1"])));
    assert_eq!(narrowed(owner("z", "z-1")), (false, keys(&["a-1", "a-2", "b-1"])));
    // A group whose keys are all out has no candidate.
    table.kept.observe(&state("b-1", Health::Invalid, 0));
    assert_eq!(narrowed(owner("b", "b-1")), (false, keys(&["a-1", "a-2"])));
    // Where all are out, the last resort is narrowed to the keys of the owner's group.
    table.kept.observe(&state("a-2", Health::Invalid, 0));
    table.kept.observe(&state("a-1", Health::Invalid, 0));
    assert_eq!(narrowed(owner("a", "a-2")), (true, keys(&["a-2", "a-1"])));
    assert_eq!(narrowed(owner("b", "b-1")), (true, keys(&["b-1"])));
    assert_eq!(narrowed(owner("z", "z-1")), (false, keys(&["b-1", "a-2", "a-1"])));
}

#[test]
fn a_key_that_goes_out_before_its_turn_is_passed_over() {
    let mut one = group("one", &["m"]);
    one.upstream_keys.extend([upstream_key("one-2"), upstream_key("one-3")]);
    let key = key("k", "sk");
    let table = table([one], key.clone());
    let client = table.client(&key.digest).unwrap();
    let mut plan = Plan::make(&table, client, "m");
    assert!(plan.has_choice());
    assert_eq!(plan.first(), Some(owner("one", "one-1")));
    let mut next = || plan.next().map(|candidate| candidate.key.key.id.to_string());
    assert_eq!(next().as_deref(), Some("one-1"));
    table.kept.observe(&state("one-1", Health::Invalid, 0));
    table.kept.observe(&state("one-2", Health::Invalid, 0));
    assert_eq!(next().as_deref(), Some("one-3"));
    assert_eq!((next(), next()), (None, None));

    table.kept.observe(&state("one-3", Health::Invalid, 0));
    let mut last_resort = Plan::make(&table, client, "m");
    assert!(!last_resort.has_choice() && !last_resort.is_empty());
    assert_eq!(last_resort.first(), Some(owner("one", "one-1")));
    let mut next = || last_resort.next().map(|candidate| candidate.key.key.id.to_string());
    assert_eq!([next(), next(), next()].map(Option::unwrap), ["one-1", "one-2", "one-3"]);
    assert_eq!(next(), None);
}

#[test]
fn with_all_keys_out_those_that_rest_by_a_guess_are_given_the_soonest_before_the_others() {
    let mut one = group("one", &["m"]);
    one.upstream_keys.extend([upstream_key("one-2"), upstream_key("one-3")]);
    let mut two = group("two", &["m"]);
    two.priority = -1;
    let key = key("k", "sk");
    let table = table([one, two], key.clone());
    table.kept.observe(&state("one-1", Health::Invalid, 0));
    table.kept.observe(&state("one-2", Health::Guessed, steady_ms() + 60_000));
    table.kept.observe(&state("one-3", Health::Guessed, steady_ms() + 40_000));
    table.kept.observe(&state("two-1", Health::Guessed, steady_ms() + 50_000));
    assert_eq!(plan(&table, &key, "m").0, ["one-3", "two-1", "one-2"]);
    let client = table.client(&key.digest).unwrap();
    assert_eq!(Plan::make(&table, client, "m").all_out(steady_ms()), None);

    // What a provider itself has said is never broken.
    table.kept.observe(&state("one-3", Health::CoolingDown, steady_ms() + 40_000));
    table.kept.observe(&state("one-1", Health::Exhausted, steady_ms() + 50_000));
    assert_eq!(plan(&table, &key, "m").0, ["two-1", "one-2"]);
    table.kept.observe(&state("one-2", Health::CoolingDown, steady_ms() + 30_000));
    table.kept.observe(&state("two-1", Health::CoolingDown, steady_ms() + 20_000));
    assert_eq!(plan(&table, &key, "m").0, Vec::<String>::new());
    let out = Plan::make(&table, client, "m").all_out(steady_ms()).unwrap();
    let pause = (out.until - steady_ms()) / 1000;
    assert!((18..=20).contains(&pause), "{pause}");
    // That one has no money is no rate limit.
    assert_eq!((out.awaited, out.limited), (None, false));
}

#[test]
fn a_key_that_is_out_for_one_model_serves_the_others() {
    let mut one = group("one", &["m", "n"]);
    one.upstream_keys.push(upstream_key("one-2"));
    let key = key("k", "sk");
    let table = table([one], key.clone());
    table.kept.observe(&KeyState { model: "m".into(), ..state("one-1", Health::Invalid, 0) });
    assert_eq!(plan(&table, &key, "m").0, ["one-2"]);
    assert_eq!(plan(&table, &key, "n").0, ["one-1", "one-2"]);
}

/// The keys of the candidates of `key` for `model`, or the code of the error.
fn served(table: &RouteTable, key: &ProxyKey, model: &str) -> Result<Vec<(String, String)>, &'static str> {
    let plan = Plan::serving(table, table.client(&key.digest).unwrap(), model).map_err(|error| error.code())?;
    let named = |candidate: crate::route::candidate::Candidate| {
        (candidate.key.key.id.to_string(), candidate.upstream_model.to_string())
    };
    Ok(plan.map(named).collect())
}

#[test]
fn a_prefix_names_the_group_or_the_vendor() {
    let mut first = group("first", &["m", "meta-llama/Llama-3"]);
    first.priority = 9;
    let mut second = group("second", &["m", "claude-*"]);
    second.provider_type = "anthropic".into();
    second.model_aliases.insert("fast".into(), "m".into());
    let mut any = group("any", &["*"]);
    any.priority = -1;
    let mut key = key("k", "sk");
    let groups = || [first.clone(), second.clone(), any.clone()];
    let of = |pairs: &[(&str, &str)]| -> Result<Vec<(String, String)>, &'static str> {
        Ok(pairs.iter().map(|(key, model)| ((*key).to_owned(), (*model).to_owned())).collect())
    };
    let all = table(groups(), key.clone());
    assert_eq!(served(&all, &key, "second/m"), of(&[("second-1", "m")]));
    assert_eq!(served(&all, &key, "second/fast"), of(&[("second-1", "m")]));
    assert_eq!(served(&all, &key, "anthropic/claude-9"), of(&[("second-1", "claude-9")]));
    // The exact name counts first, and a pattern last.
    let llama = [("first-1", "meta-llama/Llama-3"), ("any-1", "meta-llama/Llama-3")];
    assert_eq!(served(&all, &key, "meta-llama/Llama-3"), of(&llama));
    assert_eq!(served(&all, &key, "first/meta-llama/Llama-3"), of(&llama[..1]));
    assert_eq!(served(&all, &key, "unknown/m"), of(&[("any-1", "unknown/m")]));

    // What the key may ask for is the name behind the prefix, and a group that it may not use has no name.
    key.allowed_models = vec!["m".into()];
    let limited = table(groups(), key.clone());
    assert_eq!(served(&limited, &key, "second/m"), of(&[("second-1", "m")]));
    assert_eq!(served(&limited, &key, "second/fast"), Err("model_not_found"));
    (key.allowed_models, key.allowed_groups) = (Vec::new(), vec!["first".into()]);
    let limited = table(groups(), key.clone());
    assert_eq!(served(&limited, &key, "second/m"), Err("model_not_found"));
}
