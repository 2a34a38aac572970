//! What is known of an upstream key's health: as one node saw it ([`KeyState`]), and as this node counts it
//! ([`KeyHealth`]).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::ids::Id;
use shared::marks::{Mark, Marks, Observed, believed};

use super::one_test::{Barred, OneTest, Testing};
use super::strikes::Strikes;
use shared::clock::FleetClock;

/// The most models of one key of which something is remembered. Of more, the one of the oldest news is forgotten.
const MOST_MODELS: usize = 256;

/// What a provider made of an upstream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The key works.
    Valid,
    /// The provider refused the key.
    Invalid,
    /// Requests with the key were refused again and again, in words that leave doubt whether it is the key.
    Doubted,
    /// The provider stated a pause.
    CoolingDown,
    /// The provider asked for a pause and stated none.
    Guessed,
    /// The money or the quota of the key is spent.
    Exhausted,
}

impl Health {
    /// The name in log lines: that of the config stream's messages, where those have a name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "HEALTH_VALID",
            Self::Invalid | Self::Doubted => "HEALTH_INVALID",
            Self::CoolingDown | Self::Guessed => "HEALTH_COOLING_DOWN",
            Self::Exhausted => "HEALTH_EXHAUSTED",
        }
    }

    /// The newest of `marks` that says so.
    fn newest(self, marks: &Marks) -> Mark {
        match self {
            Self::Valid => Mark::default(),
            Self::Invalid | Self::Doubted => marks.refused,
            Self::CoolingDown => marks.paused,
            Self::Guessed => marks.guessed,
            Self::Exhausted => marks.exhausted,
        }
    }

    /// The same, where it counts at `now`.
    fn mark(self, marks: &Marks, now: i64) -> Option<Mark> {
        Some(self.newest(marks)).filter(|mark| mark.at > marks.worked && mark.until > now)
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
    /// When it ends, unless it is a refusal or none.
    pub until_ms: i64,
    /// How often the same had happened before since the key last worked.
    pub times: u8,
    /// The HTTP status that said so.
    pub status: u16,
    /// The words of the provider that said so, without its secrets; empty where it is not known.
    pub reason: Arc<str>,
    /// When it was seen.
    pub observed_at_ms: i64,
}

impl KeyState {
    /// What was observed.
    pub fn observed(&self) -> Observed {
        let (until, times) = (self.until_ms, self.times);
        match self.health {
            Health::Valid => Observed::Worked,
            Health::Invalid => Observed::Refused { times },
            Health::Doubted => Observed::Doubted { times },
            Health::CoolingDown => Observed::Paused { until },
            Health::Guessed => Observed::Guessed { until, times },
            Health::Exhausted => Observed::Exhausted { until, times },
        }
    }

    /// The same state, of which `observed` is known.
    #[must_use]
    pub fn with(self, observed: Observed) -> Self {
        let (health, until_ms, times) = match observed {
            Observed::Worked => (Health::Valid, 0, 0),
            Observed::Refused { times } => (Health::Invalid, 0, times),
            Observed::Doubted { times } => (Health::Doubted, 0, times),
            Observed::Paused { until } => (Health::CoolingDown, until, 0),
            Observed::Guessed { until, times } => (Health::Guessed, until, times),
            Observed::Exhausted { until, times } => (Health::Exhausted, until, times),
        };
        Self { health, until_ms, times, ..self }
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
    /// Whether a request tries the key though a guess has it rest.
    test: Arc<OneTest>,
    /// What may have been refusals of it.
    pub strikes: Strikes,
}

/// Why a key is out. The order is that in which reasons count where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unhealthy {
    /// The provider asked for a pause, and how long is a guess.
    Guessed,
    /// Requests with it were refused again and again, and that it is the key is a guess.
    Doubted,
    /// The provider refused it.
    Invalid,
    /// The provider stated a pause.
    CoolingDown,
    /// Its money or quota is spent.
    Exhausted,
}

impl Unhealthy {
    /// Whether such a key may be tried nevertheless when nothing else is left: a guess about health must not refuse a
    /// request, and what the provider itself has said is none.
    pub fn is_guess(self) -> bool {
        matches!(self, Self::Guessed | Self::Doubted)
    }
}

/// A key that is out. The order is that of the reasons, and then the soonest before the others.
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
            [
                (Unhealthy::Guessed, marks.guess(now)),
                (Unhealthy::Doubted, marks.refusal(now).filter(|mark| mark.doubtful)),
                (Unhealthy::Invalid, marks.refusal(now).filter(|mark| !mark.doubtful)),
                (Unhealthy::CoolingDown, marks.pause(now)),
                (Unhealthy::Exhausted, marks.exhaustion(now)),
            ]
        });
        let out = out.filter_map(|(why, mark)| Some(Out { why, until: self.clock.steady(mark?.until) }));
        out.max().map_or(Ok(()), Err)
    }

    /// Takes in what this node or another one saw. Says whether that is newer than what was known.
    pub fn observe(&self, state: &KeyState) -> bool {
        let now = self.clock.now();
        let (observed, at) = believed(state.observed(), state.observed_at_ms, now);
        self.add(&state.model, &Marks::of(observed, at, state.status), now)
    }

    /// How often the key, as a whole or for `model`, has been out by `health` since it last worked, when a request that
    /// began at `began` finds it so anew. None where that is no news: it is out by that already, as long as `until`,
    /// and the request was under way by then.
    pub fn times(&self, health: Health, model: &str, began: i64, until: i64) -> Option<u8> {
        if self.out_until.load(Ordering::Relaxed) == 0 {
            return Some(0);
        }
        let now = self.clock.now();
        let known = self.known();
        let about = known.iter().filter(|(name, _)| name.is_empty() || **name == *model);
        let mut times = 0;
        for (name, marks) in about {
            let counting = health.mark(marks, now);
            let mark = health.newest(marks);
            let longer = health != Health::CoolingDown || mark.until >= until;
            if counting.is_some() && longer && (began < mark.at || health == Health::CoolingDown) {
                return None;
            }
            if **name == *model {
                times = mark.times_since(marks.worked);
            }
        }
        Some(times)
    }

    /// Whether the key itself, or for `model` where that is named, is out by `health`.
    pub fn is_out(&self, health: Health, model: &str) -> bool {
        let now = self.clock.now();
        let known = self.known();
        let marks = known.iter().find(|(name, _)| **name == *model).map(|(_, marks)| *marks);
        marks.is_some_and(|marks| health.mark(&marks, now).is_some())
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
        // What has ended by itself is disproved, too: the next of its kind is a first one.
        let out = |mark: Mark, marks: &Marks| mark.at > marks.worked && mark.at <= began;
        marks.is_some_and(|marks| {
            let all = [marks.refused, marks.paused, marks.guessed, marks.exhausted];
            !marks.is_over(now) && all.into_iter().any(|mark| out(mark, &marks))
        })
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

    /// Lets a request to `model` through at `steady`, by this node's own clock. While a guess has the key rest, one
    /// request at a time tests whether it is over, and this gives the test.
    ///
    /// # Errors
    /// [`Barred`]: another tests already, or what the provider has stated has been heard of since the key was picked.
    pub(super) fn enter(&self, steady: i64, model: &str) -> Result<Option<Testing>, Barred> {
        match self.at(steady, model) {
            Err(Out { why: Unhealthy::CoolingDown | Unhealthy::Exhausted, .. }) => Err(Barred),
            Err(out) if out.why.is_guess() => self.test.begin(steady).map(Some).ok_or(Barred),
            _ => Ok(None),
        }
    }

    /// Whether a request tests at `steady` if a guess is over.
    pub fn is_tested(&self, steady: i64) -> bool {
        self.test.is_on(steady)
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
