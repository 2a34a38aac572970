//! On whose behalf an attempt is made: that of a client, or the gateway's own.

use crate::route::candidate::Candidate;
use crate::route::occupied::Occupied;
use crate::usage::attempts::{AttemptRecord, Trail};

/// On whose behalf an attempt is made.
pub(super) trait Behalf: Sync {
    /// Begins to keep `candidate` busy; none where it is left alone.
    fn occupy(&self, candidate: &Candidate) -> Option<Occupied>;

    /// Takes the record of an attempt that has ended.
    fn ended(&self, record: AttemptRecord);

    /// Takes the record of an attempt that is dropped before its end, and what it has kept busy.
    fn left(&self, record: AttemptRecord, running: Option<&Occupied>);
}

/// A request of the gateway's own. No client pays for it, and it goes whatever is known of whom it asks.
#[derive(Debug, Default)]
pub(super) struct OwnBehalf {
    pub(super) trail: Trail,
}

impl Behalf for OwnBehalf {
    fn occupy(&self, candidate: &Candidate) -> Option<Occupied> {
        Some(Occupied::probe(candidate))
    }

    fn ended(&self, record: AttemptRecord) {
        self.trail.leave(record);
    }

    fn left(&self, record: AttemptRecord, _running: Option<&Occupied>) {
        self.trail.leave(record.abandon());
    }
}
