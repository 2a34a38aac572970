//! Records in memory, on their way to the disk. They pass at once, unless the disk takes nothing: then they wait here,
//! up to a bound, and may be sent from here.

use std::collections::VecDeque;

use shared::pb::UsageRecord;

use super::spool::Position;
use super::worth::{Shares, Tenant, Worth};

/// A record that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) record: UsageRecord,
    /// Where a version of it with rough counts stands in the lane of those that are still to be counted.
    pub(super) uncounted: Option<Position>,
}

/// Records that wait for the disk.
#[derive(Debug)]
pub(super) struct Backlog {
    most: usize,
    lanes: [VecDeque<Waiting>; Worth::ALL.len()],
    /// The number of records of each proxy key, by their worth.
    shares: [Shares; Worth::ALL.len()],
}

impl Backlog {
    /// A backlog of at most `most` records.
    pub(super) fn new(most: usize) -> Self {
        Self { most, lanes: Default::default(), shares: Default::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// Whether there is no room.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    /// Takes `waiting`. Where there is no room, a record of no cost makes some, the oldest first; where there is none
    /// either, the newest of the proxy key that has most. Gives the record that is dropped.
    pub(super) fn push(&mut self, waiting: Waiting) -> Option<Waiting> {
        let (worth, tenant) = (Worth::of(&waiting.record), Tenant::of(&waiting.record));
        let mut dropped = None;
        if self.is_full() {
            let victims = if self.lanes[Worth::Free as usize].is_empty() { Worth::Paid } else { Worth::Free };
            let largest = self.shares[victims as usize].largest();
            // A record that cost nothing makes no other room that was paid for, nor does the largest share grow.
            if victims < worth || (victims == worth && largest == Some(tenant)) {
                return Some(waiting);
            }
            dropped = match victims {
                Worth::Free if worth == Worth::Paid => self.take(Worth::Free, 0),
                _ => self.newest_of(victims, largest).and_then(|at| self.take(victims, at)),
            };
        }
        self.shares[worth as usize].add(tenant, 1);
        self.lanes[worth as usize].push_back(waiting);
        dropped
    }

    fn newest_of(&self, worth: Worth, tenant: Option<Tenant>) -> Option<usize> {
        self.lanes[worth as usize].iter().rposition(|waiting| Some(Tenant::of(&waiting.record)) == tenant)
    }

    fn take(&mut self, worth: Worth, at: usize) -> Option<Waiting> {
        let taken = self.lanes[worth as usize].remove(at)?;
        self.shares[worth as usize].take(Tenant::of(&taken.record), 1);
        Some(taken)
    }

    /// Up to `most` of the oldest records of one worth, those that were paid for first.
    pub(super) fn take_oldest(&mut self, most: usize) -> Option<(Worth, Vec<Waiting>)> {
        let worth = Worth::ALL.into_iter().find(|worth| !self.lanes[*worth as usize].is_empty())?;
        let count = most.min(self.lanes[worth as usize].len());
        Some((worth, (0..count).filter_map(|_| self.take(worth, 0)).collect()))
    }

    /// Puts `taken` back, in the order in which it was taken.
    pub(super) fn put_back(&mut self, worth: Worth, taken: Vec<Waiting>) {
        for waiting in taken.into_iter().rev() {
            self.shares[worth as usize].add(Tenant::of(&waiting.record), 1);
            self.lanes[worth as usize].push_front(waiting);
        }
    }
}

#[cfg(test)]
mod tests;
