//! Tests of whether what this node leaves alone by a guess works again. One runs at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// After how long a test counts as lost, in milliseconds.
pub(super) const TEST_MS: i64 = 60_000;

/// Whether a request tests if a guess is over. All times are milliseconds of this node's own clock.
#[derive(Debug, Default)]
pub(super) struct OneTest {
    /// When the test began that is under way; 0 where none is.
    begun: AtomicI64,
}

/// A test that is under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Testing {
    of: Arc<OneTest>,
    begun: i64,
}

/// A request may not go now: another one tests what has its key rest, or its provider has stated something.
#[derive(Debug)]
pub(super) struct Barred;

impl OneTest {
    /// Whether a test is under way at `now`.
    pub(super) fn is_on(&self, now: i64) -> bool {
        is_on(self.begun.load(Ordering::Relaxed), now)
    }

    /// Begins a test at `now`; none where one is under way.
    pub(super) fn begin(self: &Arc<Self>, now: i64) -> Option<Testing> {
        let begun = now.max(1);
        let claim = |before: i64| (!is_on(before, now)).then_some(begun);
        self.begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).ok()?;
        Some(Testing { of: Arc::clone(self), begun })
    }
}

impl Drop for Testing {
    fn drop(&mut self) {
        // One that counted as lost does not end the one that has begun since.
        let _ = self.of.begun.compare_exchange(self.begun, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn is_on(begun: i64, now: i64) -> bool {
    begun != 0 && begun + TEST_MS > now
}

#[cfg(test)]
mod tests;
