//! When an answer is late: the time within which 95 of 100 begin. Each node measures for itself.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Of so few answers nothing can be said.
const FEWEST: u32 = 20;

/// By what the estimate grows with each answer that is later, and what it shrinks to with each that is not: e to the
/// power of 0.1 × 0.95, and of 0.1 × −0.05. It rests where one answer of twenty is later.
const GROWS: f64 = 1.099_659;
const SHRINKS: f64 = 0.995_012;

/// An estimate of the 95th percentile of the times in which answers begin. It holds no times: each one moves the
/// estimate a little (a stochastic approximation, after Robbins and Monro, 1951), so that it follows what changes.
#[derive(Debug, Default)]
pub struct Tail {
    /// The estimate, in microseconds.
    estimate_us: AtomicU64,
    /// How many times have been taken in, up to the fewest.
    seen: AtomicU32,
}

impl Tail {
    /// Takes in that an answer began after `time`. The first ones leave their slowest.
    pub fn took(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        if self.seen.load(Ordering::Relaxed) < FEWEST {
            self.estimate_us.fetch_max(time, Ordering::Relaxed);
            self.seen.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let moved = |estimate| Some(moved(estimate, time));
        let _ = self.estimate_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }

    /// The time within which 95 of 100 answers begin. None where too few have.
    pub fn estimate(&self) -> Option<Duration> {
        let enough = self.seen.load(Ordering::Relaxed) >= FEWEST;
        enough.then(|| Duration::from_micros(self.estimate_us.load(Ordering::Relaxed)))
    }
}

/// `estimate` moved towards `time`, and not beyond it.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive times within the range that f64 holds"
)]
fn moved(estimate: u64, time: u64) -> u64 {
    if time > estimate {
        ((estimate as f64 * GROWS).ceil() as u64).min(time)
    } else {
        ((estimate as f64 * SHRINKS) as u64).max(time)
    }
}

#[cfg(test)]
mod tests;
