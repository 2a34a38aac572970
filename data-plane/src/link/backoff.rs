//! When to try again: exponential backoff with full jitter, so that nodes that lost a control plane together do not
//! come back together.

use std::time::Duration;

use aws_lc_rs::rand;

/// The first wait is up to twice this, and no wait is shorter.
const SHORTEST: Duration = Duration::from_millis(100);

/// No wait is longer.
const LONGEST: Duration = Duration::from_secs(5);

/// Waits between tries.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait before the next try.
    pub fn wait(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let bound = SHORTEST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        SHORTEST + bound.saturating_sub(SHORTEST).mul_f64(random_fraction())
    }

    /// A try has succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// In `0.0..1.0`.
fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness the wait is the shortest, which is no worse than a constant.
    let _ = rand::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
