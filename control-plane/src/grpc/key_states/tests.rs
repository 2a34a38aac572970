use shared::pb::{self, key_state::Health};
use shared::time::steady_ms as now_ms;

use super::{KeyStates, Marks, Observed};

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
    let out = |state: &&std::sync::Arc<pb::KeyState>| state.health() != Health::Valid;
    let mut known: Vec<_> = states.follow().0.iter().filter(out).map(|state| state.upstream_key_id.clone()).collect();
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
    let (states, now) = (KeyStates::bounded(4, 2), now_ms());
    for (key, at) in [("a", 2), ("b", 1), ("c", 3)] {
        let mut state = state(key, Health::Invalid, 0);
        state.observed_at_ms = now - 1_000 + at;
        assert!(states.observed("n", state));
    }
    assert_eq!(known(&states), ["a", "c"]);
}

/// A state that was observed `ago` milliseconds ago.
fn at(ago: i64, mut state: pb::KeyState) -> pb::KeyState {
    state.observed_at_ms = now_ms() - ago;
    state
}

#[test]
fn p38_older_news_puts_no_key_out() {
    let states = KeyStates::default();
    let (_, mut news) = states.follow();
    assert!(states.observed("n", at(50, state("k", Health::Valid, 0))));
    assert_eq!(news.try_recv().unwrap().health(), Health::Valid);
    // Another node comes back and tells what it saw before that.
    assert!(states.observed("m", at(9_000, state("k", Health::Invalid, 0))));
    assert!(states.observed("m", at(50_000, state("k", Health::CoolingDown, now_ms() + 60_000))));
    assert!(known(&states).is_empty());
    // The older ones are kept for their time, and they say nothing new of the key.
    while let Ok(heard) = news.try_recv() {
        assert!(heard.observed_at_ms < now_ms() - 1_000);
    }
    assert!(states.observed("m", at(0, state("k", Health::Invalid, 0))));
    assert_eq!(known(&states), ["k"]);
}

#[test]
fn p38_a_clock_that_is_an_hour_ahead_is_not_believed_and_its_node_hears_so() {
    let hour = 3_600_000;
    let states = KeyStates::default();
    let (_, mut news) = states.follow();
    assert!(states.observed("n", at(-hour, state("k", Health::CoolingDown, now_ms() + hour + 7_000))));
    let heard = news.try_recv().unwrap();
    assert_eq!(heard.node_id, "", "the node that said so is told, too");
    assert!(heard.observed_at_ms <= now_ms() && heard.until_ms <= now_ms() + 7_000, "{heard:?}");
    // So what is seen after that counts.
    assert!(states.observed("m", at(-1, state("k", Health::Valid, 0))));
    assert!(known(&states).is_empty());
}

#[test]
fn a_model_has_a_state_of_its_own() {
    let states = KeyStates::default();
    let of_model = pb::KeyState { model: "m".to_owned(), ..state("k", Health::Invalid, 0) };
    assert!(states.observed("n", of_model.clone()) && states.observed("n", state("k", Health::Valid, 0)));
    let told: Vec<_> = states.follow().0.iter().map(|state| (state.model.clone(), state.health())).collect();
    assert!(told.contains(&("m".to_owned(), Health::Invalid)) && told.contains(&(String::new(), Health::Valid)));
    assert!(!states.observed("n", pb::KeyState { model: "m".repeat(600), ..of_model }));
}

#[test]
fn news_count_by_the_clock_of_the_fleet_whatever_that_of_this_machine_says() {
    let hour = 3_600_000;
    let states = KeyStates::default();
    states.clock.set_offset(-hour);
    let (_, mut news) = states.follow();
    assert!(states.observed("n", at(hour + 50, state("k", Health::Invalid, 0))));
    let heard = news.try_recv().unwrap();
    assert_eq!(heard.node_id, "n", "the node's clock is believed");
    assert_eq!(known(&states), ["k"]);
    assert!((states.now() - (now_ms() - hour)).abs() < 1_000);
    let recovery = states.recovery("g", "k");
    states.learn(recovery);
    assert!(known(&states).is_empty());
}

#[test]
fn what_was_heard_wants_no_write_and_what_was_observed_does() {
    let states = KeyStates::default();
    states.learn(vec![crate::store::key_states::StoredKeyState {
        upstream_key_id: "heard".to_owned(),
        marks: Marks::of(Observed::Refused { times: 0 }, now_ms(), 401),
        ..Default::default()
    }]);
    assert!(states.any_to_probe() && states.current().unkept.is_empty());
    assert!(states.observed("n", state("seen", Health::CoolingDown, now_ms() + 60_000)));
    assert_eq!(states.current().unkept.len(), 1);
}
