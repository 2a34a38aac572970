//! An attempt that is under way, as those see it that it keeps busy.

use std::sync::Arc;
use std::time::Duration;

use shared::time::steady_ms;

use super::breaker::Breaker;
use super::candidate::Candidate;
use super::health::KeyHealth;
use super::load::Load;
use super::models::ModelState;

/// An attempt that is under way. It keeps its group, its key and its model busy until it is dropped, and lets their
/// breakers know how it went.
#[derive(Debug)]
pub struct Occupied {
    group: Arc<Load>,
    model: Arc<ModelState>,
    key: Arc<Load>,
    breaker: Arc<Breaker>,
    /// Whether the breakers know how it went.
    told: bool,
    /// The key whose guessed pause it tests, if it does.
    test: Option<Arc<KeyHealth>>,
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
    /// Begins an attempt at `candidate`; none where a breaker does not let it through.
    pub fn begin(candidate: &Candidate) -> Option<Self> {
        let (model, breaker) = (&candidate.state, &candidate.key.breaker);
        let now = steady_ms();
        if !model.breaker.enter(now) {
            return None;
        }
        if !breaker.enter(now) {
            model.breaker.left();
            return None;
        }
        let Some(is_test) = candidate.key.health.enter(now, &candidate.upstream_model) else {
            [&model.breaker, &**breaker].into_iter().for_each(Breaker::left);
            return None;
        };
        let test = is_test.then(|| Arc::clone(&candidate.key.health));
        let (group, key) = (&candidate.group.load, &candidate.key.load);
        for load in [group, &model.load, key] {
            load.begin();
        }
        Some(Self {
            group: Arc::clone(group),
            model: Arc::clone(model),
            key: Arc::clone(key),
            breaker: Arc::clone(breaker),
            told: false,
            test,
        })
    }

    /// The answer has begun after `time`.
    pub fn began(&mut self, time: Duration) {
        let now = steady_ms();
        for load in [&self.group, &self.model.load, &self.key] {
            load.measured(time, now);
        }
        self.answered();
    }

    /// The provider has answered, whatever it said.
    pub fn answered(&mut self) {
        self.told = true;
        let now = steady_ms();
        self.model.breaker.succeeded(now);
        self.breaker.succeeded(now);
    }

    /// The provider has not answered, or has failed. Says whether it is left alone from now on.
    pub fn failed(&mut self, what: Failed) -> bool {
        self.told = true;
        let now = steady_ms();
        let opened = self.model.breaker.failed(now);
        match what {
            Failed::Key => self.breaker.failed(now) || opened,
            Failed::Model => {
                self.breaker.succeeded(now);
                opened
            }
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        for load in [&self.group, &self.model.load, &self.key] {
            load.end();
        }
        if let Some(health) = &self.test {
            health.tested();
        }
        if !self.told {
            self.model.breaker.left();
            self.breaker.left();
        }
    }
}
