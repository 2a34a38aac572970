use std::time::Duration;

use shared::time::now_ms;
use tokio::sync::mpsc;

use super::{apply, change, worked};
use crate::attempt::tell::Teller;
use crate::provider::verdict::Effect;
use crate::route::fixtures::candidate;
use crate::route::health::{Health, Unhealthy};

#[test]
fn each_effect_is_a_change_of_health() {
    assert_eq!(change(Effect::None, 100), None);
    assert_eq!(change(Effect::Refuse, 100), Some((Health::Invalid, 0)));
    assert_eq!(change(Effect::Rest(Duration::from_millis(25)), 100), Some((Health::CoolingDown, 125)));
}

#[test]
fn a_change_is_told_once_and_also_that_the_key_works_again() {
    let (queue, mut told) = mpsc::channel(10);
    let (teller, candidate) = (Teller::new(queue), candidate());
    worked(&candidate, &teller);
    apply(Effect::None, &candidate, 500, &teller);
    assert!(told.try_recv().is_err());

    apply(Effect::Refuse, &candidate, 401, &teller);
    apply(Effect::Refuse, &candidate, 401, &teller);
    assert_eq!(candidate.key.health.at(now_ms()), Err(Unhealthy::Invalid));
    let state = told.try_recv().unwrap();
    assert_eq!((&*state.upstream_key_id, &*state.group_id), ("g-1", "g"));
    assert_eq!((state.health, state.status), (Health::Invalid, 401));
    assert!(told.try_recv().is_err());

    worked(&candidate, &teller);
    assert_eq!(candidate.key.health.at(now_ms()), Ok(()));
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, state.status), (Health::Valid, 200));
    worked(&candidate, &teller);
    assert!(told.try_recv().is_err());

    apply(Effect::Rest(Duration::from_mins(1)), &candidate, 429, &teller);
    assert_eq!(candidate.key.health.at(now_ms()), Err(Unhealthy::CoolingDown));
    let state = told.try_recv().unwrap();
    assert_eq!((state.health, state.status), (Health::CoolingDown, 429));
    assert!(state.until_ms > now_ms() + 50_000);
}

#[test]
fn nothing_waits_for_a_queue_that_is_full() {
    let (queue, mut told) = mpsc::channel(1);
    let teller = Teller::new(queue);
    let (first, second) = (candidate(), candidate());
    apply(Effect::Refuse, &first, 401, &teller);
    apply(Effect::Refuse, &second, 401, &teller);
    assert_eq!(second.key.health.at(now_ms()), Err(Unhealthy::Invalid));
    assert!(told.try_recv().is_ok() && told.try_recv().is_err());
}
