//! Refusals of a key that are in doubt: one of them may be a bad request's fault, several are not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many within [`WINDOW_MS`] are a refusal.
const ENOUGH: usize = 3;

/// How long each of them is counted, in milliseconds.
const WINDOW_MS: i64 = 60_000;

/// The most that are remembered of a key, for all its models together.
const MOST: usize = 64;

/// The doubtful refusals of an upstream key. All times are milliseconds of this node's own clock.
#[derive(Debug, Default)]
pub struct Strikes {
    /// Whether there are any. It is what most requests look at, and nothing else.
    any: AtomicBool,
    /// Each with its time and the model that it is about, which is empty for the whole key.
    newest: Mutex<Vec<(i64, Box<str>)>>,
}

impl Strikes {
    /// Adds one at `now` about `model`. Says whether they are enough.
    pub fn add(&self, model: &str, now: i64) -> bool {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.retain(|(at, _)| *at + WINDOW_MS > now);
        if newest.len() >= MOST {
            newest.remove(0);
        }
        newest.push((now, model.into()));
        let enough = newest.iter().filter(|(_, about)| **about == *model).count() >= ENOUGH;
        if enough {
            newest.retain(|(_, about)| **about != *model);
        }
        self.any.store(!newest.is_empty(), Ordering::Relaxed);
        enough
    }

    /// The key has worked for `model`: what is counted of the key and of the model is no refusal.
    pub fn clear(&self, model: &str) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.retain(|(_, about)| !about.is_empty() && **about != *model);
        self.any.store(!newest.is_empty(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
