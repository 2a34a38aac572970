//! Usage: settled by the request path, kept on disk, reported to the control plane.

pub mod meter;

use prometheus_client::metrics::counter::Counter;
use shared::pb::UsageRecord;
use tokio::sync::mpsc;
use tracing::error;

/// Where the request path puts a settled record. Cheap to clone; never blocks, so that a record can be settled in `Drop`.
#[derive(Clone, Debug)]
pub struct UsageSink {
    queue: mpsc::Sender<UsageRecord>,
    dropped: Counter,
}

impl UsageSink {
    /// A sink whose queue holds `capacity` records, and the end that the spool reads. `dropped` counts records that found the
    /// queue full.
    pub fn channel(capacity: usize, dropped: Counter) -> (Self, mpsc::Receiver<UsageRecord>) {
        let (queue, records) = mpsc::channel(capacity);
        (Self { queue, dropped }, records)
    }

    /// Hands over one record.
    pub fn submit(&self, record: UsageRecord) {
        if let Err(refused) = self.queue.try_send(record) {
            self.dropped.inc();
            error!(
                usage_id = refused.into_inner().id,
                "usage record dropped: the queue to the spool is full or closed"
            );
        }
    }
}
