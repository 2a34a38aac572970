//! An attempt that is under way, as those see it that it keeps busy.

use std::sync::Arc;
use std::time::Duration;

use shared::time::steady_ms;
use translation::ir::Usage;

use super::breaker::Breaker;
use super::candidate::Candidate;
use super::load::Load;
use super::models::ModelState;
use super::one_test::{Barred, Testing};
use crate::limit::reservation::Reservation;

/// An attempt that is under way. It keeps its group, its key and its model busy until it is dropped, and lets their
/// breakers know how it went.
#[derive(Debug)]
pub struct Occupied {
    group: Arc<Load>,
    model: Arc<ModelState>,
    key: Arc<Load>,
    breaker: Arc<Breaker>,
    /// When the breakers let it through, by this node's own clock in milliseconds.
    entered: i64,
    /// Whether the breakers know how it went.
    told: bool,
    /// The guesses that it tests, of the key, the group and the model.
    tests: Tests,
    /// Whether it keeps anything busy, and what it measures and fails at counts.
    counts: bool,
    /// What it has taken of the limits of its group and its key.
    taken: [Option<Reservation>; 2],
    /// Whether the provider has begun to answer, so that tokens are spent.
    spends: bool,
}

/// What an attempt takes of limits before it is sent: it is given back unless it is.
struct Taken([Option<Reservation>; 2]);

impl Taken {
    fn into_parts(mut self) -> [Option<Reservation>; 2] {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        for taken in self.0.iter().flatten() {
            taken.settle_tokens(0);
            taken.uncount();
        }
    }
}

/// Takes a request with its tokens of the limits of the group and of the key of `candidate`. None where one of them has
/// no room.
fn take(candidate: &Candidate) -> Option<Taken> {
    let mut all = Taken([None, None]);
    for (place, limits) in all.0.iter_mut().zip([&candidate.group.limits, &candidate.key.limits]) {
        if let Some(limits) = limits {
            place.insert(limits.begin().ok()?).estimate(candidate.tokens).ok()?;
        }
    }
    Some(all)
}

/// The tests of what a guess has rest: the key, the group, the model.
type Tests = [Option<Testing>; 3];

/// Begins the tests of what has `candidate` rest by a guess.
///
/// # Errors
/// [`Barred`]: it may not be tried at `now`.
fn enter(candidate: &Candidate, now: i64) -> Result<Tests, Barred> {
    Ok([
        candidate.key.health.enter(now, &candidate.upstream_model)?,
        candidate.group.rest.enter(now)?,
        candidate.state.rest.enter(now)?,
    ])
}

/// What has failed where an attempt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The model at the group, and it may be for the key that was used.
    Key,
    /// The model at the group, with whatever key.
    Model,
}

impl Occupied {
    /// Begins an attempt at `candidate`; none where a breaker does not let it through, another attempt tests what has
    /// it rest, or a limit leaves no room for it.
    pub fn begin(candidate: &Candidate) -> Option<Self> {
        let (model, breaker) = (&candidate.state, &candidate.key.breaker);
        let now = steady_ms();
        let taken = take(candidate)?;
        if !model.breaker.enter(now) {
            return None;
        }
        if !breaker.enter(now) {
            model.breaker.left(now);
            return None;
        }
        let Ok(tests) = enter(candidate, now) else {
            model.breaker.left(now);
            breaker.left(now);
            return None;
        };
        let (group, key) = (&candidate.group.load, &candidate.key.load);
        for load in [&**group, &model.load, &**key] {
            load.begin();
        }
        Some(Self {
            group: Arc::clone(group),
            model: Arc::clone(model),
            key: Arc::clone(key),
            breaker: Arc::clone(breaker),
            entered: now,
            told: false,
            tests,
            counts: true,
            taken: taken.into_parts(),
            spends: false,
        })
    }

    /// Begins a probe of `candidate`, which goes whatever fails or rests there. It keeps nothing busy, measures nothing
    /// and counts as no failure; where it is answered, what has failed so far is tried again.
    pub fn probe(candidate: &Candidate) -> Self {
        Self {
            group: Arc::clone(&candidate.group.load),
            model: Arc::clone(&candidate.state),
            key: Arc::clone(&candidate.key.load),
            breaker: Arc::clone(&candidate.key.breaker),
            entered: steady_ms(),
            // It has let nothing through that would have to be taken back.
            told: true,
            tests: Tests::default(),
            counts: false,
            taken: [None, None],
            spends: false,
        }
    }

    /// The answer has begun after `time`.
    pub fn began(&mut self, time: Duration) {
        let now = steady_ms();
        let loads = [&*self.group, &self.model.load, &*self.key];
        self.spends = true;
        loads.into_iter().filter(|_| self.counts).for_each(|load| load.measured(time, now));
        self.answered();
    }

    /// It is cancelled after `time`, because another attempt of the request has answered: how long it would have taken
    /// is not known, only that it is longer.
    pub fn outrun(&self, time: Duration) {
        let now = steady_ms();
        for load in [&*self.group, &self.model.load, &*self.key] {
            load.at_least(time, now);
        }
    }

    /// The provider has answered, whatever it said.
    pub fn answered(&mut self) {
        self.is_told();
        let now = steady_ms();
        if !self.counts && self.model.breaker.is_closed() && self.breaker.is_closed() {
            return;
        }
        self.model.breaker.succeeded(now);
        self.breaker.succeeded(now);
    }

    /// It is known how it went, though the answer may be on its way for long: what it has tested may be tested anew.
    fn is_told(&mut self) {
        self.told = true;
        self.tests = Tests::default();
    }

    /// The provider has reported what the whole answer took.
    pub fn reported(&self, usage: &Usage) {
        self.model.cached.reported(usage.input, usage.cached);
        let usage = [usage.input, usage.cached, usage.output, usage.reasoning];
        self.taken.iter().flatten().for_each(|taken| taken.settle(usage));
    }

    /// The provider has answered that the key has reached a limit, or has no money.
    pub fn limited(&mut self) {
        self.is_told();
        if !self.counts {
            return;
        }
        let now = steady_ms();
        self.model.breaker.limited(now, self.entered);
        self.breaker.limited(now, self.entered);
    }

    /// The provider has not answered, or has failed. Says whether it is left alone from now on.
    pub fn failed(&mut self, what: Failed) -> bool {
        self.is_told();
        if !self.counts {
            return false;
        }
        let now = steady_ms();
        let opened = self.model.breaker.failed(now, self.entered);
        match what {
            Failed::Key => self.breaker.failed(now, self.entered) || opened,
            Failed::Model => {
                self.breaker.succeeded(now);
                opened
            }
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        if !self.spends {
            self.taken.iter().flatten().for_each(|taken| taken.settle_tokens(0));
        }
        if self.counts {
            for load in [&*self.group, &self.model.load, &*self.key] {
                load.end();
            }
        }
        if !self.told {
            self.model.breaker.left(self.entered);
            self.breaker.left(self.entered);
        }
    }
}
