//! What is known of an upstream key's health: as one node saw it ([`KeyState`]), and as this node counts it
//! ([`KeyHealth`]).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::ids::Id;
use shared::marks::{Marks, Observed, believed};

use super::clock::FleetClock;

/// The most models of one key of which something is remembered. Of more, the one of the oldest news is forgotten.
const MOST_MODELS: usize = 256;

/// What a provider made of an upstream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The key works.
    Valid,
    /// The provider refused the key.
    Invalid,
    /// The provider asked for a pause.
    CoolingDown,
}

impl Health {
    /// The name in log lines: that of the config stream's messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "HEALTH_VALID",
            Self::Invalid => "HEALTH_INVALID",
            Self::CoolingDown => "HEALTH_COOLING_DOWN",
        }
    }
}

/// What a node saw of an upstream key. All times are epoch milliseconds of the fleet's clock ([`FleetClock`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// Id of the upstream key.
    pub upstream_key_id: Id,
    /// Id of its group.
    pub group_id: Id,
    /// The vendor's name of the model that it is about. Empty: it is about the whole key.
    pub model: Arc<str>,
    /// What the provider made of it.
    pub health: Health,
    /// The end of the pause, where the provider asked for one.
    pub until_ms: i64,
    /// The HTTP status that said so.
    pub status: u16,
    /// When it was seen.
    pub observed_at_ms: i64,
}

impl KeyState {
    fn observed(&self) -> Observed {
        match self.health {
            Health::Valid => Observed::Worked,
            Health::Invalid => Observed::Refused,
            Health::CoolingDown => Observed::Paused { until: self.until_ms },
        }
    }
}

/// The health of one upstream key.
#[derive(Debug, Default)]
pub struct KeyHealth {
    clock: Arc<FleetClock>,
    /// Until then, by this node's own clock, the key may be out, as a whole or for a model. It is what most requests
    /// look at, and nothing else.
    out_until: AtomicI64,
    /// What is known of the key, and of the models behind it. Nobody waits while this is held.
    known: Mutex<Vec<(Arc<str>, Marks)>>,
}

/// Why a key is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unhealthy {
    /// The provider asked for a pause.
    CoolingDown,
    /// The provider refused it.
    Invalid,
}

/// A key that is out. The order is that in which keys are tried when all are out: those that only rest first, the
/// soonest before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Out {
    /// Why.
    pub why: Unhealthy,
    /// When it is over, by this node's own clock in milliseconds.
    pub until: i64,
}

impl KeyHealth {
    /// The health of a key of which nothing is known.
    pub fn new(clock: Arc<FleetClock>) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Whether the key may be used for `model` when this node's own clock ([`shared::time::steady_ms`]) says `steady`,
    /// and why not.
    pub fn at(&self, steady: i64, model: &str) -> Result<(), Out> {
        if self.out_until.load(Ordering::Relaxed) <= steady {
            return Ok(());
        }
        let now = self.clock.at(steady);
        let known = self.known();
        let about = known.iter().filter(|(name, _)| name.is_empty() || **name == *model);
        let out = about.flat_map(|(_, marks)| {
            let refusal = marks.refusal(now).map(|mark| (Unhealthy::Invalid, mark));
            [refusal, marks.pause(now).map(|mark| (Unhealthy::CoolingDown, mark))]
        });
        let out = out.flatten().map(|(why, mark)| Out { why, until: self.clock.steady(mark.until) });
        out.max().map_or(Ok(()), Err)
    }

    /// Takes in what this node or another one saw. Says whether that is newer than what was known.
    pub fn observe(&self, state: &KeyState) -> bool {
        let now = self.clock.now();
        let (observed, at) = believed(state.observed(), state.observed_at_ms, now);
        self.add(&state.model, &Marks::of(observed, at, state.status), now)
    }

    /// Whether the key, as a whole or for `model`, is out already by `health`, and as long as `until`.
    pub fn outlasts(&self, health: Health, model: &str, until: i64) -> bool {
        if self.out_until.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let now = self.clock.now();
        let known = self.known();
        let mut about = known.iter().filter(|(name, _)| name.is_empty() || **name == *model);
        about.any(|(_, marks)| match health {
            Health::Valid => false,
            Health::Invalid => marks.refusal(now).is_some(),
            Health::CoolingDown => marks.pause(now).is_some_and(|mark| mark.until >= until),
        })
    }

    /// The time of something that is about to be observed of the key or of `model` behind it. It is later than that of
    /// all that is known, so that what this node knew already does not count as news.
    pub fn next_time(&self, model: &str) -> i64 {
        self.newest(model).map_or_else(|| self.clock.now(), |newest| self.clock.now().max(newest + 1))
    }

    /// The time at which a request to `model` begins. If it is successful, it ends what was known by then.
    pub fn begin(&self, model: &str) -> i64 {
        if self.out_until.load(Ordering::Relaxed) == 0 {
            return self.clock.now();
        }
        self.newest(model).map_or_else(|| self.clock.now(), |newest| self.clock.now().max(newest))
    }

    /// Whether the key, or `model` behind it, was out for something that a request which began at `began` and was
    /// successful has disproved. One load where nothing is known: this is asked on every request.
    pub fn disproved(&self, model: &str, began: i64) -> bool {
        if self.out_until.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let now = self.clock.now();
        let known = self.known();
        let marks = known.iter().find(|(name, _)| **name == *model).map(|(_, marks)| *marks);
        let out = |mark: Option<shared::marks::Mark>| mark.is_some_and(|mark| mark.at <= began);
        marks.is_some_and(|marks| out(marks.refusal(now)) || out(marks.pause(now)))
    }

    /// All that is known and counts still: of the key, and of the models behind it.
    pub fn told(&self) -> Vec<(Arc<str>, Observed, i64, u16)> {
        let now = self.clock.now();
        let known = self.known();
        let told = |(model, marks): &(Arc<str>, Marks)| {
            let model = Arc::clone(model);
            let told: Vec<_> = marks.told(now).collect();
            told.into_iter().map(move |(observed, at, status)| (Arc::clone(&model), observed, at, status))
        };
        known.iter().flat_map(told).collect()
    }

    /// Moves all times by `step` milliseconds, with the clock of the fleet.
    pub fn shift(&self, step: i64) {
        let mut known = self.known();
        known.iter_mut().for_each(|(_, marks)| marks.shift(step));
        self.note(&known);
    }

    fn newest(&self, model: &str) -> Option<i64> {
        let known = self.known();
        known.iter().filter(|(name, _)| name.is_empty() || **name == *model).map(|(_, marks)| marks.newest()).max()
    }

    fn add(&self, model: &Arc<str>, news: &Marks, now: i64) -> bool {
        let mut known = self.known();
        let changed = if let Some((_, marks)) = known.iter_mut().find(|(name, _)| name == model) {
            marks.merge(news)
        } else {
            if news.is_over(now) {
                return false;
            }
            known.retain(|(_, marks)| !marks.is_over(now));
            if known.len() >= MOST_MODELS {
                let oldest = known.iter().enumerate().min_by_key(|(_, (_, marks))| marks.newest());
                let oldest = oldest.map(|(position, _)| position);
                oldest.map(|position| known.swap_remove(position));
            }
            known.push((Arc::clone(model), *news));
            true
        };
        self.note(&known);
        changed
    }

    /// Notes for the requests to come how long something of `known` may count.
    fn note(&self, known: &[(Arc<str>, Marks)]) {
        let until = known.iter().map(|(_, marks)| marks.out_until()).max().unwrap_or_default();
        let until = if until == 0 { 0 } else { self.clock.steady(until) };
        self.out_until.store(until, Ordering::Relaxed);
    }

    fn known(&self) -> MutexGuard<'_, Vec<(Arc<str>, Marks)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
