//! A clock that the test sets.

use std::collections::HashMap;
use std::sync::Arc;

use shared::marks::{EXHAUSTED_FOR_MS, LONGEST_GUESSED_EXHAUSTION_MS, Marks, Observed, doubled};
use shared::secret::Secret;
use shared::snapshot::{Group, Snapshot, UpstreamKey, UpstreamKeyRouting};

use super::{DueProbe, ProbeSchedule, ProbeTimes};
use crate::grpc::tests::support::group;
use crate::store::key_states::StoredKeyState;

const START: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// One group, what is known of its keys, and the clock.
struct Bench {
    schedule: ProbeSchedule,
    config: Snapshot,
    known: HashMap<String, Vec<StoredKeyState>>,
    group: Group,
    now: i64,
}

impl Bench {
    fn new(keys: usize) -> Self {
        let mut group = group("g");
        group.upstream_keys = (0..keys).map(|number| Arc::new(key(&format!("k{number}")))).collect();
        let schedule = ProbeSchedule::new(ProbeTimes::from_first(5 * MINUTE));
        let mut bench = Self { schedule, config: Snapshot::default(), known: HashMap::new(), group, now: START };
        bench.configure(|_| {});
        bench
    }

    fn configure(&mut self, change: impl FnOnce(&mut Group)) {
        change(&mut self.group);
        self.config.groups = [(Arc::clone(&self.group.id), Arc::new(self.group.clone()))].into();
    }

    fn key(&mut self, position: usize, change: impl FnOnce(&mut UpstreamKey)) {
        self.configure(|group| {
            let mut key = UpstreamKey::clone(&group.upstream_keys[position]);
            change(&mut key);
            group.upstream_keys[position] = Arc::new(key);
        });
    }

    fn observe(&mut self, key: &str, model: &str, observed: Observed) {
        let marks = Marks::of(observed, self.now, 401);
        let states = self.known.entry(key.to_owned()).or_default();
        if let Some(state) = states.iter_mut().find(|state| state.model == model) {
            state.marks.merge(&marks);
        } else {
            states.push(StoredKeyState {
                upstream_key_id: key.to_owned(),
                model: model.to_owned(),
                group_id: self.group.id.to_string(),
                marks,
                ..StoredKeyState::default()
            });
        }
    }

    fn due(&mut self) -> Vec<DueProbe> {
        self.schedule.due(self.now, &self.config, &self.known, 8)
    }

    /// Waits, second by second, until something is due, and gives that with the time that it took. None within a day.
    fn next(&mut self) -> Option<(i64, DueProbe)> {
        let since = self.now;
        while self.now < since + 24 * HOUR {
            self.now += 1_000;
            if let Some(probe) = self.due().pop() {
                return Some((self.now - since, probe));
            }
        }
        None
    }

    fn ended(&mut self, probe: &DueProbe, reached: bool) {
        self.schedule.ended(self.now, probe, reached);
    }
}

fn key(id: &str) -> UpstreamKey {
    let routing = UpstreamKeyRouting::default();
    UpstreamKey { id: id.into(), masked: "sk".into(), secret: Secret::new("sk-1"), enabled: true, routing }
}

#[test]
fn a_refused_key_is_probed_before_its_time_is_over_each_time() {
    let mut bench = Bench::new(1);
    for minutes in [5, 10, 20, 40, 60, 60] {
        let times = bench.known.get("k0").map_or(0, |states| {
            let marks = states[0].marks;
            marks.refused.times_since(marks.worked)
        });
        bench.observe("k0", "", Observed::Refused { times });
        let (after, probe) = bench.next().unwrap();
        let time = minutes * MINUTE;
        assert!(after > time * 7 / 10 - 1_000 && after < time, "after {after} ms of {minutes} minutes");
        assert_eq!((probe.target.upstream_key_id.as_str(), probe.target.model.as_str()), ("k0", "gpt-4o"));
        assert!(bench.known["k0"][0].marks.outage(bench.now).is_some(), "it never came back by itself");
        bench.ended(&probe, true);
    }
    bench.observe("k0", "", Observed::Worked);
    assert_eq!(bench.next(), None);
}

#[test]
fn an_exhaustion_that_is_a_guess_is_probed_and_a_stated_one_never() {
    let mut bench = Bench::new(2);
    let guess = doubled(EXHAUSTED_FOR_MS, 0, LONGEST_GUESSED_EXHAUSTION_MS);
    bench.observe("k0", "", Observed::Exhausted { until: START + guess, times: 0 });
    bench.observe("k1", "", Observed::Exhausted { until: START + HOUR, times: 0 });
    let (after, probe) = bench.next().unwrap();
    assert_eq!(probe.target.upstream_key_id, "k0");
    assert!(after < 5 * MINUTE, "long before the hour is over");
    let guess = doubled(EXHAUSTED_FOR_MS, 1, LONGEST_GUESSED_EXHAUSTION_MS);
    bench.observe("k0", "", Observed::Exhausted { until: bench.now + guess, times: 1 });
    bench.ended(&probe, true);
    let (after, probe) = bench.next().unwrap();
    assert!(probe.target.upstream_key_id == "k0" && after > 6 * MINUTE && after < 10 * MINUTE, "{after} {probe:?}");
    // What a provider has stated holds even for a key that is refused, too.
    bench.observe("k1", "", Observed::Refused { times: 0 });
    bench.observe("k0", "", Observed::Worked);
    bench.now += 5 * MINUTE;
    assert_eq!(bench.due(), []);
}

#[test]
fn what_is_disabled_expired_or_removed_is_not_probed() {
    let mut bench = Bench::new(1);
    bench.observe("k0", "", Observed::Refused { times: 0 });
    bench.observe("gone", "", Observed::Refused { times: 0 });
    bench.now += 5 * MINUTE - 1;
    let now = bench.now;
    bench.key(0, |key| key.enabled = false);
    assert_eq!(bench.due(), []);
    bench.key(0, |key| (key.enabled, key.routing.expires_at_ms) = (true, Some(now)));
    assert_eq!(bench.due(), []);
    bench.key(0, |key| key.routing.expires_at_ms = None);
    bench.configure(|group| group.enabled = false);
    assert_eq!(bench.due(), []);
    bench.configure(|group| group.enabled = true);
    assert_eq!(bench.due().len(), 1);
}

#[test]
fn keys_of_one_group_are_probed_so_far_apart_that_they_are_no_failure_of_the_group() {
    let mut bench = Bench::new(4);
    for number in 0..4 {
        bench.observe(&format!("k{number}"), "", Observed::Refused { times: 0 });
    }
    let mut times = Vec::new();
    for _ in 0..4 {
        let (_, probe) = bench.next().unwrap();
        times.push(bench.now);
        bench.observe(&probe.target.upstream_key_id, "", Observed::Worked);
        bench.ended(&probe, true);
    }
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 10_000), "{times:?}");
    assert!(times[3] < START + 5 * MINUTE, "and yet all before their time is over");
}

#[test]
fn a_probe_that_says_nothing_is_made_again_later_and_later() {
    let mut bench = Bench::new(1);
    let guess = doubled(EXHAUSTED_FOR_MS, 5, LONGEST_GUESSED_EXHAUSTION_MS);
    bench.observe("k0", "", Observed::Exhausted { until: START + guess, times: 5 });
    let (_, probe) = bench.next().unwrap();
    assert_eq!(bench.due(), [], "one at a time");
    bench.ended(&probe, false);
    let mut pauses = Vec::new();
    for reached in [false, true, true, true, true] {
        let (after, probe) = bench.next().unwrap();
        pauses.push(after / 1_000);
        bench.ended(&probe, reached);
    }
    assert_eq!(pauses, [12, 12, 12, 20, 40], "the node's own failures do not count");
}

#[test]
fn a_model_is_probed_by_its_name_and_not_while_the_whole_key_is_out() {
    let mut bench = Bench::new(1);
    bench.observe("k0", "gpt-4o-mini", Observed::Refused { times: 0 });
    let (_, probe) = bench.next().unwrap();
    assert_eq!(probe.target.model, "gpt-4o-mini");
    bench.ended(&probe, false);
    bench.observe("k0", "", Observed::Refused { times: 0 });
    bench.now += 4 * MINUTE + 30_000;
    let probes = bench.due();
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0].target.model, "gpt-4o", "it is the whole key that is tried");
}

#[test]
fn a_whole_key_is_asked_for_the_test_model_or_one_that_it_may_be_used_for() {
    let target = |change: &dyn Fn(&mut Bench)| {
        let mut bench = Bench::new(1);
        bench.observe("k0", "", Observed::Refused { times: 0 });
        bench.now += 4 * MINUTE + 30_000;
        change(&mut bench);
        bench.due().pop().map(|probe| probe.target.model)
    };
    assert_eq!(
        target(&|bench| bench.configure(|group| group.test_model = Some("fast".into()))).unwrap(),
        "gpt-4o-mini"
    );
    let denied = |bench: &mut Bench| bench.key(0, |key| key.routing.denied_models = vec!["gpt-4o".into()]);
    assert_eq!(target(&denied).unwrap(), "gpt-4o-mini");
    let patterns = |bench: &mut Bench| bench.configure(|group| group.models = vec!["gpt-*".into()]);
    assert_eq!(target(&patterns).unwrap(), "", "the node finds one");
    // One that rests by its provider's word is left alone.
    let paused = |bench: &mut Bench| {
        bench.observe("k0", "gpt-4o", Observed::Paused { until: bench.now + MINUTE });
    };
    assert_eq!(target(&paused).unwrap(), "gpt-4o-mini");
    let none = |bench: &mut Bench| {
        paused(bench);
        bench.observe("k0", "gpt-4o-mini", Observed::Exhausted { until: bench.now + HOUR, times: 0 });
    };
    assert_eq!(target(&none), None);
}
