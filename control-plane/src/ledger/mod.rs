//! The ledger of usage. It holds every record once, however often a node sends it. `price.rs` says what a record costs.

pub(crate) mod price;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use shared::drain::Tasks;
use shared::pb::UsageRecord;
use shared::pb::usage_record::UsageSource;
use shared::snapshot::Snapshot;
use shared::telemetry::Metrics;
use shared::tokens::MOST_TOKENS;
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;
use uuid::Uuid;

use crate::store::{Store, StoreError, usage};

/// The most records of one transaction.
const CHUNK: usize = 500;
/// The most transactions that may be under way.
const WRITERS: usize = 4;
/// How long a write may wait for its turn, and how long its commit may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest text of a record that is kept as a whole, in characters.
const MAX_TEXT: usize = 2_000;
/// The longest name of a record that is kept as a whole, in characters.
const MAX_NAME: usize = 255;
/// The longest id or word of a record that is kept as a whole, in characters. A method is what a client sends.
const MAX_WORD: usize = 64;

/// Longest mark, in bytes: as long as its column.
const MAX_MARK: usize = 16;

/// Bounds of numbers in a record. Sums of as many records as a database holds stay within 64 bits.
const MOST_US: u64 = 365 * 24 * 3_600 * 1_000_000;
const MOST_BYTES: u64 = 1 << 40;
const MOST_UNITS: u64 = 1_000_000;
/// The end of the year 9999.
const MOST_MS: i64 = 253_402_300_799_999;

/// The most attempts of a record that are kept.
const MAX_ATTEMPTS: usize = 100;

/// Gives the config in force, by whose prices records are counted.
pub type ConfigInForce = Arc<dyn Fn() -> Arc<Snapshot> + Send + Sync>;

/// Puts usage records into the database.
pub struct Ledger {
    config: ConfigInForce,
    store: Store,
    tasks: Tasks,
    writers: Arc<Semaphore>,
    records: Counter,
    duplicates: Counter,
    invalid: Counter,
    unauthenticated: Counter,
}

/// Why not all records are in the ledger. The node may send them all again, because those that are there already do no
/// harm.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The database refused, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database is too slow, or another writer holds it.
    #[error("the ledger did not answer within {} s", DEADLINE.as_secs())]
    Late,
    /// The program is about to end.
    #[error("the ledger is stopping")]
    Stopping,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ledger").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Ledger {
    /// A ledger over `store`, which registers `ledger_records_total`, `ledger_duplicates_total` and
    /// `ledger_invalid_total`. Records are priced by `config`. Its writes run under `tasks`.
    pub fn start(store: Store, config: ConfigInForce, metrics: &Metrics, tasks: &Tasks) -> Arc<Self> {
        let ledger = Self {
            config,
            store,
            tasks: tasks.clone(),
            writers: Arc::new(Semaphore::new(WRITERS)),
            records: Counter::default(),
            duplicates: Counter::default(),
            invalid: Counter::default(),
            unauthenticated: Counter::default(),
        };
        metrics.register(|registry| {
            registry.register("ledger_records", "Usage records committed to the ledger", ledger.records.clone());
            registry.register(
                "ledger_duplicates",
                "Usage records that the ledger had already",
                ledger.duplicates.clone(),
            );
            registry.register("ledger_invalid", "Usage records skipped for an invalid id", ledger.invalid.clone());
            registry.register(
                "ledger_unauthenticated",
                "Usage records of older nodes skipped because it was never known whose the request is",
                ledger.unauthenticated.clone(),
            );
        });
        Arc::new(ledger)
    }

    /// Stores `records` and returns after the commit. Records whose id is not a UUID are counted and skipped, since
    /// they would block the node's queue for ever, and so are those of requests that belong to no proxy key.
    ///
    /// # Errors
    /// [`LedgerError`] when not all of them are stored.
    pub async fn ingest(&self, records: Vec<UsageRecord>) -> Result<(), LedgerError> {
        // Older nodes report requests that no key belongs to. Whoever has none must not fill the ledger.
        let (known, unknown): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| !record.proxy_key_id.is_empty());
        self.unauthenticated.inc_by(unknown.len() as u64);
        let given = known.len();
        let mut valid: Vec<_> = known.into_iter().filter_map(presentable).collect();
        let invalid = given - valid.len();
        if invalid > 0 {
            self.invalid.inc_by(invalid as u64);
            warn!(records = invalid, "usage records without a valid id were skipped");
        }
        while !valid.is_empty() {
            let rest = valid.split_off(valid.len().min(CHUNK));
            self.commit(std::mem::replace(&mut valid, rest)).await?;
        }
        Ok(())
    }

    async fn commit(&self, records: Vec<UsageRecord>) -> Result<(), LedgerError> {
        let turn = timeout(DEADLINE, Arc::clone(&self.writers).acquire_owned()).await;
        let turn = turn.map_err(|_| LedgerError::Late)?.map_err(|_| LedgerError::Stopping)?;
        let (store, config, total) = (self.store.clone(), (self.config)(), records.len() as u64);
        // The write runs in a task of its own, so that a node that leaves does not cut the transaction short.
        let write = self.tasks.spawn("ledger write", async move {
            let new = usage::insert(&store, &records, |record| price::cost(record, &config)).await;
            drop(turn);
            new
        });
        let new =
            timeout(DEADLINE, write).await.map_err(|_| LedgerError::Late)?.map_err(|_| LedgerError::Stopping)??;
        self.records.inc_by(new);
        self.duplicates.inc_by(total.saturating_sub(new));
        Ok(())
    }
}

/// The record as every database can hold it. `None` when its id is not a UUID.
fn presentable(mut record: UsageRecord) -> Option<UsageRecord> {
    record.id = Uuid::try_parse(&record.id).ok()?.hyphenated().to_string();
    for name in [
        &mut record.request_id,
        &mut record.node_id,
        &mut record.proxy_key_name,
        &mut record.group_name,
        &mut record.upstream_key_masked,
        &mut record.requested_model,
        &mut record.upstream_model,
        &mut record.error_code,
    ] {
        shorten(name, MAX_NAME);
    }
    for word in [
        &mut record.proxy_key_id,
        &mut record.group_id,
        &mut record.provider_type,
        &mut record.upstream_key_id,
        &mut record.api,
        &mut record.method,
        &mut record.client_ip,
        &mut record.affinity,
        &mut record.group_policy,
        &mut record.service_tier,
    ] {
        shorten(word, MAX_WORD);
    }
    shorten(&mut record.cache, MAX_MARK);
    for text in [&mut record.path, &mut record.error_message, &mut record.user_agent] {
        shorten(text, MAX_TEXT);
    }
    record.attempts.truncate(MAX_ATTEMPTS);
    for attempt in &mut record.attempts {
        shorten(&mut attempt.group_id, MAX_NAME);
        shorten(&mut attempt.upstream_key_id, MAX_NAME);
        shorten(&mut attempt.error, MAX_NAME);
        shorten(&mut attempt.group_name, MAX_NAME);
        shorten(&mut attempt.upstream_key_masked, MAX_NAME);
        shorten(&mut attempt.upstream_model, MAX_NAME);
        for time in [&mut attempt.started_us, &mut attempt.duration_us] {
            *time = (*time).min(MOST_US);
        }
    }
    let mut capped = false;
    for tokens in [
        &mut record.input_tokens,
        &mut record.cached_tokens,
        &mut record.cache_write_tokens,
        &mut record.cache_write_1h_tokens,
        &mut record.input_audio_tokens,
        &mut record.output_audio_tokens,
        &mut record.input_image_tokens,
        &mut record.output_image_tokens,
        &mut record.output_tokens,
        &mut record.reasoning_tokens,
    ] {
        capped |= *tokens > MOST_TOKENS;
        *tokens = (*tokens).min(MOST_TOKENS);
    }
    if capped {
        record.set_usage_source(UsageSource::Capped);
    }
    for time in [&mut record.queue_us, &mut record.first_byte_us, &mut record.total_us] {
        *time = (*time).min(MOST_US);
    }
    for bytes in [&mut record.request_bytes, &mut record.response_bytes] {
        *bytes = (*bytes).min(MOST_BYTES);
    }
    record.snapshot_version = record.snapshot_version.min(i64::MAX as u64);
    if let Some(units) = &mut record.units {
        for count in [&mut units.images, &mut units.seconds, &mut units.searches, &mut units.reranks] {
            *count = (*count).min(MOST_UNITS);
        }
    }
    record.started_at_ms = record.started_at_ms.clamp(0, MOST_MS);
    record.status = record.status.min(i32::MAX as u32);
    Some(record)
}

/// Shortens `text` to at most `characters` characters and removes NUL, which PostgreSQL does not accept.
fn shorten(text: &mut String, characters: usize) {
    if text.contains('\0') {
        text.retain(|character| character != '\0');
    }
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests;
