//! All answers that are kept, within bounds of bytes and time.

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::LARGEST_ANSWER;
use super::inquiry::CacheKey;
use super::kept::KeptAnswer;

/// Parts with a lock of their own: so that each holds several of the largest answers, one for so many bytes.
const PART: u64 = 16 * LARGEST_ANSWER as u64;

/// The most parts.
const MOST_PARTS: u64 = 16;

/// The usual size of an answer in bytes, for the tables of the store.
const USUAL: u64 = 4096;

#[derive(Clone, Debug)]
struct Size;

impl Weighter<CacheKey, Arc<KeptAnswer>> for Size {
    fn weight(&self, _key: &CacheKey, answer: &Arc<KeptAnswer>) -> u64 {
        answer.bytes() as u64
    }
}

/// All answers that are kept. What is used least goes first where there is no room for a new one.
pub(super) struct AnswerStore {
    /// None where there is no room for any.
    answers: Option<Cache<CacheKey, Arc<KeptAnswer>, Size, RandomState>>,
}

impl fmt::Debug for AnswerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStore").field("answers", &self.len()).field("bytes", &self.bytes()).finish()
    }
}

impl AnswerStore {
    /// A store that holds `most` bytes.
    pub(super) fn new(most: u64) -> Self {
        let parts = usize::try_from((most / PART).clamp(1, MOST_PARTS)).unwrap_or(1);
        let usual = usize::try_from(most / USUAL).unwrap_or(usize::MAX).max(1);
        let mut options = OptionsBuilder::new();
        let options = options.shards(parts).estimated_items_capacity(usual).weight_capacity(most).build();
        let cache = |options| Cache::with_options(options, Size, RandomState::new(), DefaultLifecycle::default());
        Self { answers: options.ok().filter(|_| most > 0).map(cache) }
    }

    /// The answer under `key`, if its time is not over at `now_ms`.
    pub(super) fn get(&self, key: &CacheKey, now_ms: i64) -> Option<Arc<KeptAnswer>> {
        let answers = self.answers.as_ref()?;
        let kept = answers.get(key)?;
        if kept.until_ms > now_ms {
            return Some(kept);
        }
        answers.remove_if(key, |kept| kept.until_ms <= now_ms);
        None
    }

    /// Keeps `answer` under `key`, if it is not too large.
    pub(super) fn put(&self, key: CacheKey, answer: Arc<KeptAnswer>) {
        if let Some(answers) = &self.answers {
            answers.insert(key, answer);
        }
    }

    /// Gives up the answers whose time is over at `now_ms`.
    pub(super) fn sweep(&self, now_ms: i64) {
        if let Some(answers) = &self.answers {
            answers.retain(|_, kept| kept.until_ms > now_ms);
        }
    }

    /// The number of answers.
    pub(super) fn len(&self) -> usize {
        self.answers.as_ref().map_or(0, Cache::len)
    }

    /// The bytes that they take.
    pub(super) fn bytes(&self) -> u64 {
        self.answers.as_ref().map_or(0, Cache::weight)
    }
}

#[cfg(test)]
mod tests;
