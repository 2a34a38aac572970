//! The rest of a group whose keys fail alike: it is the address, the account or the proxy that fails, and no key.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::ids::Id;

use super::health::Health;
use super::one_test::{Barred, OneTest, Testing};

/// How many keys failing alike within [`WINDOW_MS`] are one failure of the group; half of its keys, where that is more
/// than one and less than this.
const ENOUGH: usize = 3;

/// How long a failure counts, and how long after a rest the next failure leads to a further one. In milliseconds.
const WINDOW_MS: i64 = 10_000;

/// How long the group rests at first, in milliseconds. Each further time is twice as long, up to the longest.
const FIRST_MS: i64 = 5_000;

/// The longest rest, in milliseconds.
const LONGEST_MS: i64 = 60_000;

/// The most failures that are remembered.
const MOST: usize = 64;

/// In what failures are alike: what they say of the key, and their status.
pub type Kind = (Health, u16);

/// Whether a group, or one model of it, rests. All times are milliseconds of this node's own clock.
#[derive(Debug, Default)]
pub struct Rest {
    /// The end of the rest. It is what most requests look at, and nothing else.
    until: AtomicI64,
    /// Whether anything is remembered.
    troubled: AtomicBool,
    failures: Mutex<Failures>,
    /// Whether a request tries a key though it rests.
    test: Arc<OneTest>,
}

#[derive(Debug, Default)]
struct Failures {
    newest: Vec<KeyFailure>,
    /// What led to the last rest.
    kind: Option<Kind>,
    /// How many rests there were since a key last worked.
    times: u32,
}

/// A failure of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFailure {
    /// The id of the key.
    pub key: Id,
    /// The vendor's name of the model that it is about; empty for the whole key.
    pub model: Arc<str>,
    /// In what it is like others.
    pub kind: Kind,
    /// When it was.
    pub at: i64,
}

impl Rest {
    /// Whether the group rests at `now`.
    pub fn is_on(&self, now: i64) -> bool {
        self.until.load(Ordering::Relaxed) > now
    }

    /// The end of the newest rest; 0 where there was none.
    pub fn until(&self) -> i64 {
        self.until.load(Ordering::Relaxed)
    }

    /// Lets a request through at `now`. While the group rests, which is a guess, one request at a time tests whether
    /// that is over, and this gives the test.
    ///
    /// # Errors
    /// [`Barred`]: another tests already.
    pub(super) fn enter(&self, now: i64) -> Result<Option<Testing>, Barred> {
        if self.is_on(now) { self.test.begin(now).map(Some).ok_or(Barred) } else { Ok(None) }
    }

    /// Whether the group rests at `now`, and a request tests if that is over.
    pub fn is_tested(&self, now: i64) -> bool {
        self.is_on(now) && self.test.is_on(now)
    }

    /// A key has failed, of `keys` that the group has. Where that is a failure of the group, it rests, and this gives
    /// the failures that say nothing of their keys.
    pub fn failed(&self, failure: KeyFailure, keys: usize) -> Option<Vec<KeyFailure>> {
        let now = failure.at;
        let mut failures = self.failures();
        self.troubled.store(true, Ordering::Relaxed);
        let until = self.until.load(Ordering::Relaxed);
        let again = failures.kind == Some(failure.kind) && until != 0 && now < until + WINDOW_MS;
        if again && now < until {
            return Some(vec![failure]);
        }
        failures.newest.retain(|known| known.at + WINDOW_MS > now && known.key != failure.key);
        if failures.newest.len() >= MOST {
            failures.newest.remove(0);
        }
        let kind = failure.kind;
        failures.newest.push(failure);
        let half = keys / 2;
        let enough = if half > 1 { half.min(ENOUGH) } else { ENOUGH };
        let (alike, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut failures.newest).into_iter().partition(|known| known.kind == kind);
        if !again && alike.len() < enough {
            failures.newest = others.into_iter().chain(alike).collect();
            return None;
        }
        let pause = (FIRST_MS << failures.times.min(8)).min(LONGEST_MS);
        *failures = Failures { newest: others, kind: Some(kind), times: failures.times + 1 };
        self.until.store(now + pause, Ordering::Relaxed);
        Some(alike)
    }

    /// A key has worked: it is not the group that fails.
    pub fn worked(&self) {
        if self.troubled.load(Ordering::Relaxed) {
            let mut failures = self.failures();
            *failures = Failures::default();
            self.until.store(0, Ordering::Relaxed);
            self.troubled.store(false, Ordering::Relaxed);
        }
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
