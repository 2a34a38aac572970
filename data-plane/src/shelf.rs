//! Keeps things in memory for a while: bounded in time and bytes, under names that are those of one proxy key.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use shared::crypto::{KEY_LEN, sha256};

/// For how long a thing is kept: longer than a person leaves a conversation open.
pub const KEPT_FOR: Duration = Duration::from_hours(6);

/// All that is kept, in bytes; above it the oldest goes.
const MOST: usize = 64 * 1024 * 1024;

/// What one thing may take, in bytes.
pub const LARGEST: usize = 1024 * 1024;

/// What an entry takes beside the thing itself, about.
const OVERHEAD: usize = 256;

/// A digest, so that ids of any length cost the same.
pub type Name = [u8; KEY_LEN];

/// The name of `id` among those of a proxy key.
pub fn name(proxy_key: &str, id: &str) -> Name {
    // No id of a proxy key holds a zero.
    sha256(&[proxy_key.as_bytes(), b"\0", id.as_bytes()].concat())
}

/// What takes memory.
pub trait Weigh {
    /// About how much.
    fn bytes(&self) -> usize;
}

/// Things in the order in which they came, which is that in which they expire.
#[derive(Debug)]
pub struct Shelf<T> {
    kept: HashMap<Name, Kept<T>>,
    /// One that was replaced since has another number by now.
    order: VecDeque<(Name, u64)>,
    bytes: usize,
    next: u64,
}

#[derive(Debug)]
struct Kept<T> {
    thing: T,
    until: Instant,
    number: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { kept: HashMap::new(), order: VecDeque::new(), bytes: 0, next: 0 }
    }
}

impl<T: Weigh + Clone> Shelf<T> {
    /// How many things are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Keeps `thing`, unless it is too large. What had the name goes.
    pub fn put(&mut self, name: Name, thing: T, now: Instant) {
        self.expire(now);
        let bytes = OVERHEAD + thing.bytes();
        if bytes > LARGEST {
            return;
        }
        self.next += 1;
        let kept = Kept { thing, until: now + KEPT_FOR, number: self.next };
        self.bytes += bytes;
        self.order.push_back((name, self.next));
        if let Some(replaced) = self.kept.insert(name, kept) {
            self.bytes -= OVERHEAD + replaced.thing.bytes();
            // An id that comes again and again, as some vendors number their calls, leaves no more behind than there
            // is.
            if self.order.len() > 2 * self.kept.len() + 16 {
                self.order.retain(|(name, number)| self.kept.get(name).is_some_and(|kept| kept.number == *number));
            }
        }
        while self.bytes > MOST && self.forget_oldest() {}
    }

    /// What has the name.
    pub fn get(&mut self, name: &Name, now: Instant) -> Option<T> {
        self.expire(now);
        self.kept.get(name).map(|kept| kept.thing.clone())
    }

    /// Takes what has the name away. False where nothing has.
    pub fn remove(&mut self, name: &Name) -> bool {
        let Some(kept) = self.kept.remove(name) else { return false };
        self.bytes -= OVERHEAD + kept.thing.bytes();
        true
    }

    fn expire(&mut self, now: Instant) {
        while let Some((name, number)) = self.order.front() {
            let lives = self.kept.get(name).is_some_and(|kept| kept.number == *number && kept.until > now);
            if lives {
                break;
            }
            self.forget_oldest();
        }
    }

    /// False where there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((name, number)) = self.order.pop_front() else { return false };
        if self.kept.get(&name).is_some_and(|kept| kept.number == number)
            && let Some(kept) = self.kept.remove(&name)
        {
            self.bytes -= OVERHEAD + kept.thing.bytes();
        }
        true
    }
}

#[cfg(test)]
mod tests;
