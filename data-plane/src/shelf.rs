//! Keeps things in memory for a while, bounded in time and bytes. Each name belongs to one proxy key.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use shared::crypto::{KEY_LEN, sha256};

/// How long a thing is kept, which is longer than a person leaves a conversation open.
pub const KEPT_FOR: Duration = Duration::from_hours(6);

/// Largest size of all that is kept, in bytes. Above it the oldest things go.
const MOST: usize = 64 * 1024 * 1024;

/// Largest size of one thing, in bytes.
pub const LARGEST: usize = 1024 * 1024;

/// Approximate size of an entry without the thing itself, in bytes.
const OVERHEAD: usize = 256;

/// The name of a thing. It is a digest, so that ids of any length cost the same.
pub type Name = [u8; KEY_LEN];

/// The name of `id` among those of a proxy key.
pub fn name(proxy_key: &str, id: &str) -> Name {
    // No id of a proxy key holds a zero byte, so the two parts cannot be confused.
    sha256(&[proxy_key.as_bytes(), b"\0", id.as_bytes()].concat())
}

/// Things that take memory.
pub trait Weigh {
    /// Approximate size in bytes.
    fn bytes(&self) -> usize;
}

/// Things in the order in which they came, which is also the order in which they expire.
#[derive(Debug)]
pub struct Shelf<T> {
    kept: HashMap<Name, Kept<T>>,
    /// The order in which things came. A thing that was replaced since has another number by now.
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

    /// Keeps `thing` under `name` in place of what had that name, unless it is too large.
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
            // An id that comes again and again, as from vendors that number their calls, must not let the order grow
            // beyond the things that are kept.
            if self.order.len() > 2 * self.kept.len() + 16 {
                self.order.retain(|(name, number)| self.kept.get(name).is_some_and(|kept| kept.number == *number));
            }
        }
        while self.bytes > MOST && self.forget_oldest() {}
    }

    /// The thing of that name.
    pub fn get(&mut self, name: &Name, now: Instant) -> Option<T> {
        self.expire(now);
        self.kept.get(name).map(|kept| kept.thing.clone())
    }

    /// Removes the thing of that name. Gives whether there was one.
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

    /// Gives whether there was one.
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
