//! Sends records from the spool to the control plane: each at least once, in order, and freed on disk when acked.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use shared::drain::Tasks;
use shared::pb::{UsageAck, UsageBatch};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracing::{debug, info, warn};

use super::spool::{Batch, Spool};
use crate::link::backoff::Backoff;
use crate::link::{Link, explain};

/// The most batches that are sent and not acked.
const IN_FLIGHT: usize = 4;

/// How long the control plane may take nothing when the tasks stop. The rest then waits on disk for the next start.
const LAST_TRIES: Duration = Duration::from_secs(2);

/// Deadlines of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// How long the stream may take to open.
    pub open: Duration,
    /// How long the ack of a batch may take.
    pub ack: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { open: Duration::from_secs(10), ack: Duration::from_secs(30) }
    }
}

/// Sends what is in the spool.
#[derive(Debug)]
pub struct Reporter {
    spool: Arc<Spool>,
    link: Link,
    node_id: Arc<str>,
    deadlines: Deadlines,
    tasks: Tasks,
    /// Batches that the spool has handed out and that are not acked. They outlive the stream, so that nothing is read
    /// from the disk twice.
    in_flight: VecDeque<Batch>,
    /// The database to which records may be delivered; none while it is not known whose control plane answers.
    delivery: watch::Receiver<Option<Arc<str>>>,
    /// Keeps `delivery` open where nothing holds records back.
    _anywhere: Option<watch::Sender<Option<Arc<str>>>>,
}

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{}", explain(.0))]
    Refused(#[from] Status),
    #[error("the control plane closed the stream")]
    Closed,
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error("the spool cannot be read: {0}")]
    Disk(#[from] io::Error),
    #[error("it is not known that the control plane has the database that this node belongs to")]
    Withheld,
    #[error("reading the spool panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

/// One stream of batches.
struct SessionKey {
    batches: mpsc::Sender<UsageBatch>,
    acks: Streaming<UsageAck>,
    /// The sequence number of the batch that was sent last.
    sequence: u64,
    /// When the batches in flight left, the oldest first.
    sent: VecDeque<Instant>,
}

impl Reporter {
    /// Reports for the node `node_id` over `link`.
    pub fn new(spool: Arc<Spool>, link: Link, node_id: Arc<str>, deadlines: Deadlines, tasks: Tasks) -> Self {
        let (anywhere, delivery) = watch::channel(Some(Arc::from("")));
        let in_flight = VecDeque::new();
        Self { spool, link, node_id, deadlines, tasks, in_flight, delivery, _anywhere: Some(anywhere) }
    }

    /// Delivers records only while `delivery` names the database that they may go to.
    #[must_use]
    pub fn delivering(self, delivery: watch::Receiver<Option<Arc<str>>>) -> Self {
        Self { delivery, _anywhere: None, ..self }
    }

    /// Reports until `tasks` stop, the spool is closed, and either nothing waits in it or the control plane takes
    /// nothing.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut failing = false;
        let mut refused = false;
        let mut stopping_since = None;
        loop {
            if !self.wait_for_records().await {
                return;
            }
            let before = self.spool.pending();
            let Err(ended) = self.session(&mut failing).await else { return };
            self.give_back();
            if self.spool.pending() < before {
                backoff.reset();
                stopping_since = None;
            }
            let now_refused = matches!(&ended, Ended::Refused(status) if status.code() == Code::Unauthenticated);
            if (failing && refused == now_refused) || matches!(ended, Ended::Withheld) {
                debug!(error = %ended, "usage is not reported");
            } else if now_refused {
                warn!("usage is not reported: the control plane refuses the node token; records wait on disk");
            } else {
                warn!(error = %ended, "usage is not reported; records wait on disk");
            }
            failing |= !matches!(ended, Ended::Withheld);
            refused = now_refused;
            if self.tasks.is_stopping() && stopping_since.get_or_insert_with(Instant::now).elapsed() > LAST_TRIES {
                return;
            }
            sleep(backoff.wait()).await;
        }
    }

    /// Waits until there is something to send, and somebody to send it to. Gives false when there never will be.
    async fn wait_for_records(&mut self) -> bool {
        let mut stopping_since = None;
        loop {
            let (pending, withheld) = (self.spool.has_unsent(), self.delivery.borrow_and_update().is_none());
            if pending && !withheld {
                return true;
            }
            if self.tasks.is_stopping() && self.spool.is_closed() && !pending {
                return false;
            }
            // What is withheld waits on disk for the next start.
            let held_back = pending && withheld && self.tasks.is_stopping();
            let last = held_back.then(|| *stopping_since.get_or_insert_with(Instant::now) + LAST_TRIES);
            tokio::select! {
                () = sleep_until(last.unwrap_or_else(Instant::now)), if last.is_some() => return false,
                Ok(()) = self.delivery.changed() => {}
                () = self.spool.changed() => {}
                () = self.tasks.stopping(), if !self.tasks.is_stopping() => {}
            }
        }
    }

    /// Gives back what stands in memory alone, so that it reaches the disk as soon as that takes it.
    fn give_back(&mut self) {
        let (memory, disk) = self.in_flight.drain(..).partition(Batch::is_in_memory);
        self.in_flight = disk;
        let memory: VecDeque<Batch> = memory;
        memory.iter().rev().for_each(|batch| self.spool.give_back(batch));
    }

    /// Opens a stream and sends over it. Returns without an error when all is reported and no more will come.
    async fn session(&mut self, failing: &mut bool) -> Result<(), Ended> {
        let database = self.delivery.borrow_and_update().clone().ok_or(Ended::Withheld)?;
        let mut session = self.open(&database).await?;
        loop {
            if self.delivery.borrow_and_update().as_ref() != Some(&database) {
                return Err(Ended::Withheld);
            }
            while self.in_flight.len() < IN_FLIGHT
                && let Some(batch) = self.next_batch().await?
            {
                let message = session.message(&batch, &self.node_id, &database);
                self.in_flight.push_back(batch);
                // The queue has room for as many batches as may be in flight.
                session.batches.try_send(message).map_err(|_| Ended::Closed)?;
            }
            if self.in_flight.is_empty() && self.tasks.is_stopping() && self.spool.is_closed() {
                return Ok(());
            }
            let deadline = session.sent.front().map(|sent| *sent + self.deadlines.ack);
            tokio::select! {
                ack = session.acks.message() => {
                    let ack = ack?.ok_or(Ended::Closed)?;
                    if std::mem::take(failing) {
                        info!("usage is reported again");
                    }
                    self.acked(&mut session, ack.sequence).await?;
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    return Err(Ended::Silent(self.deadlines.ack));
                }
                Ok(()) = self.delivery.changed() => {}
                () = self.spool.changed() => {}
                () = self.tasks.stopping(), if !self.tasks.is_stopping() => {}
            }
        }
    }

    /// Opens a stream to the control plane of `database`, and sends on it what was in flight on the last one.
    async fn open(&self, database: &str) -> Result<SessionKey, Ended> {
        let (batches, receiver) = mpsc::channel(IN_FLIGHT);
        let mut client = self.link.usage();
        let (mut sequence, mut sent) = (0, VecDeque::new());
        for batch in &self.in_flight {
            sequence += 1;
            sent.push_back(Instant::now());
            let (node_id, epoch) = (self.node_id.to_string(), database.to_owned());
            let message = UsageBatch { node_id, sequence, records: batch.records(), epoch };
            batches.try_send(message).map_err(|_| Ended::Closed)?;
        }
        let answer = timeout(self.deadlines.open, client.report(ReceiverStream::new(receiver)));
        let answer = answer.await.map_err(|_| Ended::Silent(self.deadlines.open))??;
        Ok(SessionKey { batches, acks: answer.into_inner(), sequence, sent })
    }

    async fn next_batch(&self) -> Result<Option<Batch>, Ended> {
        let spool = Arc::clone(&self.spool);
        Ok(self.tasks.spawn_blocking(move || spool.next_batch()).await??)
    }

    /// Frees all batches up to `sequence`.
    async fn acked(&mut self, session: &mut SessionKey, sequence: u64) -> Result<(), Ended> {
        let oldest = session.sequence - session.sent.len() as u64 + 1;
        let count = usize::try_from(sequence.saturating_add(1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let batches: Vec<Batch> = self.in_flight.drain(..count.min(self.in_flight.len())).collect();
        session.sent.drain(..count.min(session.sent.len()));
        let spool = Arc::clone(&self.spool);
        self.tasks.spawn_blocking(move || batches.iter().for_each(|batch| spool.acked(batch))).await?;
        Ok(())
    }
}

impl SessionKey {
    fn message(&mut self, batch: &Batch, node_id: &str, epoch: &str) -> UsageBatch {
        self.sequence += 1;
        self.sent.push_back(Instant::now());
        let (node_id, epoch) = (node_id.to_owned(), epoch.to_owned());
        UsageBatch { node_id, sequence: self.sequence, records: batch.records(), epoch }
    }
}

#[cfg(test)]
mod tests;
