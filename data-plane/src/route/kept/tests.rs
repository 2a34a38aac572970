use std::sync::Arc;

use shared::snapshot::{Group, KeySettings};
use shared::time::steady_ms;

use super::Kept;
use crate::route::fixtures::{group, proxy, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::table::RouteTable;

fn table(group: Group, kept: Option<&Kept>) -> RouteTable {
    RouteTable::compile(Arc::new(snapshot([group], [])), kept)
}

#[test]
fn what_the_config_no_longer_has_is_forgotten() {
    let first = table(group("g", &["m"]), None);
    assert!(first.kept.key("g-1").is_some() && first.kept.group("g").is_some());
    let second = table(group("h", &["m"]), Some(&first.kept));
    assert!(second.kept.key("g-1").is_none() && second.kept.group("g").is_none());
    let mut disabled = group("h", &["m"]);
    disabled.enabled = false;
    let third = table(disabled, Some(&second.kept));
    // What is known of a key outlives that its group is switched off.
    assert!(third.kept.key("h-1").is_some() && third.kept.group("h").is_none());
}

#[test]
fn connections_outlive_a_change_that_leaves_the_way_out() {
    let first = table(group("g", &["m"]), None);
    let mut changed = group("g", &["m", "n"]);
    changed.priority = 3;
    let second = table(changed, Some(&first.kept));
    let exit = |kept: &Kept| Arc::clone(&kept.group("g").unwrap().exit);
    assert!(Arc::ptr_eq(&exit(&first.kept), &exit(&second.kept)));
    assert!(Arc::ptr_eq(&exit(&second.kept), &second.groups()[0].exit));
}

#[test]
fn the_connections_of_a_key_outlive_a_change_that_leaves_its_proxy() {
    let with_proxy = |host: &str, priority| {
        let mut group = group("g", &["m"]);
        group.priority = priority;
        group.upstream_keys.push(upstream_key("g-2"));
        let own = KeySettings { outbound_proxy: Some(proxy(host)), ..KeySettings::default() };
        Arc::make_mut(&mut group.upstream_keys[1]).routing.own = own.or_none();
        group
    };
    let first = table(with_proxy("one.test", 1), None);
    let second = table(with_proxy("one.test", 2), Some(&first.kept));
    let third = table(with_proxy("two.test", 2), Some(&second.kept));
    let exit = |table: &RouteTable, key: usize| Arc::clone(&table.groups()[0].keys[key].exit);
    assert!(Arc::ptr_eq(&exit(&first, 1), &exit(&second, 1)) && !Arc::ptr_eq(&exit(&second, 1), &exit(&third, 1)));
    assert!(Arc::ptr_eq(&exit(&first, 0), &first.groups()[0].exit) && exit(&first, 0).is_direct());
    assert!(!exit(&first, 1).is_direct());
}

#[test]
fn what_another_node_saw_of_an_unknown_key_is_nothing() {
    let table = table(group("g", &["m"]), None);
    let state = |key: &str| KeyState {
        upstream_key_id: key.into(),
        group_id: "g".into(),
        model: "".into(),
        health: Health::Invalid,
        until_ms: 0,
        times: 0,
        reason: "".into(),
        status: 401,
        observed_at_ms: steady_ms(),
    };
    table.kept.observe(&state("another"));
    assert!(table.kept.key("g-1").unwrap().health.at(steady_ms(), "m").is_ok());
    table.kept.observe(&state("g-1"));
    assert!(table.kept.key("g-1").unwrap().health.at(steady_ms(), "m").is_err());
}
