//! Counts the tokens that providers did not report, in a place of its own: a count takes milliseconds, and no other
//! record waits for it. A record that waits for its count is on disk before, with rough counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shared::drain::Tasks;
use shared::pb::UsageRecord;
use tokio::sync::mpsc::{Receiver, Sender};
use tracing::error;

use super::backlog::Waiting;
use super::estimate::Unreported;
use super::spool::Position;

/// The most bytes that wait to be counted. Where there are more, estimates are rough.
pub(super) const MOST_UNCOUNTED: usize = 16 * 1024 * 1024;

/// The most records that wait to be counted.
pub(super) const QUEUE: usize = 4096;

/// Bytes that count as waiting until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    all: Arc<AtomicUsize>,
}

impl Held {
    /// Notes `bytes` more in `all`. None where too many wait.
    pub(super) fn take(bytes: usize, all: &Arc<AtomicUsize>) -> Option<Self> {
        let before = all.fetch_add(bytes, Ordering::Relaxed);
        let held = Self { bytes, all: Arc::clone(all) };
        (before + bytes <= MOST_UNCOUNTED).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A record that waits for its count.
#[derive(Debug)]
pub(super) struct Uncounted {
    pub(super) record: UsageRecord,
    pub(super) unreported: Unreported,
    pub(super) held: Held,
    /// Where it stands on disk.
    pub(super) place: Position,
}

/// Counts what comes, one record after the other, until no more comes or nobody takes the counts.
pub(super) async fn count(mut uncounted: Receiver<Uncounted>, counted: Sender<Waiting>, tasks: Tasks) {
    while let Some(Uncounted { mut record, unreported, held, place }) = uncounted.recv().await {
        let rough = record.clone();
        let count = tasks.spawn_blocking(move || {
            unreported.count_in(&mut record);
            drop(held);
            record
        });
        let record = count.await.unwrap_or_else(|failure| {
            error!(usage_id = rough.id, %failure, "counting the tokens of a usage record panicked; its counts are rough");
            rough
        });
        if counted.send(Waiting { record, uncounted: Some(place) }).await.is_err() {
            return;
        }
    }
}
