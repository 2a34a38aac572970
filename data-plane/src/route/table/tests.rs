use std::sync::Arc;

use serde_json::json;
use shared::time::now_ms;

use super::RouteTable;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::health::{Health, KeyState};

#[test]
fn what_was_learnt_about_a_key_outlives_a_change_of_config() {
    let before = RouteTable::compile(Arc::new(snapshot([group("g", &["m"])], [])), None);
    before.kept.observe(&KeyState {
        upstream_key_id: "g-1".into(),
        group_id: "g".into(),
        health: Health::Invalid,
        until_ms: 0,
        status: 401,
        observed_at_ms: now_ms(),
    });
    let after = RouteTable::compile(Arc::new(snapshot([group("g", &["m", "n"])], [])), Some(&before.kept));
    assert!(after.routes("n")[0].group.keys[0].health.at(now_ms()).is_err());
    let new_key = RouteTable::compile(Arc::new(snapshot([group("h", &["m"])], [])), Some(&after.kept));
    assert!(new_key.routes("m")[0].group.keys[0].health.at(now_ms()).is_ok());
}

#[test]
fn config_cannot_set_what_routing_depends_on() {
    let mut one = group("g", &["m"]);
    one.parameter_defaults = json!({ "temperature": 0.5, "stream": true, "model": "x" }).as_object().unwrap().clone();
    let table = RouteTable::compile(Arc::new(snapshot([one], [])), None);
    assert_eq!(table.routes("m")[0].group.defaults, [("temperature".to_owned(), "0.5".to_owned())]);
}

#[test]
fn a_key_may_be_bound_to_models_and_groups() {
    let mut bound = key("bound", "sk-1");
    bound.allowed_models = vec!["m".into()];
    bound.allowed_groups = vec!["g".into()];
    let free = key("free", "sk-2");
    let digests = [bound.digest, free.digest];
    let table = RouteTable::compile(Arc::new(snapshot([], [bound, free])), None);
    let [bound, free] = digests.map(|digest| table.client(&digest).unwrap());
    assert!(bound.may_use_model("m") && !bound.may_use_model("n"));
    assert!(bound.may_use_group("g") && !bound.may_use_group("h"));
    assert!(free.may_use_model("n") && free.may_use_group("h"));
}
