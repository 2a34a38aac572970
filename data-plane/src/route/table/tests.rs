use std::sync::Arc;

use serde_json::json;
use shared::snapshot::{ErrorRule, Snapshot};
use shared::time::steady_ms;

use super::RouteTable;
use crate::route::client::Client;
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};

/// That the provider has refused `key` of `group` just now.
fn refused(key: &str, group: &str) -> KeyState {
    KeyState {
        upstream_key_id: key.into(),
        group_id: group.into(),
        model: "".into(),
        health: Health::Invalid,
        until_ms: 0,
        times: 0,
        reason: "".into(),
        status: 401,
        observed_at_ms: steady_ms(),
    }
}

#[test]
fn what_was_learnt_about_a_key_outlives_a_change_of_config() {
    let before = RouteTable::compile(Arc::new(snapshot([group("g", &["m"])], [])), None);
    before.kept.observe(&refused("g-1", "g"));
    let after = RouteTable::compile(Arc::new(snapshot([group("g", &["m", "n"])], [])), Some(&before.kept));
    assert!(after.routes("n")[0].group.keys[0].health.at(steady_ms(), "m").is_err());
    let new_key = RouteTable::compile(Arc::new(snapshot([group("h", &["m"])], [])), Some(&after.kept));
    assert!(new_key.routes("m")[0].group.keys[0].health.at(steady_ms(), "m").is_ok());
}

#[test]
fn config_cannot_set_what_routing_depends_on() {
    let mut one = group("g", &["m"]);
    one.parameter_defaults = json!({ "temperature": 0.5, "stream": true, "model": "x" }).as_object().unwrap().clone();
    let table = RouteTable::compile(Arc::new(snapshot([one], [])), None);
    assert_eq!(table.routes("m")[0].group.extras.defaults, [("temperature".to_owned(), "0.5".to_owned())]);
}

#[test]
fn a_key_may_be_bound_to_models_and_groups() {
    let mut bound = key("bound", "sk-1");
    bound.allowed_models = vec!["m".into()];
    bound.allowed_groups = vec!["g".into()];
    let free = key("free", "sk-2");
    let mut elsewhere = key("elsewhere", "sk-3");
    elsewhere.allowed_groups = vec!["gone".into()];
    let digests = [bound.digest, free.digest, elsewhere.digest];
    let groups = [group("g", &["m"]), group("h", &["m"])];
    let table = RouteTable::compile(Arc::new(snapshot(groups, [bound, free, elsewhere])), None);
    let [bound, free, elsewhere] = digests.map(|digest| table.client(&digest).unwrap());
    assert!(bound.may_use_model("m") && !bound.may_use_model("n"));
    assert!(free.may_use_model("n"));
    let groups = |client: &Client| -> Vec<&str> {
        let places = table.groups().iter().enumerate().filter(|(place, _)| client.may_use_group(*place));
        places.map(|(_, group)| &*group.group.id).collect()
    };
    assert_eq!([groups(bound), groups(free)], [vec!["g"], vec!["g", "h"]]);
    assert!(groups(elsewhere).is_empty(), "it may use one group alone, and that is gone");
}

fn upstream(table: &RouteTable, model: &str) -> Vec<(String, String)> {
    let routes = table.routes(model);
    routes.iter().map(|route| (route.group.group.id.to_string(), route.upstream_model.to_string())).collect()
}

fn pair(group: &str, model: &str) -> (String, String) {
    (group.to_owned(), model.to_owned())
}

#[test]
fn a_name_goes_to_the_exact_model_then_the_alias_then_the_longest_pattern() {
    let mut one = group("g", &["gpt-4o", "gpt-*", "*"]);
    for (alias, model) in [("fast", "gpt-4o-mini"), ("claude-*", "gpt-4o"), ("claude-opus-*", "o3"), ("gpt-5*", "o4")] {
        one.model_aliases.insert(alias.into(), model.into());
    }
    one.model_aliases.insert("mine/*".into(), "*".into());
    one.model_aliases.insert("old-*".into(), "new-*".into());
    let table = RouteTable::compile(Arc::new(snapshot([one], [])), None);
    for (asked, served) in [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024", "gpt-4o-2024"),
        ("gpt-5-mini", "o4"),
        ("fast", "gpt-4o-mini"),
        ("claude-sonnet-4-5", "gpt-4o"),
        ("claude-", "gpt-4o"),
        ("claude-opus-4", "o3"),
        ("mine/llama", "llama"),
        ("old-7", "new-7"),
        ("anything", "anything"),
    ] {
        assert_eq!(upstream(&table, asked), [pair("g", served)], "{asked}");
    }
    for nothing in ["", "gpt-*", "*"] {
        assert_eq!(upstream(&table, nothing), [], "{nothing}");
    }
    let mut listed: Vec<_> = table.models().map(|(name, _)| name.to_string()).collect();
    listed.sort();
    assert_eq!(listed, ["fast", "gpt-4o"], "patterns are not listed");
}

#[test]
fn groups_that_serve_by_name_and_by_pattern_stand_in_the_order_of_priority() {
    let mut high = group("high", &["*"]);
    high.priority = 9;
    let low = group("low", &["gpt-4o"]);
    let mut other = group("other", &["claude-*"]);
    other.priority = 5;
    let table = RouteTable::compile(Arc::new(snapshot([low, other, high], [])), None);
    assert_eq!(upstream(&table, "gpt-4o"), [pair("high", "gpt-4o"), pair("low", "gpt-4o")]);
    assert_eq!(upstream(&table, "claude-1"), [pair("high", "claude-1"), pair("other", "claude-1")]);
    assert_eq!(upstream(&table, "gpt-4o-mini"), [pair("high", "gpt-4o-mini")]);
}

#[test]
fn a_key_may_be_bound_to_patterns_of_models() {
    let mut bound = key("bound", "sk-1");
    bound.allowed_models = vec!["gpt-4*".into(), "m".into()];
    let mut all = key("all", "sk-2");
    all.allowed_models = vec!["*".into()];
    let digests = [bound.digest, all.digest];
    let table = RouteTable::compile(Arc::new(snapshot([], [bound, all])), None);
    let [bound, all] = digests.map(|digest| table.client(&digest).unwrap());
    for (model, may) in [("gpt-4o", true), ("gpt-4", true), ("m", true), ("gpt-5", false), ("mm", false), ("", false)] {
        assert_eq!(bound.may_use_model(model), may, "{model}");
    }
    assert!(all.may_use_model("anything"));
}

#[test]
fn p30_a_group_that_nothing_may_be_sent_for_does_not_stop_the_others() {
    let mut bad =
        [group("metadata", &["m"]), group("port", &["m"]), group("proxy", &["m"]), group("star", &["a*b", "m"])];
    bad[0].base_url = "http://2852039166/v1".into();
    bad[1].base_url = "http://host.test:99999/v1".into();
    bad[2].outbound_proxy = Some(shared::snapshot::OutboundProxy {
        scheme: shared::snapshot::ProxyScheme::Http,
        host: "metadata.google.internal".to_owned(),
        port: 80,
        username: String::new(),
        password: "".into(),
        bypass_local: false,
        bypass_domains: Vec::new(),
    });
    let snapshot = snapshot(bad.into_iter().chain([group("good", &["m"])]), []);
    snapshot.validate().unwrap();
    let table = RouteTable::compile(Arc::new(snapshot), None);
    assert_eq!(upstream(&table, "m"), [pair("good", "m")]);
    assert_eq!(table.groups().len(), 1);
}

#[test]
fn headers_that_no_group_may_set_are_left_out() {
    let mut one = group("g", &["m"]);
    for name in ["x-orchestration-hops", "host", "connection", "x-api-key", "cookie", "x-title", "authorization"] {
        one.headers.insert(name.to_owned(), "v".into());
    }
    let table = RouteTable::compile(Arc::new(snapshot([one], [])), None);
    let mut names: Vec<_> = table.routes("m")[0].group.extras.headers.keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["authorization", "x-title"], "the place of the vendor's own credential stays the operator's");
}

#[test]
fn each_way_to_a_model_has_the_price_of_its_own_vendor() {
    let of = |id: &str, provider_type: &str, model: &str| {
        let mut one = group(id, &[model, "*"]);
        one.provider_type = provider_type.into();
        one.model_aliases.insert("fast".into(), model.into());
        one
    };
    let groups = [
        of("a", "openai", "gpt-6-luna"),
        of("b", "anthropic", "claude-haiku-5-5"),
        of("c", "openai_compatible", "gpt-6-luna"),
        of("d", "openai", "our-own"),
    ];
    let table = RouteTable::compile(Arc::new(snapshot(groups, [])), None);
    let prices = |model: &str| -> Vec<Option<u64>> {
        let now = shared::time::now_ms();
        table.routes(model).iter().map(|route| route.price.as_ref()?.effective_micros(0, now)).collect()
    };
    assert_eq!(prices("fast"), [Some(200_000), Some(200_000), None, None]);
    // A name that only a pattern fits is priced as well.
    assert_eq!(prices("gpt-5-nano-2025-08-07"), [Some(137_500), None, None, Some(137_500)]);
}

#[test]
fn a_group_that_has_not_changed_is_not_compiled_again() {
    let before = Arc::new(snapshot([group("same", &["m"]), group("other", &["m"])], [key("k", "sk")]));
    let first = RouteTable::compile(Arc::clone(&before), None);
    let mut after = Snapshot::clone(&before);
    let mut changed = group("other", &["m", "n"]);
    changed.upstream_keys.push(upstream_key("other-2"));
    after.groups.insert("other".into(), Arc::new(changed));
    let second = RouteTable::compile(Arc::new(after.clone()), Some(&first.kept));
    let of = |table: &RouteTable, id: &str| {
        Arc::clone(table.groups().iter().find(|group| &*group.group.id == id).expect("the group"))
    };
    assert!(Arc::ptr_eq(&of(&first, "same"), &of(&second, "same")));
    assert_eq!(of(&second, "other").keys.len(), 2);
    // What is learnt of its keys is still taken in, and so it is by the next config.
    second.kept.observe(&refused("same-1", "same"));
    assert!(of(&second, "same").keys[0].health.at(steady_ms(), "m").is_err());
    // Rules for every group are among what a group is compiled to.
    after.error_rules = Arc::new([ErrorRule::default()]);
    let third = RouteTable::compile(Arc::new(after), Some(&second.kept));
    assert_eq!(of(&third, "same").error_rules.len(), 1);
    assert!(of(&third, "same").keys[0].health.at(steady_ms(), "m").is_err());
}
