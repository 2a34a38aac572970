//! Keeps things in memory for a while, bounded in time and bytes. Each thing belongs to one proxy key. Where there is
//! no room, the key that has the most loses its oldest thing, so that no key can push out what others have.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use shared::crypto::{KEY_LEN, sha256};
use shared::ids::Id;

/// How long a thing is kept, which is longer than a person leaves a conversation open.
pub const KEPT_FOR: Duration = Duration::from_hours(6);

/// Largest size of all that is kept, in bytes. Above it things go.
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

/// Things of many owners.
#[derive(Debug)]
pub struct Shelf<T> {
    kept: HashMap<Name, Kept<T>>,
    owners: HashMap<Id, Owned>,
    /// The owners by the bytes of what they have.
    by_bytes: BTreeSet<(usize, Id)>,
    /// Whose oldest thing may expire next, in the order in which things came. An entry whose thing is gone says
    /// nothing.
    order: VecDeque<(Id, Instant)>,
    bytes: usize,
    next: u64,
}

/// What one owner has, in the order in which it came, which is also the order in which it expires. A thing that was
/// replaced since has another number by now.
#[derive(Debug, Default)]
struct Owned {
    order: VecDeque<(Name, u64)>,
    things: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Kept<T> {
    thing: T,
    owner: Id,
    bytes: usize,
    until: Instant,
    number: u64,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            kept: HashMap::new(),
            owners: HashMap::new(),
            by_bytes: BTreeSet::new(),
            order: VecDeque::new(),
            bytes: 0,
            next: 0,
        }
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

    /// Keeps `thing` of `owner` under `name` in place of what had that name, unless it is too large.
    pub fn put(&mut self, owner: &Id, name: Name, thing: T, now: Instant) {
        self.expire(now);
        let bytes = OVERHEAD + thing.bytes();
        if bytes > LARGEST {
            return;
        }
        self.remove(&name);
        self.next += 1;
        let until = now + KEPT_FOR;
        self.kept.insert(name, Kept { thing, owner: owner.clone(), bytes, until, number: self.next });
        let theirs = self.owners.entry(owner.clone()).or_default();
        theirs.order.push_back((name, self.next));
        // An id that comes again and again, as from vendors that number their calls, must not let the order grow beyond
        // the things that are kept.
        if theirs.order.len() > 2 * theirs.things + 16 {
            theirs.order.retain(|(name, number)| self.kept.get(name).is_some_and(|kept| kept.number == *number));
        }
        self.weigh(owner, bytes.cast_signed(), 1);
        self.order.push_back((owner.clone(), until));
        if self.order.len() > 2 * self.kept.len() + 16 {
            self.forget_order();
        }
        while self.bytes > MOST && self.forget_of_the_largest() {}
    }

    /// The thing of that name.
    pub fn get(&mut self, name: &Name, now: Instant) -> Option<T> {
        self.expire(now);
        self.kept.get(name).filter(|kept| kept.until > now).map(|kept| kept.thing.clone())
    }

    /// Removes the thing of that name. Gives whether there was one.
    pub fn remove(&mut self, name: &Name) -> bool {
        let Some(kept) = self.kept.remove(name) else { return false };
        self.weigh(&kept.owner, -kept.bytes.cast_signed(), -1);
        true
    }

    /// Notes that an owner has more, or less.
    fn weigh(&mut self, owner: &Id, bytes: isize, things: isize) {
        let Some(theirs) = self.owners.get_mut(owner) else { return };
        self.by_bytes.remove(&(theirs.bytes, owner.clone()));
        theirs.bytes = theirs.bytes.saturating_add_signed(bytes);
        theirs.things = theirs.things.saturating_add_signed(things);
        self.bytes = self.bytes.saturating_add_signed(bytes);
        if theirs.things == 0 {
            self.owners.remove(owner);
        } else {
            self.by_bytes.insert((theirs.bytes, owner.clone()));
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((owner, until)) = self.order.front()
            && *until <= now
        {
            let owner = owner.clone();
            self.order.pop_front();
            while self.oldest(&owner).is_some_and(|(_, until)| until <= now) && self.forget_oldest(&owner) {}
        }
    }

    /// The oldest thing of `owner`, and when it expires.
    fn oldest(&mut self, owner: &Id) -> Option<(Name, Instant)> {
        let theirs = self.owners.get_mut(owner)?;
        while let Some((name, number)) = theirs.order.front() {
            match self.kept.get(name).filter(|kept| kept.number == *number) {
                Some(kept) => return Some((*name, kept.until)),
                None => drop(theirs.order.pop_front()),
            }
        }
        None
    }

    fn forget_oldest(&mut self, owner: &Id) -> bool {
        let Some((name, _)) = self.oldest(owner) else { return false };
        if let Some(theirs) = self.owners.get_mut(owner) {
            theirs.order.pop_front();
        }
        self.remove(&name)
    }

    /// Gives whether there was something to forget.
    fn forget_of_the_largest(&mut self) -> bool {
        let Some((_, owner)) = self.by_bytes.last().cloned() else { return false };
        self.forget_oldest(&owner)
    }

    /// Makes the order of all owners anew, from what is kept.
    fn forget_order(&mut self) {
        let mut order: Vec<_> = self.kept.values().map(|kept| (kept.owner.clone(), kept.until)).collect();
        order.sort_by_key(|(_, until)| *until);
        self.order = order.into();
    }
}

#[cfg(test)]
mod tests;
