//! What is asserted of routing, of each attempt and each request as it comes.
//!
//! - No request fails while a candidate that it may use could have served it. A candidate *could have served* if, from
//!   when the request came until it failed, one who sees everything would have had it answer, and nothing that the
//!   provider itself has stated to this node stood against it when the request failed: a pause, that there is no money,
//!   that the key is refused without doubt. What a provider takes back without saying so, nobody can know. Only where
//!   all candidates were refused, even that is no excuse. Besides, a failure is excused by the bounds of the request
//!   ([`Request::is_bound`], its retry budget, its deadline), while another request tests the candidate, and while a
//!   breaker is open: at most 8 s after the last attempt there. A guess of ours is no excuse.
//! - No attempt at a key within a pause that its provider has stated and the node has heard of, and none at a key
//!   without money.
//! - Retries stay within their budget, a request within six attempts, three keys of a group and one try of each key.
//! - A conversation is served at its home as long as that is well, on whatever node, and moves only where its home is
//!   taken away or one is added.
//! - What is left alone is tested by one request at a time, and what has failed five times in a row is left alone.
//! - What rests is tried when nothing that is well is left, and not beside another attempt of the request.
//! - A success ends what has kept its key out, and the rest of its group.

mod pauses;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use shared::ids::Id;
use shared::time::steady_ms;

use self::pauses::Pause;
use super::clock;
use super::request::{Reason, Request, is_busy};
use super::trouble::Fault;
use super::world::{About, Arrived};
use crate::attempt::course::{MOST_KEYS, MOST_TRIES};
use crate::route::breaker::IN_A_ROW;
use crate::route::candidate::Candidate;
use crate::route::table::{Route, RoutedKey};

/// A node, and how often it has begun anew.
pub(super) type Machine = (usize, u32);

/// How far two machines may be apart in what they take for the time of the fleet, in milliseconds: a correction below a
/// second is none, and a message that tells the time takes time itself.
pub(super) const SKEW_MS: i64 = 3_000;

/// How often what happened, to see that the assertions are about something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) attempts: u64,
    pub(super) rescued: u64,
    pub(super) failed: u64,
    pub(super) could_serve: u64,
    pub(super) at_home: u64,
    pub(super) waited: u64,
    pub(super) tests: u64,
    pub(super) news: u64,
}

/// The longest time for which a breaker stays open, in milliseconds, and what a timer may be late.
const OPEN_MS: i64 = 8_010;

/// A node, a group or key, and a model or what else it is about.
type Place = (Machine, Id, Arc<str>);

/// What has been seen, and what was wrong with it.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) requests: Vec<Request>,
    pauses: BTreeMap<About, Vec<Pause>>,
    /// The first attempts of requests, and further ones, of each node within the last seconds.
    load: BTreeMap<Machine, VecDeque<(i64, bool)>>,
    /// The homes of conversations, by the version of the config.
    homes: BTreeMap<([u8; 32], Arc<str>, u32), BTreeMap<u64, Id>>,
    /// The keys of each version of the config.
    keys: BTreeMap<u64, BTreeSet<Id>>,
    /// Tests that are under way, of what is named.
    tests: BTreeMap<Place, u32>,
    /// When an attempt was last over, of a group and of a key.
    over: BTreeMap<Place, i64>,
    /// How many attempts have failed in a row.
    in_a_row: BTreeMap<Place, u32>,
    /// When a provider last refused an attempt because of this key.
    refused: BTreeMap<Id, i64>,
    pub(super) groups: usize,
    pub(super) counts: Counts,
    pub(super) violations: Vec<String>,
    /// What happened, where that is wanted.
    pub(super) notes: Option<Vec<String>>,
}

impl Judge {
    /// Of a config with so many groups. `notes` takes what happens, where that is wanted.
    pub(super) fn new(groups: usize, notes: Option<Vec<String>>) -> Self {
        Self { groups, notes, ..Self::default() }
    }

    /// Notes what happens, where that is wanted.
    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(notes) = &mut self.notes {
            notes.push(format!("{:>8} {}", clock::now(), what()));
        }
    }

    /// Notes that something is wrong.
    pub(super) fn wrong(&mut self, what: String) {
        self.note(|| format!("WRONG: {what}"));
        self.violations.push(format!("at {} ms: {what}", clock::now()));
    }

    /// Whether the request is at fault itself.
    pub(super) fn is_bad(&self, request: usize) -> bool {
        self.requests[request].bad
    }

    /// A request has come. Gives its number.
    pub(super) fn came(&mut self, request: Request) -> usize {
        self.counts.requests += 1;
        let number = self.requests.len();
        self.note(|| {
            let Request { machine, model, session, bad, .. } = &request;
            format!(
                "request {number} for {model} at node {machine:?}, session {session:?}{}",
                if *bad { ", bad" } else { "" }
            )
        });
        self.requests.push(request);
        number
    }

    /// The request is about to be sent to its first candidate.
    pub(super) fn routed(&mut self, number: usize) {
        let request = &mut self.requests[number];
        if clock::now() > request.begun {
            self.counts.waited += 1;
        }
        let candidates = request.candidates();
        let free = |(route, key): &&(Route, Arc<RoutedKey>)| Reason::of(route, key).is_none();
        let well: BTreeSet<Id> = candidates.iter().filter(free).map(|(_, key)| Arc::clone(&key.key.id)).collect();
        let idle = |key: &Id| candidates.iter().any(|(route, own)| own.key.id == *key && !is_busy(route, own));
        request.calm = candidates.iter().all(|(_, key)| well.contains(&key.key.id) && idle(&key.key.id));
        let keeps = candidates.iter().all(|(route, _)| route.group.group.routing.affinity);
        let version = request.table.snapshot.version;
        if let (Some(session), true) = (request.session, keeps) {
            let homes = self.homes.get(&(request.client, Arc::clone(&request.model), session));
            request.home =
                homes.and_then(|homes| homes.get(&version)).filter(|key| well.contains(*key) && idle(key)).cloned();
        } else {
            request.session = None;
        }
        request.well = well;
    }

    /// An attempt has arrived at its provider. The code of the node that sends it runs.
    pub(super) fn arrived(&mut self, arrived: &Arrived) {
        self.counts.attempts += 1;
        self.note(|| format!("request {} is sent to {}", arrived.request, arrived.key));
        self.pauses(arrived);
        self.bounds(arrived);
        self.retries(arrived);
        if self.requests[arrived.request].tried.is_empty() {
            self.home(arrived);
        }
        let tried = (Arc::clone(&arrived.group), Arc::clone(&arrived.key), arrived.at);
        self.requests[arrived.request].tried.push(tried);
    }

    fn bounds(&mut self, arrived: &Arrived) {
        let tried = &self.requests[arrived.request].tried;
        let of_group = tried.iter().filter(|(group, ..)| *group == arrived.group).count();
        let again = tried.iter().any(|(_, key, _)| *key == arrived.key);
        if tried.len() >= MOST_TRIES as usize || of_group >= MOST_KEYS as usize || again {
            self.wrong(format!("request {} is sent to {} behind {tried:?}", arrived.request, arrived.key));
        }
    }

    fn retries(&mut self, arrived: &Arrived) {
        let request = &self.requests[arrived.request];
        // To move on to another group that is well is free.
        let relief = arrived.untroubled && request.tried.iter().all(|(group, ..)| *group != arrived.group);
        if relief && !request.tried.is_empty() {
            return;
        }
        let (machine, is_retry) = (request.machine, !request.tried.is_empty());
        let load = self.load.entry(machine).or_default();
        load.push_back((arrived.at, is_retry));
        while load.front().is_some_and(|(at, _)| *at <= arrived.at - 11_000) {
            load.pop_front();
        }
        let requests = load.iter().filter(|(_, is_retry)| !is_retry).count();
        let retries = load.iter().filter(|(at, is_retry)| *is_retry && *at > arrived.at - 9_000).count();
        // Each group that requests go to first has a budget of its own, and three a second beyond that.
        let least = 30 * self.groups;
        let most = (requests / 5).max(least) + least;
        if is_retry && retries > most {
            self.wrong(format!("{retries} retries within 9 s by {machine:?} beside {requests} requests"));
        }
    }

    fn home(&mut self, arrived: &Arrived) {
        let request = &self.requests[arrived.request];
        let Some(session) = request.session else { return };
        let version = request.table.snapshot.version;
        if let Some(home) = &request.home {
            if *home == arrived.key {
                self.counts.at_home += 1;
            } else {
                let (number, key) = (arrived.request, &arrived.key);
                let machine = request.machine;
                self.wrong(format!(
                    "request {number} of session {session} is sent to {key} by {machine:?}, and its home {home} is well"
                ));
            }
            return;
        }
        if !request.calm {
            return;
        }
        let about = (request.client, Arc::clone(&request.model), session);
        let candidates = request.candidates();
        let groups = request.table.groups().iter();
        let all = groups.flat_map(|group| group.keys.iter().map(|key| Arc::clone(&key.key.id))).collect();
        let before = self.homes.get(&about).and_then(|homes| homes.range(..version).next_back());
        let moved = before.filter(|(earlier, home)| {
            let is_new = !self.keys.get(earlier).is_some_and(|keys| keys.contains(&arrived.key));
            let is_there = candidates.iter().any(|(_, key)| key.key.id == **home);
            is_there && **home != arrived.key && !is_new
        });
        if let Some(home) = moved.map(|(_, home)| Arc::clone(home)) {
            let key = &arrived.key;
            self.wrong(format!("session {session} has moved from {home} to {key}, and neither is new or gone"));
        }
        self.keys.entry(version).or_insert(all);
        self.homes.entry(about).or_default().entry(version).or_insert_with(|| Arc::clone(&arrived.key));
    }

    /// Whether `machine` tests something now that keeps `key` in `route` out.
    fn is_tested(&self, machine: Machine, route: &Route, key: &RoutedKey) -> bool {
        let (group, key, model) = (&route.group.group.id, &key.key.id, &route.upstream_model);
        let what =
            [(group, &**model), (group, ""), (group, &*format!("rest of {model}")), (key, "guess"), (key, "breaker")];
        let runs = |(id, what): (&Id, &str)| self.tests.get(&(machine, Arc::clone(id), what.into())).copied() > Some(0);
        what.into_iter().any(runs)
    }

    /// Whether an attempt of `machine` at the model of `route`, or with `key`, has ended within the longest time for
    /// which a breaker stays open.
    fn has_just_failed(&self, machine: Machine, route: &Route, key: &RoutedKey) -> bool {
        let recent = |((of, id, model), at): (&Place, &i64)| {
            let of_group = *id == route.group.group.id && *model == route.upstream_model;
            *of == machine && (of_group || *id == key.key.id) && clock::now() - at <= OPEN_MS
        };
        self.over.iter().any(recent)
    }

    /// Whether attempts for its model at its group have failed so often in a row that one at a time may go there.
    pub(super) fn fails(&self, arrived: &Arrived) -> bool {
        self.in_a_row.get(&self.place(arrived)).is_some_and(|failures| *failures >= IN_A_ROW)
    }

    /// Where an attempt is made: its node, group and model.
    fn place(&self, arrived: &Arrived) -> Place {
        (self.requests[arrived.request].machine, Arc::clone(&arrived.group), Arc::clone(&arrived.model))
    }

    /// An attempt is under way that `tests` whether what is left alone is well again. `rests` says that it is at what
    /// rests.
    pub(super) fn begun(&mut self, arrived: &Arrived, rests: bool, tests: &[About]) {
        let (number, key) = (arrived.request, &arrived.key);
        let request = &mut self.requests[number];
        request.running += 1;
        let (machine, running, is_first) = (request.machine, request.running, request.tried.len() == 1);
        let well = request.well.len();
        if rests && (running > 1 || is_first && well > 0) {
            self.wrong(format!(
                "request {number} is sent to {key}, which rests, beside {running}, and {well} are well"
            ));
        }
        for (id, what) in tests {
            let tests = self.tests.entry((machine, Arc::clone(id), Arc::clone(what))).or_default();
            *tests += 1;
            if *tests > 1 {
                self.wrong(format!("request {number}: {machine:?} makes more than one test of {id} {what} at once"));
            }
        }
        self.counts.tests += u64::from(!tests.is_empty());
    }

    /// An attempt that has arrived is over.
    pub(super) fn over(&mut self, arrived: &Arrived, tests: &[About]) {
        let request = &mut self.requests[arrived.request];
        request.running -= 1;
        let machine = request.machine;
        let now = clock::now();
        for id in [&arrived.group, &arrived.key] {
            self.over.insert((machine, Arc::clone(id), Arc::clone(&arrived.model)), now);
        }
        for (id, what) in tests {
            if let Some(tests) = self.tests.get_mut(&(machine, Arc::clone(id), Arc::clone(what))) {
                *tests -= 1;
            }
        }
    }

    /// The provider has answered an attempt, whatever it said.
    pub(super) fn answered(&mut self, arrived: &Arrived) {
        let place = self.place(arrived);
        self.in_a_row.remove(&place);
    }

    /// An attempt has been answered well.
    pub(super) fn served(&mut self, arrived: &Arrived) {
        self.note(|| format!("request {} is served by {}", arrived.request, arrived.key));
        self.answered(arrived);
        for model in [Arc::from(""), Arc::clone(&arrived.model)] {
            if let Some(pauses) = self.pauses.get_mut(&(Arc::clone(&arrived.key), model)) {
                pauses.retain(|pause| pause.stated > arrived.at + SKEW_MS);
            }
        }
    }

    /// The provider has failed an attempt, in a way that says nothing of the key.
    pub(super) fn failed(&mut self, arrived: &Arrived) {
        self.note(|| format!("request {} has failed at {}", arrived.request, arrived.key));
        let place = self.place(arrived);
        *self.in_a_row.entry(place).or_default() += 1;
    }

    /// The provider has refused an attempt because of its key, and may have stated for how many seconds.
    pub(super) fn refused(&mut self, arrived: &Arrived, about: About, fault: Fault, stated: Option<i64>) {
        self.note(|| format!("request {} hears {fault:?} of {about:?}, stated {stated:?}", arrived.request));
        self.answered(arrived);
        self.refused.insert(Arc::clone(&arrived.key), clock::now());
        let lasts = match (fault, stated) {
            (Fault::Limited(_), Some(seconds)) => (seconds * 1_000).min(120_000),
            (Fault::NoMoney(..), Some(seconds)) if seconds > 120 => seconds * 1_000,
            (Fault::NoMoney(..), _) => 3_600_000,
            _ => return,
        };
        // A rate limit is one of the model that was asked for.
        let about = if matches!(fault, Fault::Limited(_)) { (about.0, Arc::clone(&arrived.model)) } else { about };
        let (now, own) = (clock::now(), self.requests[arrived.request].machine);
        let pause = Pause { stated: now, until: now + lasts, known: BTreeSet::from([own]), own };
        self.pauses.entry(about).or_default().push(pause);
    }

    /// `machine` has been told that a key is out until then, in milliseconds of true time.
    pub(super) fn told(&mut self, machine: Machine, about: &About, until: i64) {
        self.counts.news += 1;
        let same = |pause: &&mut Pause| (pause.until - until).abs() <= SKEW_MS;
        for pause in self.pauses.get_mut(about).into_iter().flatten().filter(same) {
            pause.known.insert(machine);
        }
    }

    /// A request has been served by `candidate`. The code of its node runs.
    pub(super) fn succeeded(&mut self, number: usize, candidate: &Candidate) {
        let request = &self.requests[number];
        self.counts.rescued += u64::from(request.tried.len() > 1);
        let (bad, key, now) = (request.bad, &candidate.key.key.id, steady_ms());
        let arrived = request.arrived_at(key).unwrap_or_default();
        let refused = self.refused.get(key).is_some_and(|refused| *refused + SKEW_MS >= arrived);
        if bad {
            self.wrong(format!("request {number} is at fault and was served"));
        }
        if let Err(out) = candidate.key.health.at(now, &candidate.upstream_model)
            && !refused
        {
            self.wrong(format!("request {number} is served by {key}, which is out all the same: {out:?}"));
        }
        if candidate.group.rest.is_on(now) || candidate.state.rest.is_on(now) {
            self.wrong(format!("request {number} is served by {key}, and its group rests all the same"));
        }
    }

    /// A request has failed, as `how` says. `well` says which keys would have served it all the while, and for how long
    /// those have been well, in milliseconds. `spent` says that its retries were. The code of its node runs.
    pub(super) fn given_up(&mut self, number: usize, how: &str, spent: bool, well: &BTreeMap<Id, i64>) {
        self.note(|| format!("request {number} fails: {how}"));
        self.counts.failed += 1;
        let now = clock::now();
        let request = &self.requests[number];
        if request.bad || spent || now >= request.deadline {
            return;
        }
        let candidates: Vec<_> = request.candidates();
        let reasons: Vec<_> = candidates.iter().map(|(route, key)| Reason::of(route, key)).collect();
        // Where no other is left, keys that were refused are tried, too.
        let all_refused = reasons.iter().all(|reason| *reason == Some(Reason::Refused));
        let mut wrong = Vec::new();
        let mut could_serve = 0;
        for ((route, key), reason) in candidates.iter().zip(reasons) {
            let group = &route.group.group;
            let Some(&well_for) = well.get(&key.key.id) else { continue };
            could_serve += 1;
            let excused = reason.is_some_and(|reason| match reason {
                Reason::Tested => self.is_tested(request.machine, route, key),
                Reason::Failing => {
                    self.is_tested(request.machine, route, key) || self.has_just_failed(request.machine, route, key)
                }
                stated => !all_refused && stated.stated_for().is_some_and(|time| well_for < time),
            });
            if !excused && !request.is_bound(&group.id, group.retry_count) {
                wrong.push(format!("{}, {reason:?}, well for {well_for} ms", key.key.id));
            }
        }
        self.counts.could_serve += could_serve;
        if !wrong.is_empty() {
            let tried = request.tried.clone();
            self.wrong(format!("request {number} fails ({how}), tried {tried:?}, and could be served by {wrong:?}"));
        }
    }
}

impl Counts {
    /// Adds what happened in another simulation.
    pub(super) fn add(&mut self, other: Self) {
        let Self { requests, attempts, rescued, failed, could_serve, at_home, waited, tests, news } = other;
        self.requests += requests;
        self.attempts += attempts;
        self.rescued += rescued;
        self.failed += failed;
        self.could_serve += could_serve;
        self.at_home += at_home;
        self.waited += waited;
        self.tests += tests;
        self.news += news;
    }
}
