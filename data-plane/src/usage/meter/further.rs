//! What is noted of attempts beyond the first.

use std::sync::atomic::Ordering;

use super::Meter;
use crate::metrics::HedgeResult;

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
}
