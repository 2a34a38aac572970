//! What a spool does with records that the disk does not take.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use prost::Message as _;
use shared::pb::UsageRecord;
use tracing::error;

use super::{AppendError, BATCH_RECORDS, Batch, Lane, Position, Source, Spool};
use crate::usage::backlog::{Backlog, Waiting};
use crate::usage::metrics::DropReason;
use crate::usage::segment::{MAX_RECORD, push_frame};
use crate::usage::worth::Worth;

/// The most records that are written at once.
const WRITTEN_AT_ONCE: usize = 1024;

/// What came of writing records.
#[derive(Debug, Default)]
pub(in crate::usage) struct Flushed {
    /// Segments that are complete, for the caller to sync.
    pub(in crate::usage) complete: Vec<File>,
    /// Why the disk takes nothing. Then the rest waits in memory.
    pub(in crate::usage) error: Option<io::Error>,
}

impl Spool {
    /// Takes `records` that are to be written, and writes them.
    pub(in crate::usage) fn take(&self, records: Vec<Waiting>) -> Flushed {
        let mut complete = Vec::new();
        for waiting in records {
            // While the disk takes records, none is dropped because many come at once.
            if !self.failing.load(Ordering::Relaxed) && self.memory().is_full() {
                complete.extend(self.flush().complete);
            }
            self.push(waiting);
        }
        let mut flushed = self.flush();
        flushed.complete.extend(complete);
        flushed
    }

    /// Takes a record that is to be written.
    pub(in crate::usage) fn push(&self, waiting: Waiting) {
        let mut memory = self.memory();
        let dropped = memory.push(waiting);
        let held = memory.len();
        drop(memory);
        // What stands on disk with rough counts is reported with them.
        if let Some(Waiting { record, uncounted: None }) = dropped {
            let worth = Worth::of(&record);
            self.metrics.dropped(DropReason::DiskError, worth).inc();
            if let Some(records) = self.state().full.note(1) {
                let kind = worth.name();
                error!(records, held, kind, "usage records dropped: the disk takes nothing, and memory holds no more");
            }
        }
    }

    /// Writes a record whose tokens are still to be counted, so that it is on disk before. Gives its place. None where
    /// there is no room for it, or the disk does not take it.
    pub(in crate::usage) fn hold(&self, record: &UsageRecord) -> Option<Position> {
        let room = self.limits.max_bytes / 8 * 7;
        if self.failing.load(Ordering::Relaxed)
            || record.encoded_len() > MAX_RECORD
            || self.state().bytes(Worth::Paid) > room
        {
            return None;
        }
        self.append(Lane::Uncounted, std::slice::from_ref(record)).ok()?;
        let state = self.state();
        let newest = state.lanes[Lane::Uncounted as usize].segments.back();
        newest.map(|segment| Position { segment: segment.number, offset: segment.length })
    }

    /// Writes what waits in memory to the disk.
    pub(in crate::usage) fn flush(&self) -> Flushed {
        let mut flushed = Flushed::default();
        loop {
            let taken = self.memory().take_oldest(WRITTEN_AT_ONCE);
            let Some((worth, mut taken)) = taken else { break };
            let (records, places): (Vec<_>, Vec<_>) =
                taken.drain(..).map(|waiting| (waiting.record, waiting.uncounted)).unzip();
            let written = match self.append(Lane::of(worth), &records) {
                Ok(complete) => {
                    flushed.complete.extend(complete);
                    records.len()
                }
                Err(AppendError { written, error }) => {
                    flushed.error = Some(error);
                    written
                }
            };
            let mut state = self.state();
            places.iter().take(written).flatten().for_each(|place| state.release(*place));
            self.show(&state);
            drop(state);
            let rest = records.into_iter().zip(places).skip(written);
            let rest = rest.map(|(record, uncounted)| Waiting { record, uncounted }).collect();
            self.memory().put_back(worth, rest);
            if flushed.error.is_some() {
                break;
            }
        }
        self.failing.store(flushed.error.is_some(), Ordering::Relaxed);
        self.show_memory();
        if flushed.error.is_some() {
            // What waits in memory may be sent.
            self.changed.notify_one();
        }
        flushed
    }

    /// Records that wait in memory and may be sent, since the disk takes nothing.
    pub(super) fn batch_in_memory(&self) -> Option<Batch> {
        if !self.failing.load(Ordering::Relaxed) {
            return None;
        }
        let most = usize::try_from(BATCH_RECORDS).unwrap_or(usize::MAX);
        let (_, taken) = self.memory().take_oldest(most)?;
        self.show_memory();
        let (mut bytes, mut frames, mut counted) = (Vec::new(), 0, Vec::new());
        for Waiting { record, uncounted } in taken {
            if push_frame(&record, &mut bytes) {
                frames += 1;
            } else {
                self.metrics.dropped(DropReason::TooLarge, Worth::of(&record)).inc();
            }
            counted.extend(uncounted);
        }
        Some(Batch { bytes, frames, source: Source::Memory(counted) })
    }

    /// Takes back a batch that may not have arrived and that stands in memory alone.
    pub(in crate::usage) fn give_back(&self, batch: &Batch) {
        let waiting = batch.records().into_iter().map(|record| Waiting { record, uncounted: None });
        let (paid, free) = waiting.partition(|waiting: &Waiting| Worth::of(&waiting.record) == Worth::Paid);
        let mut memory = self.memory();
        memory.put_back(Worth::Paid, paid);
        memory.put_back(Worth::Free, free);
        drop(memory);
        self.show_memory();
    }

    /// The number of records in memory that wait for the disk.
    pub fn in_memory(&self) -> usize {
        self.memory().len()
    }

    /// Whether there is something to send.
    pub fn has_unsent(&self) -> bool {
        self.pending() > 0 || (self.failing.load(Ordering::Relaxed) && self.in_memory() > 0)
    }

    /// Gives up what the disk did not take and the control plane does not have. The node ends.
    pub fn abandon(&self) {
        let mut lost = 0;
        while let Some((worth, taken)) = self.memory().take_oldest(WRITTEN_AT_ONCE) {
            // What stands on disk with rough counts is reported at the next start.
            let gone = taken.iter().filter(|waiting| waiting.uncounted.is_none()).count() as u64;
            self.metrics.dropped(DropReason::DiskError, worth).inc_by(gone);
            lost += gone;
        }
        if lost > 0 {
            error!(records = lost, "usage records dropped: they could neither be written nor reported");
        }
        self.show_memory();
    }

    fn show_memory(&self) {
        self.metrics.memory_records.set(i64::try_from(self.in_memory()).unwrap_or(i64::MAX));
    }

    fn memory(&self) -> MutexGuard<'_, Backlog> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
