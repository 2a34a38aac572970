//! What a spool drops where there is no room. Records that cost nothing go first. A record that was paid for and is on
//! disk stays there until it is acked: new ones are dropped, those first whose proxy key has most of the spool.

use std::sync::atomic::Ordering;

use tracing::error;

use super::lane::Segment;
use super::{Chunk, DropReason, HEADER, Lane, Spool, State, Tenant, Worth};

/// A proxy key may take this many times the room that is left. So one alone has most of the spool, and there is always
/// room for another.
const SHARE: u64 = 16;

impl Spool {
    /// Whether the newest frame of `chunk`, which begins at `start`, may be written to `lane`.
    pub(super) fn admits(&self, state: &mut State, lane: Lane, tenant: Tenant, chunk: &Chunk, start: usize) -> bool {
        if lane == Lane::Uncounted {
            // There is room, or the record would not be held there.
            return true;
        }
        let worth = lane.worth();
        let fits = |state: &State| {
            let used = state.bytes(worth) + (HEADER.len() + chunk.bytes.len()) as u64;
            let own = (chunk.bytes.len() - start) as u64;
            let share = state.shares[worth as usize].of(tenant) + chunk.shares.of(tenant) + own;
            used <= self.limits.max_bytes / 2
                || used <= self.limits.max_bytes && share <= SHARE * (self.limits.max_bytes - used)
        };
        if fits(state) {
            return true;
        }
        self.tidy(state);
        let admitted = fits(state);
        if !admitted && worth == Worth::Paid {
            // No record that was paid for is dropped before one that cost nothing.
            while self.drop_oldest_free(state) {}
        }
        admitted
    }

    /// Deletes segments that are written to, and of which all is acked.
    fn tidy(&self, state: &mut State) {
        for lane in Lane::ALL {
            let into = &mut state.lanes[lane as usize];
            let done = |segment: &Segment| segment.unread + segment.in_flight == 0;
            if into.segments.len() == 1 && into.segments.front().is_some_and(done) {
                into.active = None;
                let removed = into.remove(0);
                state.forget(lane, removed);
            }
        }
        self.show(state);
    }

    /// Drops the oldest segment of records that cost nothing, and says whether there was one. A segment that is on its
    /// way to the control plane is passed over: it may arrive, and would then be counted both as stored and as dropped.
    pub(super) fn drop_oldest_free(&self, state: &mut State) -> bool {
        let free = &mut state.lanes[Lane::Free as usize];
        let Some(index) = free.segments.iter().position(|segment| segment.in_flight == 0) else { return false };
        if index + 1 == free.segments.len() {
            free.active = None;
        }
        let Some(oldest) = free.remove(index) else { return false };
        self.pending.fetch_sub(oldest.unread, Ordering::Relaxed);
        self.metrics.dropped(DropReason::SpoolFull, Worth::Free).inc_by(oldest.unread);
        if let Some(records) = state.full.note(oldest.unread) {
            error!(records, "usage records dropped: the spool is full, and what cost nothing makes room");
        }
        state.forget(Lane::Free, Some(oldest));
        true
    }

    pub(super) fn lose(&self, state: &mut State, reason: DropReason, worth: Worth, usage_id: &str) {
        self.metrics.dropped(reason, worth).inc();
        match reason {
            DropReason::TooLarge => error!(usage_id, "usage record dropped: it is larger than any should be"),
            _ => {
                if let Some(records) = state.full.note(1) {
                    let kind = worth.name();
                    error!(
                        records,
                        kind, "usage records dropped: the spool is full and the control plane has not taken them"
                    );
                }
            }
        }
    }
}

impl State {
    /// The bytes on disk that a record of `worth` cannot have: what cost nothing makes room for what was paid for.
    pub(super) fn bytes(&self, worth: Worth) -> u64 {
        let counts = |lane: &Lane| worth == Worth::Free || lane.worth() == Worth::Paid;
        Lane::ALL.iter().filter(|lane| counts(lane)).map(|lane| self.lanes[*lane as usize].bytes()).sum()
    }
}
