//! How many attempts a group's requests may make beyond their first ones, so that retries do not multiply the load of a
//! provider that fails. Each node counts for itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How long requests and retries are counted, in seconds.
const WINDOW: usize = 10;

/// Of how many requests one may be tried once more: a fifth.
const SHARE: u64 = 5;

/// The retries that are allowed in each second, however few requests there are.
const AT_LEAST: u64 = 3;

/// The retry budget of one group. All times are milliseconds of this node's own clock.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// The requests of each second of the window: the second, and how many there were. A request counts itself with one
    /// exchange and waits for nobody.
    requests: [AtomicU64; WINDOW],
    /// The same of retries. It is held on the path of retries alone, and nobody waits while it is.
    retries: Mutex<[u64; WINDOW]>,
}

/// A second and the number of what was counted in it, in one word.
fn packed(second: u32, count: u32) -> u64 {
    u64::from(second) << 32 | u64::from(count)
}

/// The number in `slot`, if that is of the window which ends with `second`.
fn counted(slot: u64, second: u32) -> u64 {
    let (of, count) = (slot >> 32, slot & u64::from(u32::MAX));
    let ago = u64::from(second).wrapping_sub(of);
    if ago < WINDOW as u64 { count } else { 0 }
}

/// `slot` with one more in `second`.
fn one_more(slot: u64, second: u32) -> u64 {
    let count = if slot >> 32 == u64::from(second) { slot & u64::from(u32::MAX) } else { 0 };
    packed(second, u32::try_from(count + 1).unwrap_or(u32::MAX))
}

/// The second of the time `now`, and its slot. Seconds are told apart for a century.
fn place(now: i64) -> (u32, usize) {
    let second = u32::try_from(now.max(0) / 1_000 % i64::from(u32::MAX)).unwrap_or_default();
    (second, second as usize % WINDOW)
}

impl RetryBudget {
    /// Counts a request that makes its first attempt at `now`.
    pub fn began(&self, now: i64) {
        let (second, place) = place(now);
        let _ = self.requests[place]
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |slot| Some(one_more(slot, second)));
    }

    /// Takes a retry at `now` out of the budget. Says whether there was one: retries may add a fifth to the requests of
    /// the last ten seconds, and three a second are always allowed.
    pub fn take(&self, now: i64) -> bool {
        let (second, place) = place(now);
        let requests: u64 = self.requests.iter().map(|slot| counted(slot.load(Ordering::Relaxed), second)).sum();
        let mut retries = self.retries.lock().unwrap_or_else(PoisonError::into_inner);
        let spent: u64 = retries.iter().map(|slot| counted(*slot, second)).sum();
        let of_second = if retries[place] >> 32 == u64::from(second) { counted(retries[place], second) } else { 0 };
        let allowed = (requests / SHARE).max(AT_LEAST * WINDOW as u64);
        let may = spent < allowed || of_second < AT_LEAST;
        if may {
            retries[place] = one_more(retries[place], second);
        }
        may
    }
}

#[cfg(test)]
mod tests;
