//! What an attempt says of its upstream key: which change that is, and its application to what this node knows.

use std::sync::Arc;
use std::time::Duration;

use shared::marks::{
    EXHAUSTED_FOR_MS, GUESSED_PAUSE_MS, LONGEST_GUESSED_EXHAUSTION_MS, LONGEST_PAUSE_MS, Observed, doubled,
};
use shared::time::steady_ms;
use shared::verdict::{Effect, Extent};

use super::tell::Teller;
use crate::request::Proof;
use crate::route::candidate::Candidate;
use crate::route::health::{Health, KeyState};
use crate::route::rest::KeyFailure;

/// The most characters of a provider's words that are told.
const LONGEST_REASON: usize = 300;

/// The answer that an effect is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'s> {
    /// Its status.
    pub(super) status: u16,
    /// When the request began, see [`begin`].
    pub(super) began: i64,
    /// Its words, without the provider's secrets.
    pub(super) words: &'s str,
}

/// The health that `effect` stands for, what it is about, and how long, where the provider says so.
fn change(effect: Effect) -> Option<(Health, Extent, Option<Duration>)> {
    match effect {
        Effect::None => None,
        Effect::Rest(extent, pause) => Some((Health::CoolingDown, extent, Some(pause))),
        Effect::Guess(extent) => Some((Health::Guessed, extent, None)),
        Effect::Exhaust(extent, time) => Some((Health::Exhausted, extent, time)),
        Effect::Refuse(extent) => Some((Health::Invalid, extent, None)),
        Effect::Doubt(extent) => Some((Health::Doubted, extent, None)),
    }
}

/// What is observed at `now` of a key that is out by `health`, for so long where the provider says so, and that was out
/// by it `times` before.
fn observed(health: Health, stated: Option<Duration>, times: u8, now: i64) -> Observed {
    let stated = stated.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let until = |guessed| now.saturating_add(stated.unwrap_or(guessed));
    match health {
        Health::Valid => Observed::Worked,
        Health::Invalid => Observed::Refused { times },
        Health::Doubted => Observed::Doubted { times },
        Health::CoolingDown => Observed::Paused { until: until(0) },
        Health::Guessed => {
            Observed::Guessed { until: until(doubled(GUESSED_PAUSE_MS, times, LONGEST_PAUSE_MS)), times }
        }
        Health::Exhausted => {
            let guessed = doubled(EXHAUSTED_FOR_MS, times, LONGEST_GUESSED_EXHAUSTION_MS);
            Observed::Exhausted { until: until(guessed), times }
        }
    }
}

/// Applies `effect` of the answer that was `seen` to the key of `candidate`. A change is told by `teller`. Where it is
/// the group that fails, that rests, or its model does, and what the same failure said of its keys is taken back.
pub(super) fn apply(effect: Effect, candidate: &Candidate, seen: Seen<'_>, teller: &Teller) {
    let Some((word, extent, stated)) = change(effect) else { return };
    let (model, rest) = match extent {
        Extent::Key => (Arc::from(""), &*candidate.group.rest),
        Extent::Model => (Arc::clone(&candidate.upstream_model), &candidate.state.rest),
    };
    // What a provider states of each key is no failure of the group.
    if matches!(word, Health::Invalid | Health::Doubted | Health::Guessed) {
        let (key, at) = (Arc::clone(&candidate.key.key.id), steady_ms());
        let failure = KeyFailure { key, model: Arc::clone(&model), kind: (word, seen.status), at };
        if let Some(alike) = rest.failed(failure, candidate.group.keys.len()) {
            for failure in &alike {
                take_back(failure, candidate, teller);
            }
            return;
        }
    }
    let health = &candidate.key.health;
    if matches!(effect, Effect::Doubt(_)) && !health.strikes.add(&model, steady_ms()) {
        return;
    }
    let now = health.next_time(&model);
    let until = match observed(word, stated, 0, now) {
        Observed::Paused { until } => until,
        _ => 0,
    };
    // A longer pause is not shortened by a later one, and what is out already is no news.
    let Some(times) = health.times(word, &model, seen.began, until) else { return };
    let reason: String = seen.words.chars().take(LONGEST_REASON).collect();
    let state = state(candidate, model, seen.status, now);
    let state = KeyState { reason: reason.into(), ..state.with(observed(word, stated, times, now)) };
    if health.observe(&state) {
        teller.changed(candidate, state);
    }
}

/// Takes back what a failure said of its key that is one of the group of `candidate`.
fn take_back(failure: &KeyFailure, candidate: &Candidate, teller: &Teller) {
    let key = candidate.group.keys.iter().find(|key| key.key.id == failure.key);
    let Some(key) = key.inspect(|key| key.health.strikes.clear(&failure.model)) else { return };
    if !key.health.is_out(failure.kind.0, &failure.model) {
        return;
    }
    let candidate = Candidate { key: Arc::clone(key), ..candidate.clone() };
    let now = key.health.next_time(&failure.model);
    let state = state(&candidate, Arc::clone(&failure.model), 0, now);
    if key.health.observe(&state) {
        teller.changed(&candidate, state);
    }
}

/// The time at which a request to `candidate` begins, for [`apply`] and [`worked`].
pub(super) fn begin(candidate: &Candidate) -> i64 {
    candidate.key.health.begin(&candidate.upstream_model)
}

/// Notes what the success of a request proves of the key of `candidate`, which began at `began`. That the key works
/// again is told by `teller`.
pub(super) fn worked(proves: Proof, candidate: &Candidate, began: i64, teller: &Teller) {
    let health = &candidate.key.health;
    let model = &*candidate.upstream_model;
    let about: &[&str] = match proves {
        Proof::Nothing => return,
        Proof::Model => &[model],
        Proof::Key => {
            candidate.group.rest.worked();
            &["", model]
        }
    };
    candidate.state.rest.worked();
    health.strikes.clear(model);
    for &model in about {
        if health.disproved(model, began) {
            let state = state(candidate, model.into(), 200, began);
            if health.observe(&state) {
                teller.changed(candidate, state);
            }
        }
    }
}

/// That the key of `candidate` works.
fn state(candidate: &Candidate, model: Arc<str>, status: u16, observed_at_ms: i64) -> KeyState {
    let (upstream_key_id, group_id) = (Arc::clone(&candidate.key.key.id), Arc::clone(&candidate.group.group.id));
    let (health, until_ms, times, reason) = (Health::Valid, 0, 0, "".into());
    KeyState { upstream_key_id, group_id, model, health, until_ms, times, status, reason, observed_at_ms }
}

#[cfg(test)]
mod tests;
