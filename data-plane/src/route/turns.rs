//! Whose turn it is, for policies that go round.

use std::sync::atomic::{AtomicU32, Ordering};

use xxhash_rust::xxh3::xxh3_64;

/// The number of counters. Models share them: a counter for each would grow with the names that clients think of, and
/// one for all would let two models that are asked in turn each have one half of the groups.
const COUNTERS: usize = 32;

/// Counters of turns. Each starts at a random place, so that nodes do not march in step.
#[derive(Debug)]
pub struct Turns([AtomicU32; COUNTERS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(fastrand::u32(..))))
    }
}

impl Turns {
    /// The next turn for `model`. One who `peeks` leaves it to the next.
    pub fn of(&self, model: &str, peeks: bool) -> usize {
        let counter = usize::try_from(xxh3_64(model.as_bytes()) % COUNTERS as u64).unwrap_or_default();
        let counter = &self.0[counter];
        (if peeks { counter.load(Ordering::Relaxed) } else { counter.fetch_add(1, Ordering::Relaxed) }) as usize
    }
}
