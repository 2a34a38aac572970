//! What the provider remembers of what it has made. It is kept in memory, for each upstream key on its own.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;

/// How many things are kept. Older ones are forgotten.
const CAPACITY: usize = 10_000;

/// A file that was uploaded, or that a batch made.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    /// What the API says of it.
    pub(crate) about: Value,
    pub(crate) content: Bytes,
}

/// A response that was stored, with what it answered.
#[derive(Clone, Debug)]
pub(crate) struct StoredResponse {
    pub(crate) response: Value,
    pub(crate) input: Vec<Value>,
    /// Whether the response was made in the background and nobody has looked yet.
    pub(crate) queued: bool,
    pub(crate) cancelled: bool,
}

/// A shelf of things with ids, newest last.
#[derive(Debug)]
pub(crate) struct Shelf<T>(Mutex<VecDeque<Kept<T>>>);

#[derive(Debug)]
struct Kept<T> {
    key: String,
    id: String,
    thing: T,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Shelf<T> {
    pub(crate) fn put(&self, key: &str, id: &str, thing: T) {
        let mut kept = self.lock();
        if kept.len() == CAPACITY {
            kept.pop_front();
        }
        kept.push_back(Kept { key: key.to_owned(), id: id.to_owned(), thing });
    }

    pub(crate) fn get(&self, key: &str, id: &str) -> Option<T> {
        self.lock().iter().rev().find(|kept| kept.id == id && kept.key == key).map(|kept| kept.thing.clone())
    }

    /// Changes the thing under `id`, and returns it as it is then.
    pub(crate) fn change(&self, key: &str, id: &str, change: impl FnOnce(&mut T)) -> Option<T> {
        let mut kept = self.lock();
        let found = kept.iter_mut().rev().find(|kept| kept.id == id && kept.key == key)?;
        change(&mut found.thing);
        Some(found.thing.clone())
    }

    pub(crate) fn remove(&self, key: &str, id: &str) -> bool {
        let mut kept = self.lock();
        let before = kept.len();
        kept.retain(|kept| kept.id != id || kept.key != key);
        kept.len() < before
    }

    /// All things of `key`, newest first.
    pub(crate) fn list(&self, key: &str) -> Vec<T> {
        self.lock().iter().rev().filter(|kept| kept.key == key).map(|kept| kept.thing.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
