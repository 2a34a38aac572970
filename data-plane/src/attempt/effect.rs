//! What an attempt says of its upstream key: which change that is, and its application to what this node knows.

use std::sync::Arc;

use shared::time::now_ms;

use super::tell::Teller;
use crate::provider::verdict::Effect;
use crate::route::candidate::Candidate;
use crate::route::health::{Health, KeyState};

/// The health that a key has by `effect` at `now`, and the end of its pause. Times are epoch milliseconds.
fn change(effect: Effect, now: i64) -> Option<(Health, i64)> {
    match effect {
        Effect::None => None,
        Effect::Rest(pause) => {
            Some((Health::CoolingDown, now.saturating_add(i64::try_from(pause.as_millis()).unwrap_or_default())))
        }
        Effect::Refuse => Some((Health::Invalid, 0)),
    }
}

/// Applies `effect` of an answer with this status to the key of `candidate`. A change is told by `teller`.
pub(super) fn apply(effect: Effect, candidate: &Candidate, status: u16, teller: &Teller) {
    let now = now_ms();
    let Some((health, until_ms)) = change(effect, now) else { return };
    let state = state(candidate, health, until_ms, status, now);
    if candidate.key.health.observe(&state, now) {
        teller.changed(candidate, state);
    }
}

/// Notes that the key of `candidate` works. That it does so again is told by `teller`.
pub(super) fn worked(candidate: &Candidate, teller: &Teller) {
    // The clock is read only where there is something to forget.
    if candidate.key.health.was_refused() {
        let now = now_ms();
        if candidate.key.health.worked(now) {
            teller.changed(candidate, state(candidate, Health::Valid, 0, 200, now));
        }
    }
}

fn state(candidate: &Candidate, health: Health, until_ms: i64, status: u16, now: i64) -> KeyState {
    KeyState {
        upstream_key_id: Arc::clone(&candidate.key.key.id),
        group_id: Arc::clone(&candidate.group.group.id),
        health,
        until_ms,
        status,
        observed_at_ms: now,
    }
}

#[cfg(test)]
mod tests;
