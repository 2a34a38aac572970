//! Which group and upstream key made an object that a client later names by its id: a response, a file, a batch.
//!
//! Such an object lives in the provider's account, so a request about it must go where it was made. A node remembers
//! here, up to a bound, the ids that it has seen made. Ids stay as the provider made them, so that an application can
//! move between this gateway, another node of it and the provider itself. A node does not know an id after a restart,
//! or when another node served the request that made it. It then asks the groups that the proxy key may use, one after
//! the other, which of them knows the id. An id that holds its owner would spare that question, but every id in every
//! body and stream would have to be rewritten both ways, and an id from before the gateway would open nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use shared::ids::Id;

use super::candidate::Candidate;

/// How many ids each of the two generations holds.
const CAPACITY: usize = 32 * 1024;

/// The longest id that is remembered, in bytes.
const LONGEST_ID: usize = 256;

/// The group and the upstream key that made an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The id of the group.
    pub group: Id,
    /// The id of the upstream key.
    pub key: Id,
}

impl Owner {
    /// `candidate` as an owner.
    pub fn of(candidate: &Candidate) -> Self {
        Self { group: candidate.group.group.id.clone(), key: candidate.key.key.id.clone() }
    }
}

/// The owners that this node remembers, in two generations. When the young one is full, the old one is forgotten.
#[derive(Debug)]
pub struct Owners {
    generations: Mutex<Generations>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<str>, Owner>,
    old: HashMap<Box<str>, Owner>,
}

impl Default for Owners {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Owners {
    fn with_capacity(capacity: usize) -> Self {
        Self { generations: Mutex::default(), capacity }
    }

    /// Remembers that `owner` made `id`.
    pub fn learn(&self, id: &str, owner: Owner) {
        if id.is_empty() || id.len() > LONGEST_ID {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= self.capacity && !generations.young.contains_key(id) {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(id.into(), owner);
    }

    /// The owner of `id`, where this node remembers it.
    pub fn of(&self, id: &str) -> Option<Owner> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.get(id).or_else(|| generations.old.get(id)).cloned()
    }

    /// Forgets `id`.
    pub fn forget(&self, id: &str) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.young.remove(id);
        generations.old.remove(id);
    }
}

#[cfg(test)]
mod tests;
