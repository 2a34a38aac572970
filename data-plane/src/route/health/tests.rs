use std::sync::Arc;

use proptest::prelude::*;
use shared::marks::REFUSED_FOR_MS;
use shared::time::{now_ms, steady_ms};

use super::{Health, KeyHealth, KeyState, MOST_MODELS, Unhealthy};
use shared::clock::FleetClock;

const HOUR: i64 = 3_600_000;
const ALL: [Health; 5] = [Health::Valid, Health::Invalid, Health::CoolingDown, Health::Guessed, Health::Exhausted];

fn state(model: &str, health: Health, observed_at_ms: i64, until_ms: i64) -> KeyState {
    let (upstream_key_id, group_id, model) = ("k".into(), "g".into(), model.into());
    KeyState {
        upstream_key_id,
        group_id,
        model,
        health,
        until_ms,
        times: 0,
        status: 0,
        reason: "".into(),
        observed_at_ms,
    }
}

fn why(key: &KeyHealth, model: &str) -> Option<Unhealthy> {
    key.at(steady_ms(), model).err().map(|out| out.why)
}

#[test]
fn p38_a_recovered_key_is_not_put_out_by_older_news() {
    let (key, now) = (KeyHealth::default(), steady_ms());
    assert!(key.observe(&state("", Health::Valid, now - 1_000, 0)));
    key.observe(&state("", Health::Invalid, now - 2_000, 0));
    key.observe(&state("", Health::CoolingDown, now - 2_000, now + 60_000));
    assert_eq!(why(&key, "m"), None);
    key.observe(&state("", Health::CoolingDown, now, now + 60_000));
    key.observe(&state("", Health::Valid, now - 500, 0));
    assert_eq!(why(&key, "m"), Some(Unhealthy::CoolingDown), "an old success does not wipe out a newer pause");
}

#[test]
fn p38_a_clock_that_is_an_hour_ahead_neither_blinds_nor_bars_for_long() {
    let (key, now) = (KeyHealth::default(), steady_ms());
    key.observe(&state("", Health::CoolingDown, now + HOUR, now + HOUR + 60_000));
    let out = key.at(steady_ms(), "m").unwrap_err();
    assert!(out.until <= steady_ms() + 60_000, "{}", out.until - now);
    // What this node sees after that is newer.
    let seen = key.next_time("");
    assert!(seen < now + 5_000 && key.observe(&state("", Health::Valid, seen, 0)));
    assert_eq!(why(&key, "m"), None);
}

#[test]
fn p38_the_clock_of_the_fleet_counts_and_not_that_of_the_node() {
    for offset in [-HOUR, HOUR] {
        let clock = Arc::new(FleetClock::default());
        let key = KeyHealth::new(Arc::clone(&clock));
        // It is learnt before the control plane is reached.
        key.observe(&state("", Health::Invalid, clock.now(), 0));
        let step = clock.set(steady_ms() + offset);
        assert!((step - offset).abs() < 1_000);
        key.shift(step);
        assert_eq!(why(&key, "m"), Some(Unhealthy::Invalid), "the step changes nothing on this node");
        let told: Vec<_> = key.told();
        assert!((told[0].2 - (now_ms() + offset)).abs() < 5_000, "others are told the time of the fleet");
        // News of another node, by the clock of the fleet.
        key.observe(&state("", Health::Valid, steady_ms() + offset + 1, 0));
        assert_eq!(why(&key, "m"), None);
        assert_eq!(clock.set(clock.now() + 300), 0, "the time that a message takes is no step");
    }
}

#[test]
fn p38_a_refusal_that_is_old_when_it_arrives_counts_for_what_is_left_of_it() {
    let (key, now) = (KeyHealth::default(), steady_ms());
    key.observe(&state("", Health::Invalid, now - REFUSED_FOR_MS, 0));
    assert_eq!(why(&key, ""), None);
    key.observe(&state("", Health::Invalid, now - REFUSED_FOR_MS + 5_000, 0));
    assert!(key.at(now, "").is_err_and(|out| out.until <= now + 5_000));
}

#[test]
fn models_are_bounded_and_the_oldest_is_forgotten() {
    let (key, now) = (KeyHealth::default(), steady_ms());
    for number in 0..=MOST_MODELS {
        let at = now - 10_000 + i64::try_from(number).unwrap();
        key.observe(&state(&number.to_string(), Health::Invalid, at, 0));
    }
    assert_eq!((why(&key, "0"), why(&key, "1")), (None, Some(Unhealthy::Invalid)));
    assert_eq!(why(&key, ""), None, "the key itself is well");
}

fn news() -> impl Strategy<Value = (usize, u8, i64, i64)> {
    (0..2_usize, 0..5_u8, 0..30_i64, 0..130_i64)
}

proptest! {
    #[test]
    fn p38_nodes_that_heard_the_same_in_any_order_agree(
        (news, shuffled) in prop::collection::vec(news(), 0..10)
            .prop_flat_map(|news| (Just(news.clone()), Just(news).prop_shuffle())),
    ) {
        let now = steady_ms();
        let heard = |news: &[(usize, u8, i64, i64)]| {
            let key = KeyHealth::default();
            for (model, health, ago, left) in news {
                let health = ALL[usize::from(*health)];
                key.observe(&state(["", "m"][*model], health, now - ago * 1_000, now + left * 1_000 + 500));
            }
            ["", "m", "n"].map(|model| key.at(now, model))
        };
        prop_assert_eq!(heard(&news), heard(&shuffled));
    }
}

#[test]
fn p38_what_an_older_version_takes_for_a_pause_is_shortened_there_and_not_here() {
    let (key, now) = (KeyHealth::default(), steady_ms());
    key.observe(&state("", Health::Exhausted, now, now + 5 * HOUR));
    assert_eq!(why(&key, "m"), Some(Unhealthy::Exhausted));
    assert_eq!(key.at(now, "m").unwrap_err().until, now + 5 * HOUR);
    // The same, as an older version hands it on.
    key.observe(&state("", Health::CoolingDown, now, now + 5 * HOUR));
    assert_eq!(why(&key, "m"), Some(Unhealthy::Exhausted));
    key.observe(&state("", Health::Valid, now + 1, 0));
    assert_eq!(why(&key, "m"), None);
}

#[test]
fn p09_a_pause_that_is_heard_of_after_the_key_was_picked_is_kept_too() {
    for (health, may_go) in [(Health::CoolingDown, false), (Health::Exhausted, false), (Health::Invalid, true)] {
        let (key, now) = (KeyHealth::default(), steady_ms());
        assert!(matches!(key.enter(now, "m"), Ok(None)));
        key.observe(&state("", health, now, now + 60_000));
        assert_eq!(key.enter(now, "m").is_ok(), may_go, "{health:?}");
    }
}

#[test]
fn what_is_a_guess_is_tested_by_one_request_at_a_time() {
    for health in [Health::Guessed, Health::Doubted] {
        let (key, now) = (KeyHealth::default(), steady_ms());
        key.observe(&state("", health, now, now + 60_000));
        let test = key.enter(now, "m");
        assert!(matches!(test, Ok(Some(_))) && key.enter(now, "m").is_err() && key.is_tested(now), "{health:?}");
        drop(test);
        assert!(!key.is_tested(now));
    }
}
