//! Usage records on disk, from the moment they are settled until the control plane has them.
//!
//! A directory of numbered [`segment`](super::segment) files, of which only the newest is written to, and a cursor file
//! that says up to where records are acked; the same for records that cost nothing, and for those whose tokens are
//! still to be counted ([`Lane`]). `room` says what is dropped where there is no room, and `memory` holds what the disk
//! does not take. Everything here blocks on the disk: call it where that is allowed.

mod files;
mod lane;
mod memory;
mod room;

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

pub(super) use self::files::Position;
pub use self::lane::Lane;
use self::lane::{LaneState, Segment};
pub(super) use self::memory::Flushed;
use super::backlog::Backlog;
use super::metrics::{DropReason, UsageMetrics};
use super::pace::Pace;
use super::segment::{Frame, HEADER, MAX_FRAME, first_frame, push_frame};
use super::worth::{Shares, Tenant, Worth};

/// The most records in one batch to the control plane.
pub const BATCH_RECORDS: u64 = 500;

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct SpoolLimits {
    /// The most bytes of all segments together.
    pub max_bytes: u64,
    /// The most bytes of one segment. Segments are smaller where fewer than eight would fit into `max_bytes`, so that
    /// the batches in flight leave some that can be dropped.
    pub segment_bytes: u64,
    /// The most records that wait in memory while the disk takes none.
    pub max_memory_records: usize,
}

/// Records to send, in the order in which they were settled.
#[derive(Debug)]
pub struct Batch {
    /// Whole frames.
    bytes: Vec<u8>,
    frames: u64,
    source: Source,
}

/// Where a batch comes from.
#[derive(Debug)]
enum Source {
    /// A lane on disk; the batch ends at the place.
    Disk(Lane, Position),
    /// Memory. The records at the places stand for ones of the batch that were still to be counted.
    Memory(Vec<Position>),
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

    /// Whether the records of the batch stand in memory alone.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
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
    memory: Mutex<Backlog>,
    limits: SpoolLimits,
    metrics: UsageMetrics,
    /// The number of records on disk that may be sent and are not acked, sent or not.
    pending: AtomicU64,
    /// Whether the disk takes nothing, so that records in memory may be sent.
    failing: AtomicBool,
    closed: AtomicBool,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    lanes: [LaneState; Lane::ALL.len()],
    /// The bytes of each proxy key on disk, by what they are worth.
    shares: [Shares; Worth::ALL.len()],
    full: Pace,
}

/// Frames that are written at once.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    frames: u64,
    shares: Shares,
}

impl Spool {
    /// Opens the spool in `directory`, which is made where it is missing. No other process may use it.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(directory: &Path, limits: SpoolLimits, metrics: UsageMetrics) -> io::Result<Arc<Self>> {
        let [paid, free, uncounted] = Lane::ALL.map(|lane| LaneState::open(lane, directory));
        let mut state = State { lanes: [paid?, free?, uncounted?], shares: Default::default(), full: Pace::default() };
        state.adopt_uncounted();
        let pending = state.lanes.iter().map(LaneState::records).sum();
        if pending > 0 {
            info!(records = pending, "usage records of an earlier run wait to be reported");
        }
        let max_bytes = limits.max_bytes.max(4 * 1024);
        let limits = SpoolLimits { max_bytes, segment_bytes: limits.segment_bytes.min(max_bytes / 8), ..limits };
        let spool = Self {
            limits,
            memory: Mutex::new(Backlog::new(limits.max_memory_records)),
            pending: AtomicU64::new(pending),
            failing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            changed: Notify::new(),
            metrics,
            state: Mutex::new(state),
        };
        spool.show(&spool.state());
        Ok(Arc::new(spool))
    }

    /// Writes `records`, which belong to `lane`, to the operating system. Returns segments that are complete, for the
    /// caller to sync. Records for which there is no room are dropped and counted.
    ///
    /// # Errors
    /// [`AppendError`]; the records after the written ones are as before.
    pub fn append(&self, lane: Lane, records: &[UsageRecord]) -> Result<Vec<File>, AppendError> {
        let mut state = self.state();
        let (mut complete, mut chunk) = (Vec::new(), Chunk::default());
        // The index of the first record whose frame is not written.
        let mut start = 0;
        for (index, record) in records.iter().enumerate() {
            let (before, tenant) = (chunk.bytes.len(), Tenant::of(record));
            let lost = if !push_frame(record, &mut chunk.bytes) {
                Some(DropReason::TooLarge)
            } else if !self.admits(&mut state, lane, tenant, &chunk, before) {
                Some(DropReason::SpoolFull)
            } else {
                None
            };
            let full = (HEADER.len() + chunk.bytes.len()) as u64 > self.limits.segment_bytes;
            if chunk.frames > 0 && (full || lost.is_some()) {
                let newest = chunk.bytes.split_off(before);
                let written = self.write(&mut state, lane, &mut chunk, &mut complete);
                written.map_err(|error| AppendError { written: start, error })?;
                (start, chunk.bytes) = (index, newest);
            }
            if let Some(reason) = lost {
                self.lose(&mut state, reason, lane.worth(), &record.id);
                (start, chunk) = (index + 1, Chunk::default());
                continue;
            }
            let length = chunk.bytes.len() - if chunk.frames == 0 { 0 } else { before };
            chunk.frames += 1;
            chunk.shares.add(tenant, length as u64);
        }
        let written = self.write(&mut state, lane, &mut chunk, &mut complete);
        written.map_err(|error| AppendError { written: start, error })?;
        Ok(complete)
    }

    fn write(&self, state: &mut State, lane: Lane, chunk: &mut Chunk, complete: &mut Vec<File>) -> io::Result<()> {
        if chunk.frames == 0 {
            return Ok(());
        }
        let length = chunk.bytes.len() as u64;
        while state.bytes(Worth::Free) + length + HEADER.len() as u64 > self.limits.max_bytes
            && self.drop_oldest_free(state)
        {}
        let State { lanes, shares, .. } = state;
        let into = &mut lanes[lane as usize];
        if into.segments.back().is_some_and(|active| active.length + length > self.limits.segment_bytes) {
            complete.extend(into.active.take());
        }
        into.activate()?;
        let (Some(file), Some(segment)) = (&into.active, into.segments.back_mut()) else { return Ok(()) };
        if let Err(error) = file.write_all_at(&chunk.bytes, segment.length) {
            // The part of the frames that was written must not be read, not even after a restart.
            if file.set_len(segment.length).is_err() {
                into.active = None;
            }
            return Err(error);
        }
        segment.length += length;
        segment.unread += chunk.frames;
        segment.shares.add_all(&chunk.shares);
        shares[lane.worth() as usize].add_all(&chunk.shares);
        if lane != Lane::Uncounted {
            self.pending.fetch_add(chunk.frames, Ordering::Relaxed);
            self.changed.notify_one();
        }
        *chunk = Chunk::default();
        self.show(state);
        Ok(())
    }

    /// The next records to send: as many as there are, up to [`BATCH_RECORDS`] and about a mebibyte. Those that were
    /// paid for come first. None when all have been handed out.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn next_batch(&self) -> io::Result<Option<Batch>> {
        for lane in [Lane::Paid, Lane::Free] {
            loop {
                let next = self.lane(&mut self.state(), lane).next_unread();
                let (length, from, file) = match next {
                    Ok(Some(next)) => next,
                    Ok(None) => break,
                    // Somebody has deleted the file. What stands behind it is read.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        let mut state = self.state();
                        let gone = self.lane(&mut state, lane).segments.iter_mut().find(|segment| segment.unread > 0);
                        if let Some(segment) = gone {
                            self.damaged(segment, lane);
                        }
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let window = usize::try_from(length - from.offset).unwrap_or(MAX_FRAME).min(MAX_FRAME);
                let mut bytes = vec![0; window];
                file.read_exact_at(&mut bytes, from.offset)?;
                let (frames, bytes) = parse(bytes);
                let end = Position { segment: from.segment, offset: from.offset + bytes.len() as u64 };

                let mut state = self.state();
                let into = self.lane(&mut state, lane);
                // The segment may have been dropped to make room, and counted as such, while it was read.
                let known = into.segments.iter_mut().find(|known| known.number == from.segment);
                let Some(segment) = known else { continue };
                if frames == 0 {
                    self.damaged(segment, lane);
                    continue;
                }
                segment.unread = segment.unread.saturating_sub(frames);
                segment.in_flight += frames;
                into.read = end;
                return Ok(Some(Batch { bytes, frames, source: Source::Disk(lane, end) }));
            }
        }
        Ok(self.batch_in_memory())
    }

    #[expect(clippy::unused_self, reason = "reads like the other look-ups")]
    fn lane<'s>(&self, state: &'s mut State, lane: Lane) -> &'s mut LaneState {
        &mut state.lanes[lane as usize]
    }

    /// Gives up what is left of a segment.
    fn damaged(&self, segment: &mut Segment, lane: Lane) {
        let records = std::mem::take(&mut segment.unread);
        self.pending.fetch_sub(records, Ordering::Relaxed);
        self.metrics.dropped(DropReason::Damaged, lane.worth()).inc_by(records);
        error!(segment = segment.number, records, "usage records dropped: the segment is damaged on disk");
    }

    /// Notes that the control plane has `batch`, and everything that was handed out of its lane before it.
    pub fn acked(&self, batch: &Batch) {
        self.metrics.reported.inc_by(batch.frames);
        let mut state = self.state();
        match &batch.source {
            Source::Disk(lane, end) => {
                self.pending.fetch_sub(batch.frames, Ordering::Relaxed);
                let from = &mut state.lanes[*lane as usize];
                if let Some(segment) = from.segments.iter_mut().find(|segment| segment.number == end.segment) {
                    segment.in_flight = segment.in_flight.saturating_sub(batch.frames);
                }
                let done = from.acked(*end);
                state.forget(*lane, done);
            }
            Source::Memory(counted) => counted.iter().for_each(|place| state.release(*place)),
        }
        self.show(&state);
        drop(state);
        self.changed.notify_one();
    }

    /// The number of records on disk that may be sent and that the control plane has not acked.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Notes that no more records will come. What could not be counted goes to the control plane with rough counts.
    pub fn close(&self) {
        let mut state = self.state();
        let waiting = state.lanes[Lane::Uncounted as usize].records();
        if state.adopt_uncounted() {
            self.pending.fetch_add(waiting, Ordering::Relaxed);
        }
        self.show(&state);
        drop(state);
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
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let bytes = state.lanes.iter().map(LaneState::bytes).sum();
        self.metrics.spool_bytes.set(gauge(bytes));
        self.metrics.spool_records.set(gauge(self.pending()));
        self.metrics.uncounted_records.set(gauge(state.lanes[Lane::Uncounted as usize].records()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets the shares of segments of `lane` that are gone.
    fn forget(&mut self, lane: Lane, gone: impl IntoIterator<Item = Segment>) {
        for segment in gone {
            self.shares[lane.worth() as usize].take_all(&segment.shares);
        }
    }

    /// Frees the record that ends at `place` in the lane of those to be counted, and all before it.
    fn release(&mut self, place: Position) {
        let lane = &mut self.lanes[Lane::Uncounted as usize];
        if lane.segments.iter().all(|segment| segment.number != place.segment) {
            return;
        }
        if let Some(segment) = lane.segments.iter_mut().find(|segment| segment.number == place.segment) {
            segment.unread = segment.unread.saturating_sub(1);
        }
        let done = lane.acked(place);
        self.forget(Lane::Uncounted, done);
    }

    /// Lets the records that are still to be counted be sent as they are. Says whether that was possible.
    fn adopt_uncounted(&mut self) -> bool {
        let [paid, _, uncounted] = &mut self.lanes;
        let adopted = paid.adopt(uncounted);
        if let Err(error) = &adopted {
            warn!(%error, "usage records with rough counts wait for the next start");
        }
        adopted.is_ok()
    }
}

/// The whole frames at the beginning of `bytes`, as many as a batch may have, and their number.
fn parse(mut bytes: Vec<u8>) -> (u64, Vec<u8>) {
    let (mut at, mut frames) = (0, 0);
    while frames < BATCH_RECORDS
        && let Some(Frame::Whole { length, .. }) = bytes.get(at..).and_then(first_frame)
    {
        at += length;
        frames += 1;
    }
    bytes.truncate(at);
    (frames, bytes)
}

#[cfg(test)]
mod tests;
