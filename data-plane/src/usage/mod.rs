//! Usage records: settled by the request path, kept on disk, reported to the control plane.
//!
//! A record goes from the request path through a bounded queue ([`UsageSink`]) to the [`spool`], which writes it to a
//! [`segment`] file; [`report`] reads it back, sends it, and frees it once the control plane has it. The [`meter`] of a
//! request settles its record, with what its [`attempts`] left behind. Tokens that a provider does not report are
//! counted by [`estimate`].

pub mod attempts;
pub mod estimate;
pub mod meter;
pub mod report;
pub mod segment;
pub mod spool;
pub mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use shared::pb::UsageRecord;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use tracing::error;

use estimate::Unreported;

/// Where the request path puts a settled record. A sink is cheap to clone, and never blocks, so that a record can be
/// settled in `Drop`.
#[derive(Clone, Debug)]
pub struct UsageSink {
    queue: mpsc::Sender<Settled>,
    dropped: Counter,
    /// The bytes that wait in the queue to be counted.
    uncounted: Arc<AtomicUsize>,
}

/// The most bytes that wait in the queue to be counted. Where there are more, estimates are rough.
const MOST_UNCOUNTED: usize = 16 * 1024 * 1024;

/// A settled record on its way to the spool.
#[derive(Debug)]
pub struct Settled {
    record: UsageRecord,
    /// What the tokens are estimated from, where the provider did not report them.
    unreported: Option<(Unreported, Held)>,
}

/// Bytes that count as waiting until this is dropped.
#[derive(Debug)]
struct Held {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Settled {
    /// The record, with estimates of the tokens that were not reported. An estimate takes milliseconds, and many at the
    /// first time, so it is no work for the request path.
    pub fn counted(self) -> UsageRecord {
        let mut record = self.record;
        if let Some((unreported, _held)) = self.unreported {
            unreported.count_in(&mut record);
        }
        record
    }
}

impl UsageSink {
    /// A sink whose queue holds `capacity` records, and the end that the spool reads. `dropped` counts records that
    /// found the queue full.
    pub fn channel(capacity: usize, dropped: Counter) -> (Self, mpsc::Receiver<Settled>) {
        let (queue, records) = mpsc::channel(capacity);
        (Self { queue, dropped, uncounted: Arc::default() }, records)
    }

    /// Hands over one record, and what its tokens are to be estimated from where the provider did not report them.
    pub fn submit(&self, mut record: UsageRecord, unreported: Option<Unreported>) {
        let unreported = unreported.and_then(|unreported| {
            let bytes = unreported.bytes();
            let before = self.uncounted.fetch_add(bytes, Ordering::Relaxed);
            let held = Held { bytes, all: Arc::clone(&self.uncounted) };
            if before + bytes > MOST_UNCOUNTED {
                unreported.count_roughly_in(&mut record);
                return None;
            }
            Some((unreported, held))
        });
        if let Err(refused) = self.queue.try_send(Settled { record, unreported }) {
            self.dropped.inc();
            error!(
                usage_id = refused.into_inner().record.id,
                "usage record dropped: the queue to the spool is full or closed"
            );
        }
    }

    /// The number of records that wait for the spool.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// Why a record was dropped. The names are values of the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The queue to the spool was full, or the node was already closing.
    QueueFull,
    /// The spool had reached its bound and its oldest records made room.
    SpoolFull,
    /// The disk took nothing until the node had to end.
    DiskError,
    /// The record was larger than any should be.
    TooLarge,
    /// The record was damaged on disk.
    Damaged,
}

impl DropReason {
    const ALL: [Self; 5] = [Self::QueueFull, Self::SpoolFull, Self::DiskError, Self::TooLarge, Self::Damaged];

    const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::SpoolFull => "spool_full",
            Self::DiskError => "disk_error",
            Self::TooLarge => "too_large",
            Self::Damaged => "damaged",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    reason: &'static str,
}

/// The metrics of usage records on their way.
#[derive(Clone, Debug, Default)]
pub struct UsageMetrics {
    dropped: Family<DropLabels, Counter>,
    /// The bytes of segment files on disk.
    pub(crate) spool_bytes: Gauge,
    /// The records on disk, or sent, that are not acked.
    pub(crate) spool_records: Gauge,
    /// The records that the control plane has acked.
    pub(crate) reported: Counter,
}

impl UsageMetrics {
    /// Makes the metrics, which `metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let usage = Self::default();
        for reason in DropReason::ALL {
            usage.dropped(reason);
        }
        metrics.register(|registry| {
            registry.register(
                "usage_records_dropped",
                "Usage records that will never reach the ledger, by reason",
                usage.dropped.clone(),
            );
            registry.register("usage_spool_bytes", "Bytes of the spool of usage records", usage.spool_bytes.clone());
            registry.register(
                "usage_spool_records",
                "Usage records in the spool that the control plane has not acked",
                usage.spool_records.clone(),
            );
            registry.register(
                "usage_reported",
                "Usage records that the control plane has acked",
                usage.reported.clone(),
            );
        });
        usage
    }

    /// The counter of records that were dropped for `reason`.
    pub fn dropped(&self, reason: DropReason) -> Counter {
        self.dropped.get_or_create(&DropLabels { reason: reason.name() }).clone()
    }

    /// The number of records that were dropped since the start, for whatever reason.
    pub fn dropped_total(&self) -> u64 {
        DropReason::ALL.iter().map(|reason| self.dropped(*reason).get()).sum()
    }
}
