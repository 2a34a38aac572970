//! Usage records on disk, from the moment they are settled until the control plane has them.
//!
//! A directory of numbered [`segment`](super::segment) files, of which only the newest is written to, and a cursor file
//! that says up to where records are acked. Everything here blocks on the disk: call it where that is allowed.

mod files;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message as _;
use shared::pb::UsageRecord;
use tokio::sync::Notify;
use tracing::{error, info, warn};

use self::files::{Files, Position};
use super::segment::{Frame, HEADER, MAX_FRAME, first_frame, push_frame};
use super::{DropReason, UsageMetrics};

/// The most records in one batch to the control plane.
pub const BATCH_RECORDS: u64 = 500;

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct SpoolLimits {
    /// The most bytes of all segments together. The oldest segment is dropped to keep below it.
    pub max_bytes: u64,
    /// The most bytes of one segment. Segments are smaller where fewer than eight would fit into `max_bytes`, so that
    /// the batches in flight leave some that can be dropped.
    pub segment_bytes: u64,
}

/// Records to send, in the order in which they were settled.
#[derive(Debug)]
pub struct Batch {
    /// Whole frames.
    bytes: Vec<u8>,
    frames: u64,
    end: Position,
}

impl Batch {
    /// The records in the batch.
    pub fn records(&self) -> Vec<UsageRecord> {
        let mut records = Vec::new();
        let mut rest = self.bytes.as_slice();
        while let Some(Frame::Whole { record, length }) = first_frame(rest) {
            match UsageRecord::decode(record) {
                Ok(record) => records.push(record),
                Err(error) => error!(%error, "what is on disk is whole but no usage record"),
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        records
    }
}

/// The error that not all records could be written.
#[derive(Debug, thiserror::Error)]
#[error("{written} usage records written, then: {error}")]
pub struct AppendError {
    /// The number of records that need not be tried again: written, or dropped because they never can be.
    pub written: usize,
    /// The error of the operating system.
    pub error: io::Error,
}

/// The spool of one node.
#[derive(Debug)]
pub struct Spool {
    state: Mutex<State>,
    limits: SpoolLimits,
    metrics: UsageMetrics,
    /// The number of records that are not acked, sent or not.
    pending: AtomicU64,
    closed: AtomicBool,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    files: Files,
    /// The segments, the oldest first.
    segments: VecDeque<Segment>,
    /// The file of the newest segment, while it is written to.
    active: Option<File>,
    next_number: u64,
    /// The place up to which records have been handed out to be sent.
    read: Position,
    acked: Position,
    reader: Option<(u64, Arc<File>)>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    number: u64,
    /// The bytes that hold whole frames.
    length: u64,
    /// The number of frames that have not been handed out.
    unread: u64,
    /// The number of frames that have been handed out and are not acked. While there are any, the segment stays.
    in_flight: u64,
}

impl Spool {
    /// Opens the spool in `directory`, which is made where it is missing. No other process may use it.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(directory: &Path, limits: SpoolLimits, metrics: UsageMetrics) -> io::Result<Arc<Self>> {
        let (files, acked) = Files::open(directory)?;
        let mut segments = VecDeque::new();
        let mut next_number = acked.segment + 1;
        for found in files.scan(acked)? {
            next_number = next_number.max(found.number + 1);
            let unread = found.scan.records - found.scan.records_before;
            if found.scan.lost > 0 {
                let (segment, bytes) = (found.number, found.scan.lost);
                warn!(segment, bytes, "the end of a usage segment is cut or damaged; what stands before it is kept");
            }
            if unread == 0 {
                files.remove(found.number);
            } else {
                segments.push_back(Segment { number: found.number, length: found.scan.length, unread, in_flight: 0 });
            }
        }
        let pending = segments.iter().map(|segment| segment.unread).sum();
        if pending > 0 {
            info!(records = pending, "usage records of an earlier run wait to be reported");
        }
        let max_bytes = limits.max_bytes.max(4 * 1024);
        let limits = SpoolLimits { max_bytes, segment_bytes: limits.segment_bytes.min(max_bytes / 8) };
        let state = State { files, segments, active: None, next_number, read: acked, acked, reader: None };
        let spool = Self {
            limits,
            pending: AtomicU64::new(pending),
            closed: AtomicBool::new(false),
            changed: Notify::new(),
            metrics,
            state: Mutex::new(state),
        };
        spool.show(&spool.state());
        Ok(Arc::new(spool))
    }

    /// Writes `records` to the operating system. Returns segments that are complete, for the caller to sync.
    ///
    /// # Errors
    /// [`AppendError`]; the records after the written ones are as before.
    pub fn append(&self, records: &[UsageRecord]) -> Result<Vec<File>, AppendError> {
        let mut complete = Vec::new();
        let mut bytes = Vec::new();
        // The index of the first record whose frame is not written, and the number of such frames.
        let (mut start, mut frames) = (0, 0);
        for (index, record) in records.iter().enumerate() {
            let before = bytes.len();
            let fits = push_frame(record, &mut bytes);
            if frames > 0 && (!fits || (HEADER.len() + bytes.len()) as u64 > self.limits.segment_bytes) {
                let written = self.write(&bytes[..before], frames, &mut complete);
                written.map_err(|error| AppendError { written: start, error })?;
                bytes.drain(..before);
                (start, frames) = (index, 0);
            }
            if fits {
                frames += 1;
            } else {
                self.metrics.dropped(DropReason::TooLarge).inc();
                error!(usage_id = record.id, "usage record dropped: it is larger than any should be");
                start = index + 1;
            }
        }
        if frames > 0 {
            let written = self.write(&bytes, frames, &mut complete);
            written.map_err(|error| AppendError { written: start, error })?;
        }
        Ok(complete)
    }

    fn write(&self, frames: &[u8], count: u64, complete: &mut Vec<File>) -> io::Result<()> {
        let mut state = self.state();
        let length = frames.len() as u64;
        if state.segments.back().is_some_and(|active| active.length + length > self.limits.segment_bytes) {
            complete.extend(state.active.take());
        }
        self.make_room(&mut state, length + HEADER.len() as u64, complete);
        let state = &mut *state;
        if state.active.is_none() {
            let number = state.next_number;
            let file = state.files.create(number)?;
            state.next_number += 1;
            state.active = Some(file);
            state.segments.push_back(Segment { number, length: HEADER.len() as u64, unread: 0, in_flight: 0 });
        }
        let (Some(file), Some(segment)) = (&state.active, state.segments.back_mut()) else { return Ok(()) };
        if let Err(error) = file.write_all_at(frames, segment.length) {
            // The part of the frames that was written must not be read, not even after a restart.
            if file.set_len(segment.length).is_err() {
                state.active = None;
            }
            return Err(error);
        }
        segment.length += length;
        segment.unread += count;
        self.pending.fetch_add(count, Ordering::Relaxed);
        self.show(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Drops the oldest segments until `needed` more bytes fit. A segment that is on its way to the control plane is
    /// passed over: it may arrive, and would then be counted both as stored and as dropped, and it is still needed if
    /// the node dies.
    fn make_room(&self, state: &mut State, needed: u64, complete: &mut Vec<File>) {
        while state.bytes() + needed > self.limits.max_bytes {
            let Some(index) = state.segments.iter().position(|segment| segment.in_flight == 0) else { return };
            if index + 1 == state.segments.len() {
                complete.extend(state.active.take());
            }
            let Some(oldest) = state.segments.remove(index) else { return };
            state.files.remove(oldest.number);
            if oldest.unread > 0 {
                self.pending.fetch_sub(oldest.unread, Ordering::Relaxed);
                self.metrics.dropped(DropReason::SpoolFull).inc_by(oldest.unread);
                error!(
                    segment = oldest.number,
                    records = oldest.unread,
                    "usage records dropped: the spool is full and the control plane has not taken them"
                );
            }
        }
    }

    /// The next records to send: as many as there are, up to [`BATCH_RECORDS`] and about a mebibyte. None when all have
    /// been handed out.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn next_batch(&self) -> io::Result<Option<Batch>> {
        loop {
            let Some((segment, from, file)) = self.state().next_unread()? else { return Ok(None) };
            let window = usize::try_from(segment.length - from.offset).unwrap_or(MAX_FRAME).min(MAX_FRAME);
            let mut bytes = vec![0; window];
            file.read_exact_at(&mut bytes, from.offset)?;
            let batch = parse(bytes, from);

            let mut state = self.state();
            // The segment may have been dropped to make room, and counted as such, while it was read.
            let Some(segment) = state.segments.iter_mut().find(|known| known.number == from.segment) else { continue };
            if batch.frames == 0 {
                self.damaged(segment);
                continue;
            }
            segment.unread = segment.unread.saturating_sub(batch.frames);
            segment.in_flight += batch.frames;
            state.read = batch.end;
            return Ok(Some(batch));
        }
    }

    /// Gives up what is left of a segment.
    fn damaged(&self, segment: &mut Segment) {
        let records = std::mem::take(&mut segment.unread);
        self.pending.fetch_sub(records, Ordering::Relaxed);
        self.metrics.dropped(DropReason::Damaged).inc_by(records);
        error!(segment = segment.number, records, "usage records dropped: the segment is damaged on disk");
    }

    /// Notes that the control plane has `batch`, and everything that was handed out before it.
    pub fn acked(&self, batch: &Batch) {
        self.pending.fetch_sub(batch.frames, Ordering::Relaxed);
        self.metrics.reported.inc_by(batch.frames);
        let mut state = self.state();
        let state = &mut *state;
        state.acked = state.acked.max(batch.end);
        if let Some(segment) = state.segments.iter_mut().find(|segment| segment.number == batch.end.segment) {
            segment.in_flight = segment.in_flight.saturating_sub(batch.frames);
        }
        if let Err(error) = state.files.write_cursor(state.acked) {
            warn!(%error, "the cursor of the usage spool could not be written; records may be sent again after a restart");
        }
        while let Some(oldest) = state.segments.front() {
            let active = state.active.is_some() && state.segments.len() == 1;
            let done = oldest.number < state.acked.segment
                || (oldest.number == state.acked.segment && state.acked.offset >= oldest.length);
            if active || !done {
                break;
            }
            state.files.remove(oldest.number);
            state.segments.pop_front();
        }
        self.show(state);
        self.changed.notify_one();
    }

    /// The number of records that the control plane has not acked.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Notes that no more records will come.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// Whether no more records will come.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Resolves after records were written or acked since the last call, or the spool was closed. Serves one caller
    /// only.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn show(&self, state: &State) {
        self.metrics.spool_bytes.set(i64::try_from(state.bytes()).unwrap_or(i64::MAX));
        self.metrics.spool_records.set(i64::try_from(self.pending()).unwrap_or(i64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// The oldest segment with records that have not been handed out, the place of the first, and the file.
    fn next_unread(&mut self) -> io::Result<Option<(Segment, Position, Arc<File>)>> {
        let Some(segment) = self.segments.iter().find(|segment| segment.unread > 0).copied() else {
            return Ok(None);
        };
        let mut from = Position { segment: segment.number, offset: HEADER.len() as u64 };
        if self.read.segment == segment.number {
            from.offset = self.read.offset.max(from.offset);
        }
        let file = match &self.reader {
            Some((number, file)) if *number == segment.number => Arc::clone(file),
            _ => {
                let file = Arc::new(self.files.read(segment.number)?);
                self.reader = Some((segment.number, Arc::clone(&file)));
                file
            }
        };
        Ok(Some((segment, from, file)))
    }
}

/// The whole frames at the beginning of `bytes`, which were read at `from`.
fn parse(mut bytes: Vec<u8>, from: Position) -> Batch {
    let (mut at, mut frames) = (0, 0);
    while frames < BATCH_RECORDS
        && let Some(Frame::Whole { length, .. }) = bytes.get(at..).and_then(first_frame)
    {
        at += length;
        frames += 1;
    }
    bytes.truncate(at);
    Batch { bytes, frames, end: Position { segment: from.segment, offset: from.offset + at as u64 } }
}

#[cfg(test)]
mod tests;
