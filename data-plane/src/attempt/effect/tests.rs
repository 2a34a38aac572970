use std::time::Duration;

use shared::marks::{EXHAUSTED_FOR_MS, Observed};
use shared::time::steady_ms;
use tokio::sync::mpsc;

use super::{Seen, apply, begin, change, observed, worked};
use crate::attempt::tell::Teller;
use crate::request::Proof;
use crate::route::candidate::Candidate;
use crate::route::fixtures::{candidate, candidates};
use crate::route::health::{Health, Unhealthy};
use crate::route::occupied::Occupied;
use shared::verdict::{Effect, Extent};

const REFUSE: Effect = Effect::Refuse(Extent::Key);

fn rest(extent: Extent, seconds: u64) -> Effect {
    Effect::Rest(extent, Duration::from_secs(seconds))
}

fn seen(status: u16, candidate: &Candidate) -> Seen<'static> {
    Seen { status, began: begin(candidate), words: "no" }
}

#[test]
fn each_effect_is_a_change_of_health() {
    let second = Duration::from_secs(1);
    assert_eq!(change(Effect::None), None);
    assert_eq!(change(REFUSE), Some((Health::Invalid, Extent::Key, None)));
    let rest = change(rest(Extent::Model, 1)).unwrap();
    assert_eq!(rest, (Health::CoolingDown, Extent::Model, Some(second)));
    assert_eq!(observed(rest.0, rest.2, 0, 100), Observed::Paused { until: 1100 });
    let guess = |times| observed(Health::Guessed, None, times, 0);
    assert_eq!(guess(0), Observed::Guessed { until: 5_000, times: 0 });
    assert_eq!(guess(3), Observed::Guessed { until: 40_000, times: 3 });
    let exhausted = |stated, times| observed(Health::Exhausted, stated, times, 0);
    assert_eq!(exhausted(None, 1), Observed::Exhausted { until: 2 * EXHAUSTED_FOR_MS, times: 1 });
    assert_eq!(exhausted(Some(second), 1), Observed::Exhausted { until: 1_000, times: 1 });
}

#[test]
fn a_change_is_told_once_and_also_that_the_key_works_again() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    let why = || candidate.key.health.at(steady_ms(), "m").err().map(|out| out.why);
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    apply(Effect::None, &candidate, seen(500, &candidate), &teller);
    assert!(told.try_recv().is_err());

    let before = begin(&candidate);
    let first = seen(401, &candidate);
    apply(REFUSE, &candidate, first, &teller);
    apply(REFUSE, &candidate, Seen { began: before - 1, ..first }, &teller);
    assert_eq!(why(), Some(Unhealthy::Invalid));
    let state = told.try_recv().unwrap();
    assert_eq!((&*state.upstream_key_id, &*state.group_id, &*state.model), ("g-1", "g", ""));
    assert_eq!((state.health, state.status), (Health::Invalid, 401));
    assert!(told.try_recv().is_err());

    // Within one millisecond nobody can tell which came first.
    worked(Proof::Key, &candidate, before - 1, &teller);
    assert_eq!(why(), Some(Unhealthy::Invalid), "a request that began before it says nothing of it");
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    assert_eq!(why(), None);
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, state.status), (Health::Valid, 200));
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    assert!(told.try_recv().is_err());

    apply(rest(Extent::Key, 60), &candidate, seen(429, &candidate), &teller);
    assert_eq!(why(), Some(Unhealthy::CoolingDown));
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, state.status), (Health::CoolingDown, 429));
    assert!(state.until_ms > steady_ms() + 50_000);
    // A longer pause is not shortened by a later one.
    apply(rest(Extent::Key, 1), &candidate, seen(429, &candidate), &teller);
    assert!(told.try_recv().is_err());
}

#[test]
fn what_is_about_a_model_leaves_the_key_for_others() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    apply(Effect::Refuse(Extent::Model), &candidate, seen(403, &candidate), &teller);
    let out = |model| candidate.key.health.at(steady_ms(), model).is_err();
    assert!(out("m") && !out("n") && !out(""));
    assert_eq!(&*told.try_recv().unwrap().model, "m");
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    assert!(!out("m"));
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, &*state.model), (Health::Valid, "m"));
}

#[test]
fn nothing_waits_for_a_queue_that_is_full() {
    let (queue, mut told) = mpsc::channel(1);
    let teller = Teller::new(queue);
    let (first, second) = (candidate(), candidate());
    apply(REFUSE, &first, seen(401, &first), &teller);
    apply(REFUSE, &second, seen(401, &second), &teller);
    assert!(second.key.health.at(steady_ms(), "m").is_err());
    assert!(told.try_recv().is_ok() && told.try_recv().is_err());
}

#[test]
fn p09_our_own_guess_doubles_and_one_request_at_a_time_may_test_it() {
    let (queue, mut told) = mpsc::channel(100);
    let (teller, candidate) = (Teller::new(queue), candidate());
    let mut guess = || {
        apply(Effect::Guess(Extent::Model), &candidate, seen(429, &candidate), &teller);
        let state = told.try_recv().unwrap();
        (state.health, state.until_ms - state.observed_at_ms, state.times)
    };
    assert_eq!(guess(), (Health::Guessed, 5_000, 0));
    // Each further one is of a request that began behind the last.
    assert_eq!((guess(), guess()), ((Health::Guessed, 10_000, 1), (Health::Guessed, 20_000, 2)));
    let old = Seen { began: 0, ..seen(429, &candidate) };
    apply(Effect::Guess(Extent::Model), &candidate, old, &teller);

    let test = Occupied::begin(&candidate).expect("a test");
    assert!(Occupied::begin(&candidate).is_none());
    drop(test);
    assert!(Occupied::begin(&candidate).is_some());

    assert!(told.try_recv().is_err(), "what was under way is no further one");
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    assert_eq!(told.try_recv().unwrap().health, Health::Valid);
    apply(Effect::Guess(Extent::Model), &candidate, seen(429, &candidate), &teller);
    assert_eq!(told.try_recv().unwrap().times, 0, "it begins anew when the key has worked");
}

#[test]
fn a_refusal_in_doubt_harms_after_three_and_not_before() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    let doubt = || apply(Effect::Doubt(Extent::Key), &candidate, seen(401, &candidate), &teller);
    let out = || candidate.key.health.at(steady_ms(), "m").is_err();
    doubt();
    doubt();
    assert!(!out());
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    doubt();
    doubt();
    assert!(!out(), "a success counts");
    doubt();
    assert!(out());
    let state = told.try_recv().unwrap();
    // That it is the key is a guess.
    assert_eq!((state.health, &*state.reason), (Health::Doubted, "no"));
}

#[test]
fn keys_that_fail_alike_harm_none_of_them_and_the_group_rests() {
    let (queue, mut told) = mpsc::channel(10);
    let teller = Teller::new(queue);
    let keys = candidates(6);
    let out = |candidate: &Candidate| candidate.key.health.at(steady_ms(), "m").is_err();
    let refuse = |candidate: &Candidate| apply(REFUSE, candidate, seen(401, candidate), &teller);
    refuse(&keys[0]);
    refuse(&keys[1]);
    assert!(out(&keys[0]) && out(&keys[1]));
    refuse(&keys[2]);
    // It is the group.
    assert!(keys.iter().all(|key| !out(key)) && keys[0].group.rest.is_on(steady_ms()));
    let told: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).map(|state| state.health).collect();
    assert_eq!(told, [Health::Invalid, Health::Invalid, Health::Valid, Health::Valid]);
    worked(Proof::Key, &keys[3], begin(&keys[3]), &teller);
    assert!(!keys[0].group.rest.is_on(steady_ms()));

    // What a provider states of each key is of each key.
    for key in &keys {
        apply(Effect::Exhaust(Extent::Key, None), key, seen(402, key), &teller);
    }
    assert!(keys.iter().all(out));
}

#[test]
fn what_costs_nothing_does_not_bring_a_spent_key_back() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    let mut news = || std::iter::from_fn(|| told.try_recv().ok()).map(|state| state.model).collect::<Vec<_>>();
    for extent in [Extent::Key, Extent::Model] {
        apply(Effect::Exhaust(extent, None), &candidate, seen(429, &candidate), &teller);
    }
    assert_eq!(news(), ["".into(), candidate.upstream_model.clone()]);
    worked(Proof::Nothing, &candidate, begin(&candidate), &teller);
    assert!(news().is_empty(), "a list of files needs no money");
    worked(Proof::Model, &candidate, begin(&candidate), &teller);
    assert_eq!(news(), std::slice::from_ref(&candidate.upstream_model), "the account may still have no money");
    worked(Proof::Key, &candidate, begin(&candidate), &teller);
    assert_eq!(news(), ["".into()]);
}
