//! Answers that are kept in memory, and given again to the same request of the same proxy key (`docs/ROUTING.md`
//! section "Response cache"). It is off unless a proxy key or a group has it.
//!
//! - [`inquiry`]: a request, and the key that its answer is kept under; `fitness`: which requests are never answered
//!   from memory; `normal`: JSON that is the same whatever its spaces and the order of its fields.
//! - [`wishes`]: what the client says of it, in `cache-control`.
//! - [`kept`]: an answer that is kept; `store`: all of them, within bounds of bytes and time.
//! - [`flight`]: identical requests that come at once, of which one asks.
//! - [`recording`]: an answer that is written down while it goes to the client; `soundness`: whether it is one to keep.
//! - [`note`]: what the client is told; `metrics`: what is counted.

mod fitness;
pub mod flight;
pub mod inquiry;
pub mod kept;
mod metrics;
mod normal;
pub mod note;
pub mod recording;
mod soundness;
mod store;
pub mod wishes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shared::drain::Tasks;
use shared::telemetry::Metrics;
use shared::time::steady_ms;
use tokio::time::{Instant, sleep};

use flight::{Flights, Joined, Lead};
use inquiry::CacheKey;
use kept::KeptAnswer;
use metrics::{CacheMetrics, StoreCollector};
use store::AnswerStore;
use wishes::Wishes;

pub use fitness::Unfit;
pub use metrics::CacheResult;

/// The largest answer that is kept, in bytes.
pub const LARGEST_ANSWER: usize = 1024 * 1024;

/// How often answers whose time is over are given up, beside when they are asked for.
const SWEEP: Duration = Duration::from_secs(30);

/// The part of the memory that answers take while they are written down.
const RECORDED: u64 = 8;

/// Answers in memory, within a bound of bytes.
#[derive(Debug)]
pub struct ResponseCache {
    store: Arc<AnswerStore>,
    flights: Arc<Flights>,
    metrics: CacheMetrics,
    /// The bytes of answers that are being written down.
    recorded: AtomicU64,
    most_recorded: u64,
}

/// What became of a look-up.
#[derive(Debug)]
pub enum LookedUp {
    /// The answer is there.
    Hit(Arc<KeptAnswer>),
    /// It is not. The request asks, for others too where it leads.
    Miss(Option<Lead>),
}

impl ResponseCache {
    /// A cache that takes `bytes` of memory at most, and shows in `metrics` what it does.
    pub fn new(bytes: u64, metrics: &Metrics) -> Arc<Self> {
        let most_recorded = bytes / RECORDED;
        let store = Arc::new(AnswerStore::new(bytes - most_recorded));
        let counted = CacheMetrics::register(metrics);
        let shown = StoreCollector(Arc::clone(&store));
        metrics.register(|registry| registry.register_collector(Box::new(shown)));
        Arc::new(Self { store, flights: Arc::default(), metrics: counted, recorded: AtomicU64::new(0), most_recorded })
    }

    /// Looks for an answer under `key` that `serves` the request, as its client `wishes`. Where another request asks
    /// for the same at this moment, this waits for its answer, `until` then at the latest.
    pub async fn find(
        &self,
        key: CacheKey,
        wishes: Wishes,
        until: Instant,
        serves: impl Fn(&KeptAnswer) -> bool,
    ) -> LookedUp {
        let found = self.look(key, wishes, until, serves).await;
        self.count(if matches!(found, LookedUp::Hit(_)) { CacheResult::Hit } else { CacheResult::Miss });
        found
    }

    async fn look(
        &self,
        key: CacheKey,
        wishes: Wishes,
        until: Instant,
        serves: impl Fn(&KeptAnswer) -> bool,
    ) -> LookedUp {
        if !wishes.reads() {
            return LookedUp::Miss(None);
        }
        let look = || self.store.get(&key, steady_ms()).filter(|kept| wishes.take(kept, steady_ms()) && serves(kept));
        if let Some(kept) = look() {
            return LookedUp::Hit(kept);
        }
        match Flights::join(&self.flights, key, until).await {
            Joined::Shared(kept) => LookedUp::Hit(kept),
            Joined::Alone => LookedUp::Miss(None),
            Joined::Lead(lead) => match look() {
                // It has come between the look and the flight.
                Some(kept) => {
                    lead.share(&kept);
                    LookedUp::Hit(kept)
                }
                None => LookedUp::Miss(Some(lead)),
            },
        }
    }

    /// Counts a request for which the cache is on.
    pub fn count(&self, result: CacheResult) {
        self.metrics.count(result);
    }

    /// Keeps `answer` under `key`.
    fn keep(&self, key: CacheKey, answer: &Arc<KeptAnswer>) {
        self.store.put(key, Arc::clone(answer));
    }

    /// Takes room for `bytes` more of an answer that is being written down, and says whether there was any.
    fn take_room(&self, bytes: u64) -> bool {
        let before = self.recorded.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.most_recorded;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: u64) {
        self.recorded.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Gives up answers whose time is over, again and again until `tasks` stop.
    pub async fn run(self: Arc<Self>, tasks: Tasks) {
        while !tasks.is_stopping() {
            tokio::select! {
                () = sleep(SWEEP) => self.store.sweep(steady_ms()),
                () = tasks.stopping() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
