//! A circuit breaker: what fails again and again is left alone for a while, and then tried with one request at a time.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failures in a row that open it, unless the operator has set another number.
pub const IN_A_ROW: u32 = 5;

/// What the operator has set, for all breakers of the process; 0 is never.
static FAILURES: AtomicU32 = AtomicU32::new(IN_A_ROW);

/// How long failures are counted, in milliseconds.
const WINDOW_MS: i64 = 10_000;

/// The fewest requests of a window of which half have to fail to open it. Where every other one fails, that is within
/// twenty, whichever comes first (promise 5 in `docs/PROMISES.md`).
const FEWEST: u32 = 16;

/// How long it stays open at first, in milliseconds. Each further time is twice as long, up to the longest.
const FIRST_MS: i64 = 1_000;

/// The longest time that it stays open: what is back is used again soon.
const LONGEST_MS: i64 = 8_000;

/// After how long a request that was let through as a test counts as lost, in milliseconds.
const TEST_MS: i64 = 60_000;

/// Has all breakers of this process open after so many failures in a row; 0 is never.
pub fn open_after(failures: u32) {
    FAILURES.store(failures, Ordering::Relaxed);
}

/// A circuit breaker. All times are milliseconds of this node's own clock.
#[derive(Debug, Default)]
pub struct Breaker {
    /// When a test may be made; 0 where it is closed. It is what most requests look at, and nothing else.
    opens_at: AtomicI64,
    /// Whether anything has failed of late, or reached a limit since the last answer.
    troubled: AtomicBool,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// When counting began.
    since: i64,
    requests: u32,
    failures: u32,
    in_a_row: u32,
    /// How often it has opened without closing in between.
    times_open: u32,
    /// When the test began that is under way; 0 where none is.
    test: i64,
}

impl Breaker {
    /// Whether a request may be let through at `now`. Nothing is decided by asking.
    pub fn allows(&self, now: i64) -> bool {
        match self.opens_at.load(Ordering::Relaxed) {
            0 => true,
            at => at <= now && !self.counts().is_testing(now),
        }
    }

    /// Whether all requests are let through.
    pub fn is_closed(&self) -> bool {
        self.opens_at.load(Ordering::Relaxed) == 0
    }

    /// Whether nothing has failed or reached a limit since it last answered well, as far as it was asked of late.
    pub fn is_untroubled(&self) -> bool {
        !self.troubled.load(Ordering::Relaxed)
    }

    /// When a request may be let through next; none where it may be at `now`.
    pub fn closed_until(&self, now: i64) -> Option<i64> {
        let at = self.opens_at.load(Ordering::Relaxed);
        if at == 0 {
            return None;
        }
        let counts = self.counts();
        if counts.is_testing(now) {
            Some((counts.test + TEST_MS).min(now + FIRST_MS))
        } else {
            Some(at).filter(|at| *at > now)
        }
    }

    /// Lets a request through at `now`, as a test where it is open. Says whether it may go.
    pub fn enter(&self, now: i64) -> bool {
        let at = self.opens_at.load(Ordering::Relaxed);
        if at == 0 {
            return true;
        }
        let mut counts = self.counts();
        if at > now || counts.is_testing(now) {
            return false;
        }
        counts.test = now.max(1);
        true
    }

    /// A request has been answered, well or with the client's fault.
    pub fn succeeded(&self, now: i64) {
        if !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let mut counts = self.counts();
        if self.opens_at.swap(0, Ordering::Relaxed) != 0 {
            *counts = Counts::default();
            self.troubled.store(false, Ordering::Relaxed);
            return;
        }
        counts.turn(now);
        counts.requests += 1;
        counts.in_a_row = 0;
        if counts.failures == 0 {
            self.troubled.store(false, Ordering::Relaxed);
        }
    }

    /// A request that was let through at `entered` has reached a limit of its key. That says nothing of whether what
    /// has failed is well again, so a test that ends like this keeps it open. Says whether it does.
    pub fn limited(&self, now: i64, entered: i64) -> bool {
        if self.opens_at.load(Ordering::Relaxed) == 0 {
            self.succeeded(now);
            self.troubled.store(true, Ordering::Relaxed);
            return false;
        }
        self.failed(now, entered)
    }

    /// A request that was let through at `entered` has failed. Says whether that opens it.
    pub fn failed(&self, now: i64, entered: i64) -> bool {
        let mut counts = self.counts();
        self.troubled.store(true, Ordering::Relaxed);
        counts.turn(now);
        counts.requests += 1;
        counts.failures += 1;
        counts.in_a_row += 1;
        let open = self.opens_at.load(Ordering::Relaxed);
        let enough = FAILURES.load(Ordering::Relaxed);
        let half = counts.requests >= FEWEST && counts.failures * 2 >= counts.requests;
        // What was under way when it opened says nothing new.
        let tested = open != 0 && counts.is_test(entered);
        if tested || (enough != 0 && open == 0 && (counts.in_a_row >= enough || half)) {
            let pause = (FIRST_MS << counts.times_open.min(8)).min(LONGEST_MS);
            let times_open = counts.times_open + 1;
            *counts = Counts { since: now, times_open, ..Counts::default() };
            self.opens_at.store(now + pause, Ordering::Relaxed);
            return true;
        }
        false
    }

    /// Forgets all failures.
    #[cfg(test)]
    pub fn forgive(&self) {
        *self.counts() = Counts::default();
        self.opens_at.store(0, Ordering::Relaxed);
        self.troubled.store(false, Ordering::Relaxed);
    }

    /// A request that was let through at `entered` has ended without saying anything.
    pub fn left(&self, entered: i64) {
        if self.opens_at.load(Ordering::Relaxed) != 0 {
            let mut counts = self.counts();
            if counts.is_test(entered) {
                counts.test = 0;
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn is_testing(&self, now: i64) -> bool {
        self.test != 0 && self.test + TEST_MS > now
    }

    /// Whether the request that was let through at `entered` is the test that is under way. What was let through before
    /// it opened entered earlier than any test.
    fn is_test(&self, entered: i64) -> bool {
        self.test != 0 && self.test == entered.max(1)
    }

    /// Begins to count anew where the window is over.
    fn turn(&mut self, now: i64) {
        if self.since + WINDOW_MS <= now {
            *self = Self {
                since: now,
                times_open: self.times_open,
                in_a_row: self.in_a_row,
                test: self.test,
                ..Self::default()
            };
        }
    }
}

#[cfg(test)]
mod tests;
