//! Writes records from the queue to the spool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use shared::drain::Tasks;
use shared::health::Readiness;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::backlog::Waiting;
use super::counting::{self, Uncounted};
use super::pace::Pace;
use super::spool::{Flushed, Spool};
use super::{Settled, UsageQueue};

/// The most records that are written at once.
const BATCH: usize = 1024;

/// How long others may join the first record of a batch, so that there is one write instead of many under load.
const LINGER: Duration = Duration::from_millis(5);

/// The time between two tries at a disk that takes nothing.
const RETRY: Duration = Duration::from_millis(200);

/// How long a node that has to end goes on trying at a disk that takes nothing.
const RETRY_AT_END: Duration = Duration::from_secs(2);

/// How long a node that has to end waits for records to be counted. The others are reported with rough counts.
const COUNT_AT_END: Duration = Duration::from_millis(300);

/// The word under which the readiness probe shows that records wait for the disk.
const DEGRADED: &str = "usageSpool";

/// Writes records to a spool.
#[derive(Debug)]
pub struct Writer {
    spool: Arc<Spool>,
    readiness: Readiness,
    tasks: Tasks,
    /// Since when the disk takes nothing.
    failing: Option<Instant>,
    warned: Pace,
}

impl Writer {
    /// Writes to `spool`, and shows in `readiness` when the disk takes nothing.
    pub fn new(spool: Arc<Spool>, readiness: Readiness, tasks: Tasks) -> Self {
        Self { spool, readiness, tasks, failing: None, warned: Pace::default() }
    }

    /// Writes until no sender is left, or the tasks stop. Then what is queued is written, and the spool is closed.
    /// While the disk takes nothing, records wait in memory up to the spool's bound.
    pub async fn run(mut self, mut queue: UsageQueue) {
        let (to_count, uncounted) = mpsc::channel(counting::QUEUE);
        let (counted, mut counts) = mpsc::channel(BATCH);
        // A count that takes long does not hold up the end of the node.
        let counting = self.tasks.part();
        counting.spawn("usage counts", counting::count(uncounted, counted, counting.clone()));
        let mut batch = Vec::new();
        let mut back = Vec::new();
        loop {
            tokio::select! {
                received = queue.receive(&mut batch, BATCH) => if received == 0 { break },
                _ = counts.recv_many(&mut back, BATCH), if !counts.is_closed() => {}
                () = sleep(RETRY), if self.failing.is_some() => {}
                () = self.tasks.stopping(), if !queue.is_closed() => {
                    queue.close();
                    continue;
                }
            }
            if !batch.is_empty() && batch.len() < BATCH && !queue.is_closed() {
                sleep(LINGER).await;
                queue.receive_now(&mut batch, BATCH);
            }
            self.write(std::mem::take(&mut batch), std::mem::take(&mut back), &to_count).await;
        }
        drop(to_count);
        let rest = async {
            while let Some(waiting) = counts.recv().await {
                self.spool.push(waiting);
            }
        };
        drop(timeout(COUNT_AT_END, rest).await);
        let until = Instant::now() + RETRY_AT_END;
        self.flush(Vec::new()).await;
        while self.spool.in_memory() > 0 && Instant::now() < until {
            sleep(RETRY).await;
            self.flush(Vec::new()).await;
        }
        let spool = Arc::clone(&self.spool);
        drop(self.tasks.spawn_blocking(move || spool.close()).await);
    }

    /// Writes records that are settled, and those whose tokens are counted. Those that are to be counted are written
    /// and then handed on.
    async fn write(&mut self, settled: Vec<Settled>, counted: Vec<Waiting>, to_count: &mpsc::Sender<Uncounted>) {
        let (spool, to_count) = (Arc::clone(&self.spool), to_count.clone());
        let held = self.tasks.spawn_blocking(move || {
            let mut ready = counted;
            for Settled { record, unreported } in settled {
                // A record is held only where there is room to count it, so that they are freed in their order.
                let place = unreported.and_then(|(unreported, held)| {
                    let permit = to_count.try_reserve().ok()?;
                    let place = spool.hold(&record)?;
                    permit.send(Uncounted { record: record.clone(), unreported, held, place });
                    Some(place)
                });
                if place.is_none() {
                    ready.push(Waiting { record, uncounted: None });
                }
            }
            ready
        });
        match held.await {
            Ok(ready) => self.flush(ready).await,
            Err(error) => error!(%error, "writing usage records panicked"),
        }
    }

    /// Takes `ready` and writes all that waits in memory.
    async fn flush(&mut self, ready: Vec<Waiting>) {
        let spool = Arc::clone(&self.spool);
        let flushed = self.tasks.spawn_blocking(move || spool.take(ready));
        match flushed.await {
            Ok(Flushed { complete, error }) => {
                self.sync(complete);
                self.note(error);
            }
            Err(error) => error!(%error, "writing usage records panicked"),
        }
    }

    /// Says whether the disk takes records: once when that changes, and now and then while it does not.
    fn note(&mut self, error: Option<std::io::Error>) {
        let Some(error) = error else {
            if let Some(since) = self.failing.take() {
                info!(seconds = since.elapsed().as_secs(), "usage records can be written again");
                self.warned.reset();
                self.readiness.recovered(DEGRADED);
            }
            return;
        };
        let waiting = self.spool.in_memory();
        self.failing.get_or_insert_with(Instant::now);
        if self.warned.note(1).is_some() {
            warn!(%error, waiting, "usage records cannot be written; they wait in memory");
        }
        let fact =
            json!({ "problem": format!("usage records cannot be written: {error}"), "recordsInMemory": waiting });
        self.readiness.degraded(DEGRADED, fact);
    }

    /// Brings complete segments to the disk itself, so that a crash of the machine costs at most the newest one.
    fn sync(&self, complete: Vec<std::fs::File>) {
        if !complete.is_empty() {
            self.tasks.spawn_blocking(move || {
                for file in complete {
                    if let Err(error) = file.sync_data() {
                        warn!(%error, "a usage segment could not be synced");
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
