//! Writes records from the queue to the spool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::drain::Tasks;
use shared::pb::UsageRecord;
use tokio::sync::mpsc::Receiver;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::spool::Spool;
use super::{DropReason, Settled, UsageMetrics};

/// The most records that are written at once.
const BATCH: usize = 1024;

/// How long others may join the first record of a batch, so that there is one write instead of many under load.
const LINGER: Duration = Duration::from_millis(5);

/// The time between two tries at a disk that takes nothing.
const RETRY: Duration = Duration::from_millis(200);

/// How long a node that has to end goes on trying at a disk that takes nothing.
const RETRY_AT_END: Duration = Duration::from_secs(2);

/// Writes records to `spool` until no sender is left, or `tasks` stop. Then what is queued is written, the spool is
/// closed, and later records are dropped and counted by their sender. While the disk takes nothing, the queue fills.
pub async fn write(spool: Arc<Spool>, mut records: Receiver<Settled>, metrics: UsageMetrics, tasks: Tasks) {
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            received = records.recv_many(&mut batch, BATCH) => if received == 0 { break },
            () = tasks.stopping(), if !records.is_closed() => {
                records.close();
                continue;
            }
        }
        if batch.len() < BATCH && !records.is_closed() {
            sleep(LINGER).await;
            while batch.len() < BATCH
                && let Ok(record) = records.try_recv()
            {
                batch.push(record);
            }
        }
        let settled = std::mem::take(&mut batch);
        let count = settled.len() as u64;
        // Counting takes a while where there is something to estimate.
        let counted = tasks.spawn_blocking(move || settled.into_iter().map(Settled::counted).collect()).await;
        let Ok(counted) = counted else {
            metrics.dropped(DropReason::DiskError).inc_by(count);
            error!(records = count, "usage records dropped: counting their tokens panicked");
            continue;
        };
        flush(&spool, counted, &metrics, &tasks).await;
    }
    spool.close();
}

/// Writes `batch`, and tries again while the disk takes nothing.
async fn flush(spool: &Arc<Spool>, mut batch: Vec<UsageRecord>, metrics: &UsageMetrics, tasks: &Tasks) {
    let mut failing: Option<Instant> = None;
    let mut ending: Option<Instant> = None;
    loop {
        let (target, count) = (Arc::clone(spool), batch.len() as u64);
        let written = tasks.spawn_blocking(move || {
            let written = target.append(&batch);
            (batch, written)
        });
        let Ok((returned, written)) = written.await else {
            metrics.dropped(DropReason::DiskError).inc_by(count);
            error!(records = count, "usage records dropped: writing them panicked");
            return;
        };
        batch = returned;
        let failure = match written {
            Ok(complete) => {
                if let Some(since) = failing {
                    info!(seconds = since.elapsed().as_secs(), "usage records can be written again");
                }
                sync(complete, tasks);
                return;
            }
            Err(failure) => failure,
        };
        batch.drain(..failure.written);
        if failing.is_none() {
            warn!(error = %failure.error, "usage records cannot be written; they wait in memory");
        }
        failing.get_or_insert_with(Instant::now);
        if tasks.is_stopping() && ending.get_or_insert_with(Instant::now).elapsed() > RETRY_AT_END {
            metrics.dropped(DropReason::DiskError).inc_by(batch.len() as u64);
            error!(records = batch.len(), error = %failure.error, "usage records dropped: they could not be written");
            return;
        }
        sleep(RETRY).await;
    }
}

/// Brings complete segments to the disk itself, so that a crash of the machine costs at most the newest one.
fn sync(complete: Vec<std::fs::File>, tasks: &Tasks) {
    if !complete.is_empty() {
        tasks.spawn_blocking(move || {
            for file in complete {
                if let Err(error) = file.sync_data() {
                    warn!(%error, "a usage segment could not be synced");
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
