//! The pauses that providers have stated, and whether they are kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Arrived, Judge, Machine, SKEW_MS};

/// A pause that a provider has stated, or the time for which an account has no money.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    pub(super) stated: i64,
    pub(super) until: i64,
    /// Who has heard of it.
    pub(super) known: BTreeSet<Machine>,
    /// Who has heard it from the provider itself.
    pub(super) own: Machine,
}

impl Judge {
    pub(super) fn pauses(&mut self, arrived: &Arrived) {
        let machine = self.requests[arrived.request].machine;
        for model in [Arc::from(""), Arc::clone(&arrived.model)] {
            let pauses = self.pauses.get(&(Arc::clone(&arrived.key), model)).map_or(&[][..], Vec::as_slice);
            let known = || pauses.iter().filter(|pause| pause.known.contains(&machine));
            // What the provider has stated anew counts in place of what it stated before.
            let newest = known().map(|pause| pause.stated).max().unwrap_or_default();
            // What was heard twice may have been told back by another clock in between.
            let once = known().count() == 1;
            let broken = |pause: &&Pause| {
                let alone = once && pause.own == machine && pause.known.len() == 1;
                let slack = if alone { 10 } else { SKEW_MS };
                pause.until > arrived.at + slack && pause.stated + SKEW_MS >= newest
            };
            if let Some(pause) = known().find(broken) {
                let (number, key) = (arrived.request, &arrived.key);
                self.wrong(format!(
                    "request {number} is sent to {key} by {machine:?} within what was stated: {pause:?}"
                ));
                return;
            }
        }
    }
}
