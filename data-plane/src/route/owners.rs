//! Which group and upstream key made an object that a client later names by its id: a response, a file, a batch.
//!
//! Such an object lives in the provider's account, so a request about it must go where it was made. What a node has
//! seen made it remembers here, up to a bound; nothing else is kept, and ids stay as the provider made them, so that an
//! application can move between this gateway, another node of it and the provider itself. Whatever node is asked for an
//! id that it does not know, after a restart or because another node served the request that made it, asks the groups
//! that the proxy key may use, one after the other, which of them knows the id. An id that holds its owner would spare
//! that question, but every id in every body and stream would have to be rewritten both ways, and an id from before the
//! gateway would open nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use shared::ids::Id;

use super::plan::Candidate;

/// How many ids each of the two generations holds.
const CAPACITY: usize = 32 * 1024;

/// Longer ids are not remembered.
const LONGEST_ID: usize = 256;

/// Who made an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Id of the group.
    pub group: Id,
    /// Id of the upstream key.
    pub key: Id,
}

impl Owner {
    /// `candidate` as an owner.
    pub fn of(candidate: &Candidate) -> Self {
        Self { group: candidate.group.group.id.clone(), key: candidate.key.key.id.clone() }
    }

    /// Keeps those of `candidates` that may know the object: its own key first, then the others of the group, which may
    /// be keys to the same account. Without any, they stay as they are and this says so.
    pub fn narrow(&self, candidates: &mut Vec<Candidate>) -> bool {
        if !candidates.iter().any(|candidate| candidate.group.group.id == self.group) {
            return false;
        }
        candidates.retain(|candidate| candidate.group.group.id == self.group);
        candidates.sort_by_key(|candidate| candidate.key.key.id != self.key);
        true
    }
}

/// What this node remembers. When one generation is full the one before it is forgotten.
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

    /// Who made `id`, if this node remembers.
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
