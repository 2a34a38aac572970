use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::json;
use shared::snapshot::{Group, ProxyKey};

use super::Caching;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::plan::Hints;
use crate::route::table::RouteTable;

const MINUTE: Duration = Duration::from_mins(1);

/// What is asked of a table of the groups `a` and `b`, after `change`.
fn of<T>(change: impl FnOnce(&mut Group, &mut Group, &mut ProxyKey), ask: impl FnOnce(Option<Caching<'_>>) -> T) -> T {
    let (mut one, mut other, mut key) = (group("a", &["m"]), group("b", &["m", "n"]), key("k", "sk"));
    change(&mut one, &mut other, &mut key);
    let table = RouteTable::compile(Arc::new(snapshot([one, other], [key.clone()])), None);
    let headers = HeaderMap::new();
    ask(Caching::of(&table, table.client(&key.digest).unwrap(), "m", &Hints::of(&headers)))
}

fn config(change: impl FnOnce(&mut Group, &mut Group, &mut ProxyKey)) -> u128 {
    let cached = |one: &mut Group, other: &mut Group, key: &mut ProxyKey| {
        key.routing.cache = MINUTE;
        change(one, other, key);
    };
    of(cached, |caching| caching.unwrap().config)
}

#[test]
fn it_is_off_unless_the_key_or_a_group_that_serves_has_it() {
    assert!(of(|_, _, _| {}, |caching| caching.is_none()));
    assert!(of(|_, _, key| key.routing.cache = MINUTE, |caching| caching.is_some()));
    assert!(of(|_, other, _| other.routing.cache = MINUTE, |caching| caching.is_some()));
    let elsewhere = |_: &mut Group, other: &mut Group, _: &mut ProxyKey| {
        other.routing.cache = MINUTE;
        other.models = vec!["n".into()];
    };
    assert!(of(elsewhere, |caching| caching.is_none()));
    let forbidden = |_: &mut Group, other: &mut Group, key: &mut ProxyKey| {
        other.routing.cache = MINUTE;
        key.allowed_groups = vec!["a".into()];
    };
    assert!(of(forbidden, |caching| caching.is_none()));
    let no_model = |_: &mut Group, _: &mut Group, key: &mut ProxyKey| {
        key.routing.cache = MINUTE;
        key.allowed_models = vec!["n".into()];
    };
    assert!(of(no_model, |caching| caching.is_none()));
}

#[test]
fn the_time_of_the_key_counts_before_that_of_a_group() {
    let time = |of_key: Duration, of_group: Duration| {
        let change = |one: &mut Group, _: &mut Group, key: &mut ProxyKey| {
            (one.routing.cache, key.routing.cache) = (of_group, of_key);
        };
        of(change, |caching| {
            let caching = caching.unwrap();
            (caching.time(&caching.table.groups()[0].group), caching.time(&caching.table.groups()[1].group))
        })
    };
    assert_eq!(time(MINUTE, 2 * MINUTE), (MINUTE, MINUTE));
    assert_eq!(time(Duration::ZERO, MINUTE), (MINUTE, Duration::ZERO));
}

#[test]
fn what_changes_answers_changes_the_identity_of_the_config_and_nothing_else_does() {
    let plain = config(|_, _, _| {});
    assert_eq!(plain, config(|_, _, _| {}));
    let changes: [fn(&mut Group, &mut Group, &mut ProxyKey); 9] = [
        |one, _, _| drop(one.model_aliases.insert("m".into(), "other".into())),
        |one, _, _| drop(one.parameter_overrides.insert("temperature".into(), json!(0))),
        |one, _, _| drop(one.parameter_defaults.insert("temperature".into(), json!(0))),
        |one, _, _| drop(one.headers.insert("x-a".into(), "1".into())),
        |one, _, _| one.base_url = "http://127.0.0.1:10/v1".into(),
        |one, _, _| drop(one.routing.fallbacks.models.insert("m".into(), vec!["n".into()])),
        |_, _, key| drop(key.routing.fallbacks.models.insert("m".into(), vec!["n".into()])),
        |_, other, _| other.enabled = false,
        |_, other, _| other.priority = 5,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_ne!(config(change), plain, "change {number}");
    }
    let same = config(|one, _, key| {
        one.routing.weight = 9;
        one.timeout = MINUTE * 9;
        one.routing.cache = 5 * MINUTE;
        one.upstream_keys.push(crate::route::fixtures::upstream_key("a-2"));
        key.name = "another".into();
    });
    assert_eq!(same, plain);
}

#[test]
fn what_was_kept_holds_as_long_as_its_maker_may_serve_as_it_did() {
    let cached = |_: &mut Group, _: &mut Group, key: &mut ProxyKey| {
        key.routing.cache = MINUTE;
        key.allowed_models = vec!["m".into()];
    };
    of(cached, |caching| {
        let caching = caching.unwrap();
        let identity = caching.table.groups()[0].identity();
        assert!(caching.holds("a", identity, None) && caching.holds("a", identity, Some("m")));
        assert!(!caching.holds("a", identity + 1, None));
        assert!(!caching.holds("gone", identity, None));
        assert!(!caching.holds("a", identity, Some("n")), "a model that the key may not ask for");
    });
}
