//! What is noted of attempts beyond the first, and of what prices depend on beside tokens.

use std::sync::atomic::Ordering;

use shared::pb::usage_record::Units;

use super::Meter;
use crate::metrics::HedgeResult;
use crate::usage::attempts::cut;

impl Meter {
    /// Notes that the request was not tried again because the retries of its group are spent.
    pub fn retries_are_spent(&self) {
        self.retries_spent.store(true, Ordering::Relaxed);
    }

    /// Whether the request was not tried again because the retries of its group are spent. Then the client is not to
    /// send it again by itself.
    pub fn has_no_retry(&self) -> bool {
        self.retries_spent.load(Ordering::Relaxed)
    }

    /// Whether an attempt was made because another one was late.
    pub fn has_hedged(&self) -> bool {
        self.attempts.iter().any(|record| record.hedged)
    }

    /// Notes what became of an attempt that was made because another one was late.
    pub fn hedged(&self, result: HedgeResult) {
        self.recorder.metrics.hedged(result);
    }

    /// Notes the tier of service that the answer says it was given. It counts more than what was asked for.
    pub fn served_by(&mut self, tier: Option<String>) {
        if let Some(tier) = tier {
            self.tier = Some(cut(&tier).to_owned());
        }
    }

    /// What the provider charges for beside tokens, as the record has it.
    pub(super) fn charged_units(&self) -> Option<Units> {
        let counts = self.units;
        (!self.free && !counts.is_empty()).then_some(Units {
            images: counts.images,
            seconds: counts.seconds,
            searches: counts.searches,
            reranks: counts.reranks,
        })
    }
}
