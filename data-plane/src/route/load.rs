//! How busy and how fast something is that answers requests: a group, a model of it, or an upstream key. Each node
//! counts for itself.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// After how long, in milliseconds, a measured time counts for about a third of what it did.
const DECAY_MS: f64 = 10_000.0;

/// What is taken for the time to the first byte of something that has not been measured, in microseconds: it is tried
/// soon.
const UNMEASURED_US: u64 = 1_000;

/// What a node counts and measures.
#[derive(Debug, Default)]
pub struct Load {
    /// Attempts that have begun, and whose answer has not ended.
    in_flight: AtomicU32,
    /// Attempts that have begun so far.
    used: AtomicU64,
    /// The time to the first byte in microseconds: what was measured last counts most, and a peak at once. 0: never
    /// measured.
    first_byte_us: AtomicU64,
    /// When that was measured, by this node's own clock in milliseconds.
    measured_at: AtomicU64,
}

impl Load {
    /// Attempts that have begun, and whose answer has not ended.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Attempts that have begun so far.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes in that the first byte came after `time`, at `now` in milliseconds of this node's own clock. It is a
    /// moving average that decays with time, and takes a slower one as it is (peak EWMA, as in Finagle and linkerd).
    pub fn measured(&self, time: Duration, now: i64) {
        let now = u64::try_from(now).unwrap_or_default();
        let sample = u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        let before = self.first_byte_us.load(Ordering::Relaxed);
        let since = now.saturating_sub(self.measured_at.swap(now, Ordering::Relaxed));
        // Two that measure at once may each count without the other, which changes little.
        let average = if sample >= before { sample } else { average(before, sample, since) };
        self.first_byte_us.store(average, Ordering::Relaxed);
    }

    /// Takes in that the first byte came later than after `time`, how much later is not known. It counts where that is
    /// slower than what was measured.
    pub fn at_least(&self, time: Duration, now: i64) {
        let sample = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if sample > self.first_byte_us.load(Ordering::Relaxed) {
            self.measured(time, now);
        }
    }

    /// The time to the first byte in microseconds; none where it was never measured.
    pub fn first_byte_us(&self) -> Option<u64> {
        Some(self.first_byte_us.load(Ordering::Relaxed)).filter(|time| *time > 0)
    }

    /// What a further request would cost here, to be compared: the time to the first byte for each request in flight.
    pub fn cost(&self) -> u64 {
        self.first_byte_us().unwrap_or(UNMEASURED_US).saturating_mul(u64::from(self.in_flight()) + 1)
    }
}

/// `before` moved towards the `sample` that came so many milliseconds later.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an average of positive times within the range that f64 holds"
)]
fn average(before: u64, sample: u64, since_ms: u64) -> u64 {
    let old = (-(since_ms as f64) / DECAY_MS).exp();
    (before as f64).mul_add(old, sample as f64 * (1.0 - old)) as u64
}

impl Load {
    /// An attempt has begun.
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt is over, with all of its answer.
    pub(super) fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
