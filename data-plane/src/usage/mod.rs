//! Usage records: settled by the request path, kept on disk, reported to the control plane.
//!
//! A record goes from the request path through a bounded queue ([`UsageSink`]) to the [`spool`], which writes it to a
//! [`segment`] file; [`report`] reads it back, sends it, and frees it once the control plane has it. The [`meter`] of a
//! request settles its record, with what its [`attempts`] left behind. Tokens that a provider does not report are
//! counted by [`estimate`], in `counting`, after the record is on disk. What is dropped where not all can be kept
//! follows from its [`worth`]; `backlog` holds what the disk does not take, `refusals` what is logged of requests that
//! are refused, and `pace` how often a warning is repeated.

pub mod attempts;
mod backlog;
mod counting;
pub mod estimate;
pub mod meter;
pub mod metrics;
pub(crate) mod pace;
mod recorder;
pub mod refusals;
pub mod report;
pub mod segment;
pub mod spool;
pub mod worth;
pub mod writer;

use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use prometheus_client::metrics::counter::Counter;
use shared::pb::UsageRecord;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::error;

use counting::Held;
use estimate::Unreported;
use spool::{Lane, Spool};
use worth::Worth;

pub use metrics::{DropReason, UsageMetrics};

/// The queue for records that cost nothing is so much shorter than the one for others.
const FREE_QUEUE: usize = 4;

/// Where the request path puts a settled record. A sink is cheap to clone, and never blocks, so that a record can be
/// settled in `Drop`.
#[derive(Clone, Debug)]
pub struct UsageSink {
    /// The queues by what records are worth: those that cost nothing take no room from others.
    queues: [mpsc::Sender<Settled>; Worth::ALL.len()],
    dropped: [Counter; Worth::ALL.len()],
    /// The bytes that wait in the queue to be counted.
    uncounted: Arc<AtomicUsize>,
    /// Takes what is settled when the queue is closed, because the node ends.
    last: Arc<OnceLock<Arc<Spool>>>,
}

/// The end of the queue that is read.
#[derive(Debug)]
pub struct UsageQueue([mpsc::Receiver<Settled>; Worth::ALL.len()]);

/// A settled record on its way to the spool.
#[derive(Debug)]
pub struct Settled {
    /// The record, with rough counts of the tokens that were not reported.
    record: UsageRecord,
    /// What the tokens are estimated from, where the provider did not report them.
    unreported: Option<(Unreported, Held)>,
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
    /// A sink whose queue holds `capacity` records, and some more that cost nothing, and the end that the writer reads.
    /// Records that find the queue full are counted in `metrics`.
    pub fn channel(capacity: usize, metrics: &UsageMetrics) -> (Self, UsageQueue) {
        let (paid, paid_records) = mpsc::channel(capacity);
        let (free, free_records) = mpsc::channel(capacity.div_ceil(FREE_QUEUE));
        let dropped = Worth::ALL.map(|worth| metrics.dropped(DropReason::QueueFull, worth));
        let sink = Self { queues: [paid, free], dropped, uncounted: Arc::default(), last: Arc::default() };
        (sink, UsageQueue([paid_records, free_records]))
    }

    /// Writes what is settled after the queue was closed to `spool`, on the spot.
    pub fn end_in(&self, spool: &Arc<Spool>) {
        // It is set once, at the start.
        let _ = self.last.set(Arc::clone(spool));
    }

    /// Hands over one record, and what its tokens are to be estimated from where the provider did not report them.
    pub fn submit(&self, mut record: UsageRecord, unreported: Option<Unreported>) {
        let unreported = unreported.and_then(|mut unreported| {
            unreported.count_roughly_in(&mut record);
            let held = Held::take(unreported.bytes(), &self.uncounted)?;
            Some((unreported, held))
        });
        let worth = Worth::of(&record);
        match self.queues[worth as usize].try_send(Settled { record, unreported }) {
            Ok(()) => {}
            Err(TrySendError::Closed(late)) if self.is_kept(worth, &late.record) => {}
            Err(refused) => {
                self.dropped[worth as usize].inc();
                let usage_id = refused.into_inner().record.id;
                error!(usage_id, kind = worth.name(), "usage record dropped: the queue to the spool is full or closed");
            }
        }
    }

    fn is_kept(&self, worth: Worth, record: &UsageRecord) -> bool {
        let append = |spool: &Arc<Spool>| spool.append(Lane::of(worth), std::slice::from_ref(record)).is_ok();
        self.last.get().is_some_and(append)
    }

    /// The number of records that wait for the spool.
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.max_capacity() - queue.capacity()).sum()
    }
}

impl UsageQueue {
    /// Waits for records and adds up to `most` of them to `records`, those that were paid for first. Gives their
    /// number; 0 when no more will come.
    pub async fn receive(&mut self, records: &mut Vec<Settled>, most: usize) -> usize {
        poll_fn(|context| {
            for queue in &mut self.0 {
                match queue.poll_recv_many(context, records, most) {
                    Poll::Ready(received) if received > 0 => return Poll::Ready(received),
                    _ => {}
                }
            }
            if self.0.iter().all(is_done) { Poll::Ready(0) } else { Poll::Pending }
        })
        .await
    }

    /// Adds to `records` what is there, up to `most`.
    pub fn receive_now(&mut self, records: &mut Vec<Settled>, most: usize) {
        for queue in &mut self.0 {
            while records.len() < most
                && let Ok(record) = queue.try_recv()
            {
                records.push(record);
            }
        }
    }

    /// The next record, where one is there.
    pub fn try_recv(&mut self) -> Option<Settled> {
        self.0.iter_mut().find_map(|queue| queue.try_recv().ok())
    }

    /// Takes no more records. Those that are there can be read.
    pub fn close(&mut self) {
        self.0.iter_mut().for_each(mpsc::Receiver::close);
    }

    /// Whether no more records are taken.
    pub fn is_closed(&self) -> bool {
        self.0.iter().all(mpsc::Receiver::is_closed)
    }
}

fn is_done(queue: &mpsc::Receiver<Settled>) -> bool {
    queue.is_closed() && queue.is_empty()
}
