use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shared::snapshot::{Group, ProxyKey};
use shared::time::steady_ms;

use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::occupied::{Failed, Occupied};
use crate::route::plan::Plan;
use crate::route::rest::KeyFailure;
use crate::route::table::RouteTable;

/// A config, and the proxy key of its one client.
struct Bench {
    table: RouteTable,
    key: ProxyKey,
}

/// A group of the keys `one-1` to `one-4`, and one of `two-1`.
fn bench() -> Bench {
    let mut one = group("one", &["m"]);
    one.upstream_keys.extend((2..=4).map(|number| upstream_key(&format!("one-{number}"))));
    let mut two = group("two", &["m"]);
    two.priority = -1;
    of([one, two])
}

fn of(groups: impl IntoIterator<Item = Group>) -> Bench {
    let key = key("k", "sk");
    Bench { table: RouteTable::compile(Arc::new(snapshot(groups, [key.clone()])), None), key }
}

impl Bench {
    fn plan(&self) -> Plan<'_> {
        Plan::make(&self.table, self.table.client(&self.key.digest).unwrap(), "m")
    }

    fn given(&self) -> Vec<String> {
        named(self.plan())
    }

    /// `key` is out by `health`, for so many seconds from now where that is a pause.
    fn is_out(&self, key: &str, health: Health, seconds: i64) {
        // What is observed later counts more.
        static NEWER: AtomicI64 = AtomicI64::new(0);
        let (now, observed_at_ms) = (steady_ms(), steady_ms() - 900 + NEWER.fetch_add(1, Ordering::Relaxed));
        let (upstream_key_id, group_id, until_ms) = (key.into(), "one".into(), now + seconds * 1_000);
        let (model, times, status, reason) = ("".into(), 0, 0, "".into());
        let state =
            KeyState { upstream_key_id, group_id, model, health, until_ms, times, status, reason, observed_at_ms };
        self.table.kept.observe(&state);
    }

    /// All keys of the group `one` fail alike, so that it rests.
    fn rests(&self) {
        let group = &self.table.groups()[0];
        for key in &group.keys {
            let kind = (Health::Invalid, 401);
            let failure = KeyFailure { key: Arc::clone(&key.key.id), model: "".into(), kind, at: steady_ms() };
            group.rest.failed(failure, group.keys.len());
        }
        assert!(group.rest.is_on(steady_ms()));
    }
}

fn named(plan: Plan<'_>) -> Vec<String> {
    plan.map(|candidate| candidate.key.key.id.to_string()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn when_all_that_is_well_has_been_given_what_is_out_by_a_guess_follows_the_soonest_first() {
    let bench = bench();
    bench.is_out("one-1", Health::Doubted, 0);
    bench.is_out("one-2", Health::Guessed, 60);
    bench.is_out("one-3", Health::Guessed, 40);
    assert_eq!(bench.given(), ["one-4", "two-1", "one-3", "one-2", "one-1"]);
    // What the provider itself has said is no guess, whatever else is left.
    bench.is_out("one-2", Health::CoolingDown, 60);
    bench.is_out("one-3", Health::Exhausted, 40);
    bench.is_out("one-4", Health::Invalid, 0);
    assert_eq!(bench.given(), ["two-1", "one-1"]);
}

#[test]
fn what_has_been_given_is_not_given_again_when_it_has_come_to_rest() {
    let bench = bench();
    bench.is_out("two-1", Health::Guessed, 60);
    let mut plan = bench.plan();
    for number in 1..=4 {
        let candidate = plan.next().unwrap();
        assert_eq!(*candidate.key.key.id, format!("one-{number}"));
        bench.is_out(&candidate.key.key.id, Health::Guessed, 5);
    }
    assert_eq!(named(plan), ["two-1"]);
}

#[test]
fn a_key_that_has_returned_since_its_turn_goes_before_a_guess() {
    let bench = bench();
    bench.is_out("one-1", Health::Exhausted, 60);
    bench.is_out("one-2", Health::Guessed, 60);
    let mut plan = bench.plan();
    let given: Vec<_> = plan.by_ref().take(3).map(|candidate| candidate.key.key.id.to_string()).collect();
    assert_eq!(given, ["one-3", "one-4", "two-1"]);
    bench.is_out("one-1", Health::Valid, 0);
    assert_eq!(named(plan), ["one-1", "one-2"]);
}

#[test]
fn what_another_request_tests_or_a_breaker_holds_back_is_not_given() {
    let bench = of([group("one", &["m"])]);
    for health in [Health::Guessed, Health::Doubted] {
        bench.is_out("one-1", health, 60);
        let candidate = bench.plan().next().unwrap();
        let test = Occupied::begin(&candidate).unwrap();
        assert!(Occupied::begin(&candidate).is_none());
        assert_eq!(bench.given(), Vec::<String>::new());
        // It may be over at any time, so it is looked at again soon.
        let out = bench.plan().all_out(steady_ms()).unwrap();
        assert!(out.until <= steady_ms() + 250, "{out:?}");
        drop(test);
        assert_eq!((bench.given(), bench.plan().all_out(steady_ms())), (vec!["one-1".to_owned()], None));
    }
    let candidate = bench.plan().next().unwrap();
    while let Some(mut running) = Occupied::begin(&candidate) {
        running.failed(Failed::Model);
    }
    assert_eq!(bench.given(), Vec::<String>::new());
    assert!(bench.plan().all_out(steady_ms()).unwrap().until > steady_ms() + 500, "the breaker says when");
}

#[test]
fn a_test_is_over_when_its_answer_begins_however_long_that_is() {
    let bench = of([group("one", &["m"])]);
    bench.is_out("one-1", Health::Guessed, 60);
    let candidate = bench.plan().next().unwrap();
    let mut streaming = Occupied::begin(&candidate).unwrap();
    streaming.began(Duration::from_millis(5));
    bench.is_out("one-1", Health::Guessed, 60);
    assert!(Occupied::begin(&candidate).is_some());
    drop(streaming);
}

#[test]
fn a_group_that_rests_is_tested_by_one_request_at_a_time() {
    let bench = bench();
    bench.rests();
    bench.is_out("one-1", Health::CoolingDown, 60);
    assert_eq!(sorted(bench.given()), ["one-2", "one-3", "one-4", "two-1"]);
    let mut plan = bench.plan();
    assert_eq!(&*plan.next().unwrap().key.key.id, "two-1");
    let (second, third) = (plan.next().unwrap(), plan.next().unwrap());
    let test = Occupied::begin(&second).unwrap();
    assert!(Occupied::begin(&third).is_none());
    assert_eq!(bench.given(), ["two-1"]);
    drop(test);
    let test = Occupied::begin(&third).unwrap();
    third.group.rest.worked();
    // The group works, so all of its keys serve while the test still runs.
    assert_eq!(sorted(bench.given()), ["one-2", "one-3", "one-4", "two-1"]);
    assert!(Occupied::begin(&second).is_some());
    drop(test);
}

#[test]
fn keys_that_were_all_refused_are_tried_and_one_of_several_is_not() {
    let bench = of([group("one", &["m"]), group("two", &["m"])]);
    bench.is_out("one-1", Health::Invalid, 0);
    assert_eq!(bench.given(), ["two-1"]);
    bench.is_out("two-1", Health::CoolingDown, 60);
    assert_eq!(bench.given(), Vec::<String>::new());
    assert!(bench.plan().all_out(steady_ms()).is_some());
    bench.is_out("two-1", Health::Valid, 0);
    bench.is_out("two-1", Health::Invalid, 0);
    assert_eq!((bench.given().len(), bench.plan().all_out(steady_ms())), (2, None));
}
