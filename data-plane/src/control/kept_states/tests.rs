use std::os::unix::fs::PermissionsExt as _;

use shared::marks::Observed;

use super::*;
use crate::route::fixtures::{group, snapshot};
use crate::route::health::Health;

fn file(directory: &Path, token: &str) -> KeptStates {
    KeptStates::new(directory, &Secret::new(token)).unwrap()
}

/// The config of a node, with one group of one key.
fn config() -> ConfigState {
    let state = ConfigState::default();
    state.compile(Arc::new(snapshot([group("g", &["m"])], [])));
    state
}

/// Has `state` hear of its key, or of `model` behind it.
fn hear(state: &ConfigState, model: &str, observed: Observed, at: i64) -> bool {
    let news = KeyState {
        upstream_key_id: "g-1".into(),
        group_id: "g".into(),
        model: model.into(),
        health: Health::Valid,
        until_ms: 0,
        times: 0,
        status: 429,
        reason: "".into(),
        observed_at_ms: at,
    };
    state.table().unwrap().kept.observe(&news.with(observed))
}

#[test]
fn what_was_known_counts_after_a_start_and_loses_against_newer_news() {
    let directory = tempfile::tempdir().unwrap();
    let kept = file(directory.path(), "a token");
    assert!(kept.load().unwrap().states.is_empty());
    let before = config();
    let at = before.clock().now() - 1000;
    assert!(hear(&before, "", Observed::Exhausted { until: at + 3_600_000, times: 2 }, at));
    assert!(hear(&before, "m", Observed::Paused { until: at + 60_000 }, at));
    kept.save(&KnownStates::of(&before)).unwrap();
    let mode = fs::metadata(directory.path().join(FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(file(directory.path(), "another token").load().is_err(), "it is sealed");

    let after = config();
    kept.load().unwrap().restore(&after);
    assert_eq!(KnownStates::of(&after).states, KnownStates::of(&before).states);
    let is_spent = || KnownStates::of(&after).states.iter().any(|state| state.health == Health::Exhausted);
    hear(&after, "", Observed::Worked, at - 1);
    assert!(is_spent(), "older news changes nothing");
    hear(&after, "", Observed::Worked, at + 1);
    assert!(!is_spent());
}

#[test]
fn the_clock_of_the_fleet_is_kept_with_it_and_does_not_go_back() {
    let hour = 3_600_000;
    for (ahead, gone_back) in [(hour, 0), (-hour, 0), (0, 2 * hour)] {
        let before = config();
        before.clock().set(now_ms() + ahead);
        let at = before.clock().now();
        hear(&before, "", Observed::Exhausted { until: at + 2 * hour, times: 0 }, at);
        let mut known = KnownStates::read(&KnownStates::of(&before).write()).unwrap();
        // As if the machine's clock had gone back since.
        known.at += gone_back;
        known.states[0].observed_at_ms += gone_back;
        known.states[0].until_ms += gone_back;
        let after = config();
        known.restore(&after);
        assert_eq!(KnownStates::of(&after).states, known.states);
        assert!((after.clock().now() - known.at).abs() < 60_000, "{ahead} {gone_back}");
    }
}

#[test]
fn a_damaged_file_is_an_error_and_states_of_unknown_keys_are_passed_over() {
    let known = config();
    let at = known.clock().now();
    hear(&known, "", Observed::Exhausted { until: at + 60_000, times: 0 }, at);
    let plain = KnownStates::of(&known).write();
    for length in [0, 8, 15, 17, plain.len() - 1] {
        assert!(KnownStates::read(&plain[..length]).is_err(), "{length}");
    }
    let others = ConfigState::default();
    others.compile(Arc::new(snapshot([group("other", &["m"])], [])));
    KnownStates::read(&plain).unwrap().restore(&others);
    assert!(KnownStates::of(&others).states.is_empty());
}
