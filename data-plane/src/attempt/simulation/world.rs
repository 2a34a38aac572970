//! The providers: what is wrong with them and since when they are well, and what each attempt gets to hear.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use shared::ids::Id;
use shared::time::steady_ms;
use tokio::time::sleep;

use super::clock;
use super::judge::Judge;
use super::trouble::{self, Fault, Trouble};
use crate::attempt::send::simulated::{Reply, World};
use crate::route::candidate::Candidate;

/// An upstream key for a model by the vendor's name, which is empty for the key as a whole.
pub(super) type About = (Id, Arc<str>);

/// All providers, and what is judged of those who ask them.
#[derive(Debug)]
pub(super) struct Providers(Mutex<State>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) rng: Rng,
    /// By the id of the group.
    troubles: BTreeMap<Id, Trouble>,
    faults: BTreeMap<About, Fault>,
    /// Since when a group, or a key, is well that was not, in milliseconds of true time.
    well_since: BTreeMap<About, i64>,
    pub(super) judge: Judge,
}

/// An attempt that has arrived at its provider.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) request: usize,
    pub(super) group: Id,
    pub(super) key: Id,
    pub(super) model: Arc<str>,
    /// Whether nothing had failed there since the last good answer.
    pub(super) untroubled: bool,
    /// When it arrived.
    pub(super) at: i64,
}

impl Providers {
    /// Providers that are all well, of whom all that is by chance follows from `seed`.
    pub(super) fn new(seed: u64, judge: Judge) -> Self {
        let (rng, well_since) = (Rng::with_seed(seed), BTreeMap::new());
        Self(Mutex::new(State { rng, troubles: BTreeMap::new(), faults: BTreeMap::new(), well_since, judge }))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while it is held")
    }
}

impl State {
    /// From now on this is wrong with the provider of `group`; none where all is well again.
    pub(super) fn trouble(&mut self, group: &Id, trouble: Option<Trouble>) {
        self.judge.note(|| format!("provider of {group}: {trouble:?}"));
        match trouble {
            Some(trouble) => drop(self.troubles.insert(Arc::clone(group), trouble)),
            None => drop(self.troubles.remove(group)),
        }
        self.well_since.insert((Arc::clone(group), "group".into()), clock::now());
    }

    /// From now on this is wrong with the upstream key; none where all is well again.
    pub(super) fn fault(&mut self, about: About, fault: Option<Fault>) {
        self.judge.note(|| format!("upstream key {about:?}: {fault:?}"));
        self.well_since.insert(about.clone(), clock::now());
        match fault {
            Some(fault) => drop(self.faults.insert(about, fault)),
            None => drop(self.faults.remove(&about)),
        }
    }

    /// Nothing is wrong any more.
    pub(super) fn heal(&mut self) {
        for group in self.troubles.keys().cloned().collect::<Vec<_>>() {
            self.trouble(&group, None);
        }
        for about in self.faults.keys().cloned().collect::<Vec<_>>() {
            self.fault(about, None);
        }
    }

    /// For how long, in milliseconds, `key` of `group` would have served requests for `model` by now, if it would have
    /// at any time since `since`.
    pub(super) fn serves_since(&self, group: &Id, key: &Id, model: &Arc<str>, since: i64) -> Option<i64> {
        let now = clock::now();
        let mut well = 0;
        for about in
            [(Arc::clone(group), "group".into()), (Arc::clone(key), "".into()), (Arc::clone(key), Arc::clone(model))]
        {
            let ended = match self.faults.get(&about) {
                None => 0,
                Some(Fault::Limited(until) | Fault::LimitedUnstated(until)) => *until,
                Some(_) => return None,
            };
            well = well.max(ended).max(self.well_since.get(&about).copied().unwrap_or_default());
        }
        (!self.troubles.contains_key(group) && well <= since).then_some(now - well)
    }

    /// A request has failed, as `how` says; `spent` says that its retries were. The code of its node runs.
    pub(super) fn given_up(&mut self, number: usize, how: &str, spent: bool) {
        let request = &self.judge.requests[number];
        let since = request.begun;
        let candidates = request.candidates();
        let well = candidates.iter().filter_map(|(route, key)| {
            let key = &key.key.id;
            let well_for = self.serves_since(&route.group.group.id, key, &route.upstream_model, since)?;
            Some((Arc::clone(key), well_for))
        });
        let well = well.collect();
        self.judge.given_up(number, how, spent, &well);
    }

    /// What the attempt that `arrived` gets to hear, and after how many milliseconds.
    fn answer(&mut self, arrived: &Arrived) -> (u32, Heard) {
        let quick = self.rng.u32(5..400);
        let flaky = self.rng.u8(0..100);
        let slow = match self.troubles.get(&arrived.group) {
            Some(Trouble::Refuses) => return (1, Heard::Reply(|| Reply::Unreached)),
            Some(Trouble::Cuts) => return (quick, Heard::Reply(|| Reply::Cut)),
            Some(Trouble::Garbage) => return (quick, Heard::Reply(|| Reply::Garbage)),
            Some(Trouble::Silent) => return (3_600_000, Heard::Reply(|| Reply::Cut)),
            Some(Trouble::Errs(status)) => return (quick, Heard::Failure(*status)),
            Some(Trouble::Flaky(part)) if flaky < *part => return (quick, Heard::Failure(503)),
            Some(Trouble::Slow(time)) => *time,
            Some(Trouble::Flaky(_)) | None => quick,
        };
        let whole = (Arc::clone(&arrived.key), "".into());
        let of_model = (Arc::clone(&arrived.key), Arc::clone(&arrived.model));
        for about in [whole, of_model] {
            if let Some(fault) = self.faults.get(&about).filter(|fault| !fault.is_over(arrived.at)) {
                return (quick, Heard::Fault(about, *fault));
            }
        }
        let heard = if self.judge.is_bad(arrived.request) { Heard::Failure(400) } else { Heard::Success };
        (slow, heard)
    }

    /// The reply to the attempt that `arrived`, which leaves the provider and arrives at the node now.
    fn reply(&mut self, arrived: &Arrived, heard: Heard) -> Reply {
        match heard {
            Heard::Reply(reply) => {
                self.judge.failed(arrived);
                reply()
            }
            Heard::Failure(status) => {
                if status == 400 {
                    self.judge.answered(arrived);
                } else {
                    self.judge.failed(arrived);
                }
                trouble::error(status)
            }
            Heard::Fault(about, fault) => {
                let (reply, stated) = fault.reply(clock::now());
                self.judge.refused(arrived, about, fault, stated);
                reply
            }
            Heard::Success => {
                self.judge.served(arrived);
                trouble::well()
            }
        }
    }
}

/// What an attempt gets to hear.
#[derive(Clone, Debug)]
enum Heard {
    Success,
    Failure(u16),
    Fault(About, Fault),
    Reply(fn() -> Reply),
}

/// The providers of one simulation, to be asked.
pub(super) struct Asked(pub(super) Arc<Providers>);

impl World for Asked {
    fn ask(&self, candidate: &Candidate) -> Pin<Box<dyn Future<Output = Reply> + Send>> {
        let arrived = Arrived {
            request: clock::request().expect("a request is served"),
            group: Arc::clone(&candidate.group.group.id),
            key: Arc::clone(&candidate.key.key.id),
            model: Arc::clone(&candidate.upstream_model),
            untroubled: candidate.is_untroubled(),
            at: clock::now(),
        };
        let (time, heard) = {
            let mut state = self.0.state();
            state.judge.arrived(&arrived);
            state.answer(&arrived)
        };
        let running = Running::begin(candidate, &arrived, &self.0);
        let providers = Arc::clone(&self.0);
        Box::pin(async move {
            sleep(Duration::from_millis(time.into())).await;
            drop(running);
            providers.state().reply(&arrived, heard)
        })
    }
}

/// An attempt that is under way, and what it tests, until it is over.
struct Running {
    providers: Arc<Providers>,
    arrived: Arrived,
    tests: Vec<About>,
}

impl Running {
    fn begin(candidate: &Candidate, arrived: &Arrived, providers: &Arc<Providers>) -> Self {
        let now = steady_ms();
        let (group, key, model) = (&arrived.group, &arrived.key, &arrived.model);
        let mut state = providers.state();
        let guessed = candidate.key.health.at(now, model).is_err_and(|out| out.why.is_guess());
        let fails = !candidate.state.breaker.allows(now) || state.judge.fails(arrived);
        let tests = [
            fails.then(|| (Arc::clone(group), Arc::clone(model))),
            (!candidate.key.breaker.allows(now)).then(|| (Arc::clone(key), "breaker".into())),
            guessed.then(|| (Arc::clone(key), "guess".into())),
            candidate.group.rest.is_on(now).then(|| (Arc::clone(group), "".into())),
            candidate.state.rest.is_on(now).then(|| (Arc::clone(group), format!("rest of {model}").into())),
        ];
        let tests: Vec<About> = tests.into_iter().flatten().collect();
        state.judge.begun(arrived, candidate.is_out(now), &tests);
        drop(state);
        Self { providers: Arc::clone(providers), arrived: arrived.clone(), tests }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.providers.state().judge.over(&self.arrived, &self.tests);
    }
}
