//! The metrics of usage records on their way.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use shared::telemetry::Metrics;

use super::worth::Worth;

/// Why a record was dropped. The names are values of the label `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The queue to the spool was full.
    QueueFull,
    /// The spool had reached its bound.
    SpoolFull,
    /// The disk took nothing, and the memory for what waits was full, or the node had to end.
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
    kind: &'static str,
}

/// The metrics of usage records on their way.
#[derive(Clone, Debug, Default)]
pub struct UsageMetrics {
    dropped: Family<DropLabels, Counter>,
    /// The bytes of segment files on disk.
    pub(crate) spool_bytes: Gauge,
    /// The records on disk, or sent, that are not acked.
    pub(crate) spool_records: Gauge,
    /// The records that wait in memory because the disk takes none.
    pub(crate) memory_records: Gauge,
    /// The records on disk whose tokens are still to be counted.
    pub(crate) uncounted_records: Gauge,
    /// The records that the control plane has acked.
    pub(crate) reported: Counter,
}

impl UsageMetrics {
    /// Makes the metrics, which `metrics` shows.
    pub fn register(metrics: &Metrics) -> Self {
        let usage = Self::default();
        for reason in DropReason::ALL {
            for worth in Worth::ALL {
                usage.dropped(reason, worth);
            }
        }
        metrics.register(|registry| {
            registry.register(
                "usage_records_dropped",
                "Usage records that will never reach the ledger, by reason and by whether something was paid for",
                usage.dropped.clone(),
            );
            registry.register("usage_spool_bytes", "Bytes of the spool of usage records", usage.spool_bytes.clone());
            registry.register(
                "usage_spool_records",
                "Usage records in the spool that the control plane has not acked",
                usage.spool_records.clone(),
            );
            registry.register(
                "usage_memory_records",
                "Usage records that wait in memory because the disk takes none",
                usage.memory_records.clone(),
            );
            registry.register(
                "usage_uncounted_records",
                "Usage records on disk whose tokens are still to be estimated",
                usage.uncounted_records.clone(),
            );
            registry.register(
                "usage_reported",
                "Usage records that the control plane has acked",
                usage.reported.clone(),
            );
        });
        usage
    }

    /// The counter of records of `worth` that were dropped for `reason`.
    pub fn dropped(&self, reason: DropReason, worth: Worth) -> Counter {
        self.dropped.get_or_create(&DropLabels { reason: reason.name(), kind: worth.name() }).clone()
    }

    /// The number of records that were dropped since the start, for whatever reason.
    pub fn dropped_total(&self) -> u64 {
        let reasons = DropReason::ALL.iter();
        reasons.flat_map(|reason| Worth::ALL.map(|worth| self.dropped(*reason, worth).get())).sum()
    }
}
