use shared::pb::{self, key_state::Health};
use shared::time::now_ms;

use super::KeyStates;

fn state(key: &str, health: Health, until_ms: i64) -> pb::KeyState {
    pb::KeyState {
        upstream_key_id: key.to_owned(),
        group_id: "g".to_owned(),
        health: health.into(),
        until_ms,
        ..pb::KeyState::default()
    }
}

fn known(states: &KeyStates) -> Vec<String> {
    let mut known: Vec<_> = states.follow().0.iter().map(|state| state.upstream_key_id.clone()).collect();
    known.sort();
    known
}

#[test]
fn those_that_last_are_given_to_who_comes_later() {
    let states = KeyStates::default();
    assert!(states.observed("n", state("invalid", Health::Invalid, 0)));
    assert!(states.observed("n", state("cooling", Health::CoolingDown, now_ms() + 60_000)));
    assert!(states.observed("n", state("cooled", Health::CoolingDown, now_ms() - 1)));
    assert!(states.observed("n", state("valid", Health::Valid, 0)));
    assert_eq!(known(&states), ["cooling", "invalid"]);
    assert!(states.observed("m", state("invalid", Health::Valid, 0)));
    assert_eq!(known(&states), ["cooling"]);
}

#[test]
fn news_carry_the_node_that_observed_them() {
    let states = KeyStates::default();
    let (_, mut news) = states.follow();
    let mut long = state("k", Health::Invalid, 0);
    long.node_id = "somebody else".to_owned();
    long.reason = "é".repeat(2_000);
    assert!(states.observed("n", long));
    let heard = news.try_recv().unwrap();
    assert_eq!(heard.node_id, "n");
    assert_eq!(heard.reason.chars().count(), 500);
    assert!(heard.observed_at_ms > 0);
}

#[test]
fn what_names_no_key_or_no_health_is_dropped() {
    let states = KeyStates::default();
    assert!(!states.observed("n", state("", Health::Invalid, 0)));
    assert!(!states.observed("n", state("k", Health::Unspecified, 0)));
    assert!(!states.observed("n", state(&"k".repeat(200), Health::Invalid, 0)));
    assert!(known(&states).is_empty());
}

#[test]
fn it_is_bounded_and_forgets_the_oldest() {
    let states = KeyStates::bounded(4, 2);
    for (key, at) in [("a", 2), ("b", 1), ("c", 3)] {
        let mut state = state(key, Health::Invalid, 0);
        state.observed_at_ms = at;
        assert!(states.observed("n", state));
    }
    assert_eq!(known(&states), ["a", "c"]);
}
