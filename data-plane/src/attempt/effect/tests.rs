use std::time::Duration;

use shared::time::steady_ms;
use tokio::sync::mpsc;

use super::{apply, begin, change, worked};
use crate::attempt::tell::Teller;
use crate::provider::verdict::{Effect, Extent};
use crate::route::fixtures::candidate;
use crate::route::health::{Health, Unhealthy};

const REFUSE: Effect = Effect::Refuse(Extent::Key);

fn rest(extent: Extent, seconds: u64) -> Effect {
    Effect::Rest(extent, Duration::from_secs(seconds))
}

#[test]
fn each_effect_is_a_change_of_health() {
    assert_eq!(change(Effect::None, 100), None);
    assert_eq!(change(REFUSE, 100), Some((Health::Invalid, Extent::Key, 0)));
    assert_eq!(change(rest(Extent::Model, 1), 100), Some((Health::CoolingDown, Extent::Model, 1100)));
}

#[test]
fn a_change_is_told_once_and_also_that_the_key_works_again() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    let why = || candidate.key.health.at(steady_ms(), "m").err().map(|out| out.why);
    worked(&candidate, begin(&candidate), &teller);
    apply(Effect::None, &candidate, 500, &teller);
    assert!(told.try_recv().is_err());

    let before = begin(&candidate);
    apply(REFUSE, &candidate, 401, &teller);
    apply(REFUSE, &candidate, 401, &teller);
    assert_eq!(why(), Some(Unhealthy::Invalid));
    let state = told.try_recv().unwrap();
    assert_eq!((&*state.upstream_key_id, &*state.group_id, &*state.model), ("g-1", "g", ""));
    assert_eq!((state.health, state.status), (Health::Invalid, 401));
    assert!(told.try_recv().is_err());

    // Within one millisecond nobody can tell which came first.
    worked(&candidate, before - 1, &teller);
    assert_eq!(why(), Some(Unhealthy::Invalid), "a request that began before it says nothing of it");
    worked(&candidate, begin(&candidate), &teller);
    assert_eq!(why(), None);
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, state.status), (Health::Valid, 200));
    worked(&candidate, begin(&candidate), &teller);
    assert!(told.try_recv().is_err());

    apply(rest(Extent::Key, 60), &candidate, 429, &teller);
    assert_eq!(why(), Some(Unhealthy::CoolingDown));
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, state.status), (Health::CoolingDown, 429));
    assert!(state.until_ms > steady_ms() + 50_000);
    // A longer pause is not shortened by a later one.
    apply(rest(Extent::Key, 1), &candidate, 429, &teller);
    assert!(told.try_recv().is_err());
}

#[test]
fn what_is_about_a_model_leaves_the_key_for_others() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    apply(Effect::Refuse(Extent::Model), &candidate, 403, &teller);
    let out = |model| candidate.key.health.at(steady_ms(), model).is_err();
    assert!(out("m") && !out("n") && !out(""));
    assert_eq!(&*told.try_recv().unwrap().model, "m");
    worked(&candidate, begin(&candidate), &teller);
    assert!(!out("m"));
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, &*state.model), (Health::Valid, "m"));
}

#[test]
fn nothing_waits_for_a_queue_that_is_full() {
    let (queue, mut told) = mpsc::channel(1);
    let teller = Teller::new(queue);
    let (first, second) = (candidate(), candidate());
    apply(REFUSE, &first, 401, &teller);
    apply(REFUSE, &second, 401, &teller);
    assert!(second.key.health.at(steady_ms(), "m").is_err());
    assert!(told.try_recv().is_ok() && told.try_recv().is_err());
}
