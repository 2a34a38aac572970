//! What is remembered of the models of a group, by the vendor's names.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::breaker::Breaker;
use super::load::Load;
use super::rest::Rest;
use super::tail::Tail;

/// The most models of a group that are remembered beside those in its config: names that a pattern fits.
const MOST_FURTHER: usize = 1_000;

/// Each answer makes what was counted before weigh less by one part in so many: about that many answers count.
const ANSWERS: u64 = 64;

/// What is remembered of one model of a group.
#[derive(Debug, Default)]
pub struct ModelState {
    /// How busy and fast it is.
    pub load: Load,
    /// Whether it fails.
    pub breaker: Breaker,
    /// Whether it rests, because the keys of the group fail alike for it.
    pub rest: Rest,
    /// How much of what goes in is read from the provider's cache.
    pub cached: CachedTokens,
    /// When a stream is late. It is measured where the group hedges.
    stream_tail: Tail,
    /// The same of a whole answer, which begins when all of it is written.
    whole_tail: Tail,
}

impl ModelState {
    /// When an answer is late that is a stream, or is not.
    pub fn tail(&self, streams: bool) -> &Tail {
        if streams { &self.stream_tail } else { &self.whole_tail }
    }
}

/// How many of the tokens that went in were read from the provider's cache, by what it has reported of late. What was
/// reported last counts most.
#[derive(Debug, Default)]
pub struct CachedTokens {
    input: AtomicU64,
    cached: AtomicU64,
}

impl CachedTokens {
    /// Takes in that an answer took so many tokens in, of which `cached` were read from the cache.
    pub fn reported(&self, input: u64, cached: u64) {
        // Two answers that are told at once may each count without the other, which changes little.
        for (sum, tokens) in [(&self.input, input), (&self.cached, cached)] {
            let before = sum.load(Ordering::Relaxed);
            sum.store((before - before / ANSWERS).saturating_add(tokens), Ordering::Relaxed);
        }
    }

    /// The tokens in, and those of them that were read from the cache: their proportion is what counts.
    pub fn counts(&self) -> (u64, u64) {
        let input = self.input.load(Ordering::Relaxed);
        (input, self.cached.load(Ordering::Relaxed).min(input))
    }
}

/// What is remembered of the models of a group. It is read by each request and seldom written.
#[derive(Debug, Default)]
pub struct Models(ArcSwap<HashMap<Arc<str>, Arc<ModelState>>>);

impl Models {
    /// What is remembered of `model`. What was not known is remembered from now on.
    pub fn of(&self, model: &Arc<str>) -> Arc<ModelState> {
        if let Some(state) = self.0.load().get(model) {
            return Arc::clone(state);
        }
        self.know([model], MOST_FURTHER);
        self.0.load().get(model).map(Arc::clone).unwrap_or_default()
    }

    /// Remembers `names`, which stand in the config.
    pub fn configure<'n>(&self, names: impl IntoIterator<Item = &'n Arc<str>> + Clone) {
        let known = self.0.load();
        if names.clone().into_iter().any(|name| !known.contains_key(name)) {
            self.know(names, usize::MAX);
        }
    }

    fn know<'n>(&self, names: impl IntoIterator<Item = &'n Arc<str>> + Clone, most: usize) {
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            if known.len() >= most {
                // What is forgotten is learnt anew. Whoever holds it still counts for itself.
                known.clear();
            }
            for name in names.clone() {
                known.entry(Arc::clone(name)).or_default();
            }
            known
        });
    }
}

#[cfg(test)]
mod tests;
