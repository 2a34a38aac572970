use std::sync::Arc;

use http::HeaderMap;
use shared::ids::Id;
use shared::snapshot::Group;
use translation::Format;
use translation::object::Object;

use super::Home;
use crate::metrics::Affinity;
use crate::route::affinity::SessionKey;
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::owners::Owner;
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

fn session(user: &str) -> Option<SessionKey> {
    let body = bytes::Bytes::from(format!(r#"{{"user":"{user}"}}"#));
    let body = Object::read(&body).unwrap();
    SessionKey::of(&Id::from("k"), Format::OpenAiChat, &HeaderMap::new(), &body)
}

/// A group of four keys that keeps sessions.
fn keeping(id: &str) -> Group {
    let mut group = group(id, &["m"]);
    group.routing.affinity = true;
    group.upstream_keys.extend((2..=4).map(|number| upstream_key(&format!("{id}-{number}"))));
    group
}

fn table(groups: impl IntoIterator<Item = Group>) -> RouteTable {
    RouteTable::compile(Arc::new(snapshot(groups, [key("k", "sk")])), None)
}

fn plan<'t>(table: &'t RouteTable, user: &str) -> Plan<'t> {
    let client = table.client(&key("k", "sk").digest).unwrap();
    Plan::make(table, client, "m").of_session(session(user))
}

#[test]
fn a_session_is_at_home_where_its_plan_begins() {
    let table = table([keeping("a"), keeping("b")]);
    for user in ["one", "two", "three", "four", "five", "six"] {
        let mut plan = plan(&table, user);
        let home = plan.home();
        let first = plan.next().unwrap().key.key.id.clone();
        assert_eq!(home, Home::Key(first.clone()), "{user}");
        assert_eq!(home.affinity(&first), Affinity::SoftHit);
        assert_eq!(home.affinity(&plan.next().unwrap().key.key.id), Affinity::SoftMiss);
    }
}

#[test]
fn a_key_that_is_out_stays_the_home_of_its_sessions() {
    let table = table([keeping("a")]);
    let Home::Key(home) = plan(&table, "one").home() else { panic!("no home") };
    let state = KeyState {
        upstream_key_id: home.clone(),
        group_id: "a".into(),
        model: "".into(),
        health: Health::Invalid,
        until_ms: 0,
        status: 401,
        times: 0,
        reason: "".into(),
        observed_at_ms: 1,
    };
    table.kept.observe(&KeyState { observed_at_ms: shared::time::steady_ms(), ..state });
    let mut plan = plan(&table, "one");
    assert_eq!(plan.home(), Home::Key(home.clone()));
    let next = plan.next().unwrap().key.key.id.clone();
    assert_ne!(next, home);
    assert_eq!(plan.home().affinity(&next), Affinity::SoftMiss);
}

#[test]
fn what_belongs_nowhere_is_at_home_anywhere() {
    let table = table([group("plain", &["m"])]);
    assert_eq!(plan(&table, "one").home(), Home::Anywhere);
    let client = table.client(&key("k", "sk").digest).unwrap();
    let mut plan = Plan::make(&table, client, "m");
    assert_eq!(plan.home().affinity(&"plain-1".into()), Affinity::None);
    assert!(plan.narrow(&Owner { group: "plain".into(), key: "plain-1".into() }));
    assert_eq!(plan.home().affinity(&"plain-1".into()), Affinity::Hard);
}
