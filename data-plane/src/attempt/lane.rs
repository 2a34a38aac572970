//! One of the two ways to an answer that a hedged request takes. Any other request has one.

use std::sync::atomic::{AtomicBool, Ordering};

use super::behalf::Behalf;
use crate::route::candidate::Candidate;
use crate::route::occupied::Occupied;
use crate::usage::attempts::AttemptRecord;
use crate::usage::meter::Meter;

/// One way to an answer. Its attempts leave their records with the meter.
#[derive(Debug)]
pub(super) struct Lane<'m> {
    meter: &'m Meter,
    /// Whether it is the second of two, which began because the first was late.
    hedges: bool,
    /// Whether an attempt has begun on it.
    begun: AtomicBool,
    /// Whether the other one has answered first.
    outrun: AtomicBool,
}

impl<'m> Lane<'m> {
    /// The way of a request, or the first of two.
    pub(super) fn first(meter: &'m Meter) -> Self {
        Self { meter, hedges: false, begun: AtomicBool::new(false), outrun: AtomicBool::new(false) }
    }

    /// The second of two.
    pub(super) fn second(meter: &'m Meter) -> Self {
        Self { hedges: true, ..Self::first(meter) }
    }

    /// The other one has answered first: what still runs here is dropped next.
    pub(super) fn outrun(&self) {
        self.outrun.store(true, Ordering::Relaxed);
    }

    /// Whether an attempt has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

impl Behalf for Lane<'_> {
    fn occupy(&self, candidate: &Candidate) -> Option<Occupied> {
        let running = Occupied::begin(candidate)?;
        self.begun.store(true, Ordering::Relaxed);
        Some(running)
    }

    fn ended(&self, record: AttemptRecord) {
        self.meter.attempted(AttemptRecord { hedged: self.hedges, ..record });
    }

    /// The client has left, or the other way was faster. What has kept the answer waiting until then counts as slow.
    fn left(&self, record: AttemptRecord, running: Option<&Occupied>) {
        if !self.outrun.load(Ordering::Relaxed) {
            return self.ended(record.abandon());
        }
        let record = record.outrun();
        if let Some(running) = running {
            running.outrun(record.duration);
        }
        self.ended(record);
    }
}
