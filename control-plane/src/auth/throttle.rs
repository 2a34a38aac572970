//! Bounds wrong logins in three ways at once: of an account from an address, from an address whatever the account, and
//! of an account wherever they come from.
//!
//! An attempt is counted before it is checked, so that many at once cannot slip through. It is forgotten where it was
//! right, or could not be checked. What is remembered is bounded, and what is forgotten first is what says the least.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::crypto::sha256;

use super::place::Place;

/// Number of wrong logins of an account from an address that are allowed in [`WINDOW`].
const ALLOWED: usize = 5;

/// The time over which the wrong logins of an account from an address are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// What an address may get wrong, whatever the account: 20 logins at once, then 10 a minute.
const OF_A_PLACE: Bucket = Bucket { burst: 20, every: Duration::from_secs(6) };

/// What may be got wrong of an account, wherever it comes from: 20 logins at once, then 6 a minute. An account is never
/// shut for good, because a login is let through whenever there is room again.
const OF_AN_ACCOUNT: Bucket = Bucket { burst: 20, every: Duration::from_secs(10) };

/// Number of entries that are remembered of each kind.
const REMEMBERED: usize = 10_000;

/// Where there are too many entries, one in this many is forgotten at once, so that not every attempt looks for one.
const FORGOTTEN_PART: usize = 10;

/// The account that a login names, by a digest: people type passwords into the field of the name.
type Account = [u8; 32];

/// The counts of wrong logins.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// The times of the latest wrong logins of an account from a place.
    pairs: HashMap<(Account, Place), VecDeque<Instant>>,
    places: HashMap<Place, Instant>,
    accounts: HashMap<Account, Instant>,
}

/// An attempt that counts as wrong unless the throttle is told otherwise.
#[derive(Debug)]
pub(crate) struct Attempt {
    account: Account,
    place: Place,
    /// Whether it counts for the account wherever it comes from.
    anywhere: bool,
}

/// Why an attempt may not be made, with the time after which it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too much came from this place.
    Place(Duration),
    /// Too much came for the account, from whatever place. Somebody who is known there need not wait.
    Account(Duration),
}

impl Refused {
    pub(crate) const fn wait(self) -> Duration {
        match self {
            Self::Place(wait) | Self::Account(wait) => wait,
        }
    }
}

/// A number of events that may happen at once, and how often further ones may. What has happened is kept as the time at
/// which all of it is forgotten (the generic cell rate algorithm).
struct Bucket {
    burst: u32,
    every: Duration,
}

impl Bucket {
    /// How long the next event has to wait, or nothing.
    fn wait(&self, until: Option<&Instant>, now: Instant) -> Option<Duration> {
        let after = until.copied().unwrap_or(now).max(now) + self.every;
        let wait = after.saturating_duration_since(now + self.every * self.burst);
        (!wait.is_zero()).then_some(wait)
    }

    fn take(&self, until: &mut Instant, now: Instant) {
        *until = (*until).max(now) + self.every;
    }

    fn give_back(&self, until: &mut Instant) {
        *until = until.checked_sub(self.every).unwrap_or(*until);
    }
}

/// The account that the text names. Blanks at its end do not make it another one: MySQL finds the user all the same.
pub(crate) fn account(name: &str) -> Account {
    sha256(name.trim().as_bytes())
}

impl Throttle {
    /// Counts an attempt at `now`. Where it is `known` that the owner of the account comes from there, what strangers
    /// do elsewhere does not count.
    pub(crate) fn attempt(
        &self,
        account: Account,
        place: Place,
        known: bool,
        now: Instant,
    ) -> Result<Attempt, Refused> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut *counts;
        if let Some(attempts) = counts.pairs.get_mut(&(account, place)) {
            attempts.retain(|attempt| now.saturating_duration_since(*attempt) < WINDOW);
            if let Some(first) = attempts.front().filter(|_| attempts.len() >= ALLOWED) {
                return Err(Refused::Place(WINDOW.saturating_sub(now.saturating_duration_since(*first))));
            }
        }
        if let Some(wait) = OF_A_PLACE.wait(counts.places.get(&place), now) {
            return Err(Refused::Place(wait));
        }
        if let Some(wait) = OF_AN_ACCOUNT.wait(counts.accounts.get(&account), now).filter(|_| !known) {
            return Err(Refused::Account(wait));
        }
        room(&mut counts.pairs, &(account, place), |attempts| {
            attempts.back().copied().filter(|last| now.saturating_duration_since(*last) < WINDOW)
        });
        counts.pairs.entry((account, place)).or_default().push_back(now);
        room(&mut counts.places, &place, |until| (*until > now).then_some(*until));
        OF_A_PLACE.take(counts.places.entry(place).or_insert(now), now);
        if !known {
            room(&mut counts.accounts, &account, |until| (*until > now).then_some(*until));
            OF_AN_ACCOUNT.take(counts.accounts.entry(account).or_insert(now), now);
        }
        Ok(Attempt { account, place, anywhere: !known })
    }

    /// Notes that the attempt was right. Earlier wrong attempts on the account from there are forgiven too. Those on
    /// other accounts are not, because somebody with an account of their own could go on for ever.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        self.undo(attempt, true);
    }

    /// Notes that the attempt could not be checked.
    pub(crate) fn unchecked(&self, attempt: &Attempt) {
        self.undo(attempt, false);
    }

    fn undo(&self, attempt: &Attempt, forgive: bool) {
        let Attempt { account, place, anywhere } = attempt;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pair = (*account, *place);
        let empty =
            counts.pairs.get_mut(&pair).is_some_and(|attempts| attempts.pop_back().is_none() || attempts.is_empty());
        if forgive || empty {
            counts.pairs.remove(&pair);
        }
        if let Some(until) = counts.places.get_mut(place) {
            OF_A_PLACE.give_back(until);
        }
        if let Some(until) = counts.accounts.get_mut(account).filter(|_| *anywhere) {
            OF_AN_ACCOUNT.give_back(until);
        }
    }

    /// The most entries that are remembered of one kind.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.pairs.len().max(counts.places.len()).max(counts.accounts.len())
    }
}

/// Makes room for `key` where there is none. `weight` says how much an entry still tells; an entry that tells nothing
/// goes first, then the tenth part that tells the least. So a flood of new entries does not push out an account that is
/// under attack.
fn room<K: Hash + Eq + Clone, V>(entries: &mut HashMap<K, V>, key: &K, weight: impl Fn(&V) -> Option<Instant>) {
    if entries.len() < REMEMBERED || entries.contains_key(key) {
        return;
    }
    entries.retain(|_, value| weight(value).is_some());
    if entries.len() < REMEMBERED {
        return;
    }
    let mut weights: Vec<Option<Instant>> = entries.values().map(&weight).collect();
    let (_, least, _) = weights.select_nth_unstable(REMEMBERED / FORGOTTEN_PART);
    let (least, mut left) = (*least, REMEMBERED / FORGOTTEN_PART);
    entries.retain(|_, value| {
        let goes = left > 0 && weight(value) <= least;
        left -= usize::from(goes);
        !goes
    });
}
