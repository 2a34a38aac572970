//! Counts wrong logins by account and address. Five a minute are allowed, then none until the oldest of them is a
//! minute old.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::crypto::sha256;

/// Number of wrong logins of an account from an address that are allowed in [`WINDOW`].
const ALLOWED: usize = 5;

/// The time over which wrong logins are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// Number of pairs of account and address that are remembered. Beyond it, the pair that has been quiet the longest is
/// forgotten.
const REMEMBERED: usize = 10_000;

type Pair = ([u8; 32], Option<IpAddr>);

/// The count of wrong logins. An attempt is counted before it is checked, so that many at once cannot slip through, and
/// forgotten when it was right.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    pairs: Mutex<HashMap<Pair, VecDeque<Instant>>>,
}

/// An attempt that counts as wrong unless [`Throttle::succeeded`] is told otherwise.
#[derive(Debug)]
pub(crate) struct Attempt(Pair);

impl Throttle {
    /// Counts an attempt at `now`. The error says after which time the next attempt may be made.
    pub(crate) fn attempt(&self, account: &str, address: Option<IpAddr>, now: Instant) -> Result<Attempt, Duration> {
        let pair = (sha256(account.as_bytes()), address);
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        if !pairs.contains_key(&pair) && pairs.len() >= REMEMBERED {
            make_room(&mut pairs, now);
        }
        let attempts = pairs.entry(pair).or_default();
        while attempts.front().is_some_and(|first| now.saturating_duration_since(*first) >= WINDOW) {
            attempts.pop_front();
        }
        match attempts.front() {
            Some(first) if attempts.len() >= ALLOWED => {
                Err(WINDOW.saturating_sub(now.saturating_duration_since(*first)))
            }
            _ => {
                attempts.push_back(now);
                Ok(Attempt(pair))
            }
        }
    }

    /// Notes that the attempt was right. Earlier wrong attempts of the same pair are forgiven too.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt.0);
    }

    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn make_room(pairs: &mut HashMap<Pair, VecDeque<Instant>>, now: Instant) {
    pairs.retain(|_, attempts| attempts.back().is_some_and(|last| now.saturating_duration_since(*last) < WINDOW));
    if pairs.len() >= REMEMBERED {
        let quietest = pairs.iter().min_by_key(|(_, attempts)| attempts.back().copied()).map(|(pair, _)| *pair);
        if let Some(quietest) = quietest {
            pairs.remove(&quietest);
        }
    }
}
