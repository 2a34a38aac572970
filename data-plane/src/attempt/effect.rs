//! What an attempt says of its upstream key: which change that is, and its application to what this node knows.

use std::sync::Arc;

use super::tell::Teller;
use crate::provider::verdict::{Effect, Extent};
use crate::route::candidate::Candidate;
use crate::route::health::{Health, KeyState};

/// The health that `effect` stands for, what it is about, and the end of the pause where it begins at `now`. Times are
/// epoch milliseconds.
fn change(effect: Effect, now: i64) -> Option<(Health, Extent, i64)> {
    match effect {
        Effect::None => None,
        Effect::Rest(extent, pause) => {
            let until = now.saturating_add(i64::try_from(pause.as_millis()).unwrap_or_default());
            Some((Health::CoolingDown, extent, until))
        }
        Effect::Refuse(extent) => Some((Health::Invalid, extent, 0)),
    }
}

/// Applies `effect` of an answer with this status to the key of `candidate`. A change is told by `teller`.
pub(super) fn apply(effect: Effect, candidate: &Candidate, status: u16, teller: &Teller) {
    let health = &candidate.key.health;
    let Some((_, extent, _)) = change(effect, 0) else { return };
    let model = match extent {
        Extent::Key => Arc::from(""),
        Extent::Model => Arc::clone(&candidate.upstream_model),
    };
    let now = health.next_time(&model);
    let Some((word, _, until)) = change(effect, now) else { return };
    // A longer pause is not shortened by a later one, and what is out already is no news.
    if health.outlasts(word, &model, until) {
        return;
    }
    let state = state(candidate, model, word, until, status, now);
    if health.observe(&state) {
        teller.changed(candidate, state);
    }
}

/// The time at which a request to `candidate` begins, for [`worked`].
pub(super) fn begin(candidate: &Candidate) -> i64 {
    candidate.key.health.begin(&candidate.upstream_model)
}

/// Notes that the key of `candidate` works, by a request that began at `began`. That it does so again is told by
/// `teller`.
pub(super) fn worked(candidate: &Candidate, began: i64, teller: &Teller) {
    let health = &candidate.key.health;
    for model in ["", &candidate.upstream_model] {
        if health.disproved(model, began) {
            let state = state(candidate, model.into(), Health::Valid, 0, 200, began);
            if health.observe(&state) {
                teller.changed(candidate, state);
            }
        }
    }
}

fn state(
    candidate: &Candidate,
    model: Arc<str>,
    health: Health,
    until_ms: i64,
    status: u16,
    observed_at_ms: i64,
) -> KeyState {
    let (upstream_key_id, group_id) = (Arc::clone(&candidate.key.key.id), Arc::clone(&candidate.group.group.id));
    KeyState { upstream_key_id, group_id, model, health, until_ms, status, observed_at_ms }
}

#[cfg(test)]
mod tests;
