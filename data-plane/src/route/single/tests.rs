use std::sync::Arc;

use shared::snapshot::{Group, UpstreamKey, UpstreamKeyRouting};

use super::AskedModel;
use crate::route::fixtures::{group, snapshot, upstream_key};
use crate::route::table::RouteTable;

fn table(change: impl FnOnce(&mut Group)) -> RouteTable {
    let mut group = group("g", &["gpt-*", "m", "n"]);
    group.model_aliases.insert("fast".into(), "m-fast".into());
    group.upstream_keys.push(upstream_key("g-2"));
    change(&mut group);
    RouteTable::compile(Arc::new(snapshot([group], [])), None)
}

#[track_caller]
fn model(table: &RouteTable, key: Option<&str>, asked: AskedModel<'_>) -> String {
    table.single("g", key, asked).unwrap().upstream_model.to_string()
}

#[test]
fn a_model_is_found_by_the_names_of_clients_and_of_the_vendor() {
    let table = table(|_| {});
    for (asked, upstream) in [("fast", "m-fast"), ("m", "m"), ("gpt-4o", "gpt-4o"), ("unheard-of", "unheard-of")] {
        assert_eq!(model(&table, None, AskedModel::Named(asked)), upstream);
    }
    assert_eq!(model(&table, None, AskedModel::None), "");
}

#[test]
fn the_usual_model_is_the_test_model_or_the_first_that_the_key_may_be_used_for() {
    assert_eq!(model(&table(|_| {}), None, AskedModel::Usual), "m");
    let tested = table(|group| {
        group.test_model = Some("fast".into());
        let routing = UpstreamKeyRouting { models: vec!["n".into()], ..UpstreamKeyRouting::default() };
        group.upstream_keys.push(Arc::new(UpstreamKey { routing, ..UpstreamKey::clone(&upstream_key("g-3")) }));
    });
    assert_eq!(model(&tested, None, AskedModel::Usual), "m-fast");
    assert_eq!(model(&tested, Some("g-3"), AskedModel::Usual), "n");
    let nothing = table(|group| {
        group.models = vec!["gpt-*".into()];
        group.model_aliases.clear();
    });
    assert!(nothing.single("g", None, AskedModel::Usual).unwrap_err().contains("testModel"));
}

#[test]
fn what_is_remembered_of_a_key_outlives_that_it_is_switched_off() {
    let off = |group: &mut Group| {
        group.upstream_keys[0] = Arc::new(UpstreamKey { enabled: false, ..UpstreamKey::clone(&upstream_key("g-1")) });
    };
    let before = table(|_| {});
    let health = Arc::clone(&before.single("g", Some("g-1"), AskedModel::Usual).unwrap().key.health);
    let mut changed = group("g", &["m"]);
    off(&mut changed);
    let after = RouteTable::compile(Arc::new(snapshot([changed], [])), Some(&before.kept));
    assert!(after.groups()[0].keys.is_empty());
    assert!(Arc::ptr_eq(&after.single("g", Some("g-1"), AskedModel::Usual).unwrap().key.health, &health));
}
