//! Follows the config in the database and holds the newest snapshot for the nodes.
//!
//! A snapshot is published as it was committed. Whether it is valid is for each node to say, which refuses bad config
//! with a reason. While the database does not answer, what was read last stays published.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use shared::drain::Tasks;
use shared::pb::welcome::Lineage;
use shared::pb::{self, KnownConfig};
use shared::snapshot::{Delta, Snapshot};
use shared::telemetry::Metrics;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::history::{History, Steps, merge};
use crate::store::published::{self, Since};
use crate::store::{Store, StoreError};

/// How often the database is asked for changes that other replicas committed.
const POLL: Duration = Duration::from_secs(1);
/// The longest pause between two questions to a database that does not answer.
const BACKOFF: Duration = Duration::from_secs(5);
/// How long an answer of the database may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often old changes are removed from the database.
const PRUNE_EVERY: Duration = Duration::from_hours(1);
/// Number of versions whose changes stay in the database.
const PRUNE_KEEP: u64 = 10_000;

/// A version of config, in the history in which it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigPosition {
    /// Identifies the history in which versions count.
    pub epoch: Arc<str>,
    /// The version, which grows with every committed change.
    pub version: u64,
}

/// What brings a node to the newest version.
#[derive(Clone, Debug)]
pub enum Update {
    /// The node has the newest version already.
    Nothing,
    /// What has changed since the version that the node has.
    Delta(Arc<pb::Delta>),
    /// The whole config.
    Snapshot(Arc<Snapshot>),
}

/// The newest config. A task of its own keeps it up to date.
pub struct Publisher {
    store: Store,
    published: Mutex<Published>,
    position: watch::Sender<ConfigPosition>,
    /// How often the database turned out to be another one, or a restored backup, while this process ran.
    replaced: watch::Sender<u64>,
    /// Number of answers of the database so far. It lets a waiter know that the database was asked after the wait
    /// began.
    checks: watch::Sender<u64>,
    check_now: Notify,
    problem: Mutex<Option<String>>,
    version: Gauge,
    lag: Histogram,
    failures: Counter,
}

#[derive(Debug)]
struct Published {
    snapshot: Arc<Snapshot>,
    history: History,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher").field("position", &*self.position.borrow()).finish_non_exhaustive()
    }
}

impl Publisher {
    /// Loads the config, then follows it until `tasks` stop.
    ///
    /// # Errors
    /// When the config cannot be read.
    pub async fn start(store: Store, tasks: &Tasks) -> Result<Arc<Self>, StoreError> {
        let committed = store.config_changed();
        let snapshot = timeout(DEADLINE, published::snapshot(&store)).await.map_err(|_| late())??;
        let position = position_of(&snapshot);
        let publisher = Arc::new(Self {
            store,
            position: watch::Sender::new(position),
            replaced: watch::Sender::new(0),
            published: Mutex::new(Published { snapshot: Arc::new(snapshot), history: History::default() }),
            checks: watch::Sender::new(0),
            check_now: Notify::new(),
            problem: Mutex::new(None),
            version: Gauge::default(),
            lag: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            failures: Counter::default(),
        });
        publisher.show_version();
        tasks.spawn("config pruner", prune(publisher.store.clone(), tasks.clone()));
        tasks.spawn("config publisher", Arc::clone(&publisher).follow(committed, tasks.clone()));
        Ok(publisher)
    }

    /// Registers `config_published_version`, `config_publish_seconds` (from a commit of this process to its
    /// publication) and `config_read_failures_total`.
    pub fn register(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            registry.register("config_published_version", "Version of the published config", self.version.clone());
            registry.register(
                "config_publish_seconds",
                "From the news of a commit until its config is published",
                self.lag.clone(),
            );
            registry.register(
                "config_read_failures",
                "Times that the database could not be asked for config",
                self.failures.clone(),
            );
        });
    }

    /// Gives the newest snapshot whenever it is called, for what does not know publishers.
    pub fn in_force(self: &Arc<Self>) -> Arc<dyn Fn() -> Arc<Snapshot> + Send + Sync> {
        let publisher = Arc::clone(self);
        Arc::new(move || publisher.snapshot())
    }

    /// The newest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.published().snapshot)
    }

    /// The position of the newest snapshot, which changes whenever a newer one is published.
    pub fn position(&self) -> watch::Receiver<ConfigPosition> {
        self.position.subscribe()
    }

    /// Changes when the database turns out to be another one, or a restored backup. Nodes are to be met anew then.
    pub fn replaced(&self) -> watch::Receiver<u64> {
        self.replaced.subscribe()
    }

    /// Whether the database has had the config that a node knows.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn lineage(&self, known: Option<&KnownConfig>) -> Result<Lineage, StoreError> {
        let Some(known) = known else { return Ok(Lineage::Unspecified) };
        let newest = self.snapshot();
        if *known.lineage == *newest.lineage && known.version == newest.version && !known.lineage.is_empty() {
            return Ok(Lineage::Shared);
        }
        if known.lineage.is_empty() || *known.epoch != *newest.epoch {
            return Ok(Lineage::Unspecified);
        }
        published::lineage(&self.store, known.clone()).await
    }

    /// Why the config in the database cannot be read at the moment. `None` when it can.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest position, and what brings a node that has `have` there. Deltas are encoded once for all nodes.
    pub fn update(&self, have: Option<&ConfigPosition>) -> (ConfigPosition, Update) {
        let published = self.published();
        let position = position_of(&published.snapshot);
        let steps = match have {
            Some(have) if *have == position => return (position, Update::Nothing),
            Some(have) if have.epoch == position.epoch => published.history.since(have.version),
            _ => None,
        };
        let snapshot = Arc::clone(&published.snapshot);
        drop(published);
        let delta = match (steps, have) {
            (Some(Steps::Merged(delta)), _) => Some(delta),
            (Some(Steps::Several(steps)), Some(have)) => merge(have.version, &steps).map(Arc::new).inspect(|delta| {
                self.published().history.remember(delta);
            }),
            _ => None,
        };
        (position, delta.map_or(Update::Snapshot(snapshot), Update::Delta))
    }

    /// Waits until the database has been asked for changes, from now on, and has answered. The caller sets a deadline.
    pub async fn checked(&self) {
        let mut checks = self.checks.subscribe();
        let now = *checks.borrow_and_update();
        loop {
            self.check_now.notify_one();
            // The next answer may be to a question from before the call, so the one after it counts.
            if checks.changed().await.is_err() || *checks.borrow() >= now + 2 {
                return;
            }
        }
    }

    async fn follow(self: Arc<Self>, mut committed: watch::Receiver<u64>, tasks: Tasks) {
        let mut pause = POLL;
        loop {
            let news = tokio::select! {
                () = tasks.stopping() => return,
                Ok(()) = committed.changed() => Some(Instant::now()),
                () = self.check_now.notified() => None,
                () = tokio::time::sleep(pause) => None,
            };
            let outcome = tokio::select! {
                () = tasks.stopping() => return,
                outcome = timeout(DEADLINE, self.advance()) => outcome.unwrap_or_else(|_| Err(late())),
            };
            match outcome {
                Ok(moved) => {
                    if let (true, Some(news)) = (moved, news) {
                        self.lag.observe(news.elapsed().as_secs_f64());
                    }
                    pause = POLL;
                    self.well();
                }
                Err(error) => {
                    pause = (pause * 2).min(BACKOFF);
                    self.failed(&error);
                    // A new commit that could not be read must not wait for the long pause that a database gets which
                    // has not answered for a while.
                    if news.is_some() {
                        pause = POLL;
                    }
                }
            }
        }
    }

    /// Publishes what has been committed since. Returns whether there was anything.
    async fn advance(&self) -> Result<bool, StoreError> {
        let have = self.snapshot();
        match published::since(&self.store, &have).await? {
            Since::Unchanged => return Ok(false),
            Since::Delta(delta) => self.publish_delta(&delta),
            Since::TooOld => self.publish_snapshot(published::snapshot(&self.store).await?, false),
            Since::Elsewhere => {
                let snapshot = published::snapshot(&self.store).await?;
                let (before, now) = (have.version, snapshot.version);
                error!(before, now, "the database is another one than before, or a restored backup");
                self.publish_snapshot(snapshot, true);
            }
        }
        Ok(true)
    }

    fn publish_delta(&self, delta: &Delta) {
        let message = Arc::new(pb::Delta::from(delta));
        let next = Arc::new(after(&self.snapshot(), delta));
        let mut published = self.published();
        published.snapshot = next;
        published.history.push(message);
        drop(published);
        self.announce();
    }

    fn publish_snapshot(&self, snapshot: Snapshot, of_another_database: bool) {
        info!(version = snapshot.version, epoch = %snapshot.epoch, "config published as a whole");
        let mut published = self.published();
        published.snapshot = Arc::new(snapshot);
        published.history.clear();
        if of_another_database {
            // Whoever gets the snapshot can know that from here on.
            self.replaced.send_modify(|times| *times += 1);
        }
        drop(published);
        self.announce();
    }

    fn announce(&self) {
        let position = position_of(&self.published().snapshot);
        self.show_version();
        self.position.send_replace(position);
    }

    fn show_version(&self) {
        self.version.set(i64::try_from(self.published().snapshot.version).unwrap_or(i64::MAX));
    }

    fn well(&self) {
        if self.problem.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            info!("config can be read again");
        }
        self.checks.send_modify(|checks| *checks += 1);
    }

    fn failed(&self, error: &StoreError) {
        self.failures.inc();
        let text = error.to_string();
        let before = self.problem.lock().unwrap_or_else(PoisonError::into_inner).replace(text.clone());
        if before.as_deref() != Some(&text) {
            warn!(error = text, "config cannot be read; what was read last stays published");
        }
    }

    fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes changes from the database that are too old for a delta.
async fn prune(store: Store, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = tokio::time::sleep(PRUNE_EVERY) => {}
        }
        let outcome = tokio::select! {
            () = tasks.stopping() => return,
            outcome = timeout(DEADLINE, published::prune(&store, PRUNE_KEEP)) => outcome.unwrap_or_else(|_| Err(late())),
        };
        if let Err(error) = outcome {
            warn!(%error, "old config changes could not be removed");
        }
    }
}

fn late() -> StoreError {
    StoreError::Unavailable(format!("no answer within {} s", DEADLINE.as_secs()))
}

fn position_of(snapshot: &Snapshot) -> ConfigPosition {
    ConfigPosition { epoch: Arc::clone(&snapshot.epoch), version: snapshot.version }
}

/// The snapshot after the delta, valid or not.
fn after(snapshot: &Snapshot, delta: &Delta) -> Snapshot {
    let mut next = snapshot.clone();
    next.version = delta.version;
    next.lineage = Arc::clone(&delta.lineage);
    for id in &delta.removed_groups {
        next.groups.remove(id);
    }
    next.groups.extend(delta.groups.iter().map(|group| (Arc::clone(&group.id), Arc::clone(group))));
    for id in &delta.removed_proxy_keys {
        next.proxy_keys.remove(id);
    }
    next.proxy_keys.extend(delta.proxy_keys.iter().map(|key| (Arc::clone(&key.id), Arc::clone(key))));
    if let Some(rules) = &delta.error_rules {
        next.error_rules = Arc::clone(rules);
    }
    if let Some(prices) = &delta.prices {
        next.prices = Arc::clone(prices);
    }
    next
}

#[cfg(test)]
mod tests;
