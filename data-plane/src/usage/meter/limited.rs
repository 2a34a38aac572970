//! Settles what a request has taken of the limits of its proxy key.

use shared::pb::usage_record::{Outcome, UsageSource};
use translation::ir::Usage;

use super::Meter;
use crate::error::LIMITED;
use crate::metrics::AttemptResult;
use crate::usage::estimate::Unreported;

/// After how many more tokens of an answer limits hear of them.
const OFTEN: u64 = 16;

impl Meter {
    /// Notes that one more token of the answer has come, at least, for limits that the answer outgrows.
    pub fn one_more(&mut self) {
        self.answered += 1;
        if self.answered.is_multiple_of(OFTEN) {
            self.limits.answered(self.answered);
        }
    }

    /// Gives back the seat of the request, and settles with what it has used. What is `unreported` settles when it is
    /// counted.
    pub(super) fn settle_limits(&mut self, usage: &Usage, source: UsageSource, unreported: Option<&mut Unreported>) {
        if self.limits.is_none() {
            return;
        }
        self.limits.leave();
        self.limits.over().for_each(|over| self.recorder.metrics.limited(&over, true));
        let failed = matches!(self.outcome, Outcome::UpstreamError | Outcome::InternalError | Outcome::Timeout);
        let unasked = self.outcome == Outcome::ClientGone && self.attempts() == 0;
        // A provider that refuses the request itself has answered it.
        let at_fault = self.attempts.last().and_then(|last| last.result) == Some(AttemptResult::ClientFault);
        let unused = source == UsageSource::None && (failed && !at_fault || unasked);
        if unused || self.error_code == LIMITED || self.cache == "hit" {
            self.limits.uncount();
        }
        match unreported {
            Some(unreported) => unreported.limits = std::mem::take(&mut self.limits),
            None => self.limits.settle([usage.input, usage.cached, usage.output, usage.reasoning]),
        }
    }
}
