//! The time of the fleet, by which observations of upstream keys are told: that of the control plane's database, which
//! all control planes of one database share. A control plane asks it for that time, and tells its nodes. It goes
//! forward steadily, whatever is done to the clock of this machine.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::time::steady_ms;

/// A correction smaller than this, in milliseconds, is the time that the message took.
const SMALLEST_STEP_MS: i64 = 1_000;

/// The clock of the fleet.
#[derive(Debug, Default)]
pub struct FleetClock {
    /// What is added to this process's own clock, in milliseconds.
    offset: AtomicI64,
}

impl FleetClock {
    /// Now, in epoch milliseconds.
    pub fn now(&self) -> i64 {
        self.at(steady_ms())
    }

    /// The time of the fleet when this process's own clock ([`steady_ms`]) says `steady`.
    pub fn at(&self, steady: i64) -> i64 {
        steady.saturating_add(self.offset.load(Ordering::Relaxed))
    }

    /// What this process's own clock says at `time` of the fleet.
    pub fn steady(&self, time: i64) -> i64 {
        time.saturating_sub(self.offset.load(Ordering::Relaxed))
    }

    /// Takes over that the fleet's clock is `offset` milliseconds ahead of this process's own.
    pub fn set_offset(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }

    /// Takes over that the fleet's clock says `now`. Gives the step by which that moves the clock; 0 where it was right
    /// already.
    pub fn set(&self, now: i64) -> i64 {
        let offset = now.saturating_sub(steady_ms());
        let step = offset.saturating_sub(self.offset.load(Ordering::Relaxed));
        if step.abs() < SMALLEST_STEP_MS {
            return 0;
        }
        self.set_offset(offset);
        step
    }
}
