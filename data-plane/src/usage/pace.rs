//! Bounds how often something is said.

use std::time::{Duration, Instant};

/// How often a warning about the same thing is repeated.
const PERIOD: Duration = Duration::from_secs(30);

/// Says when it is time to speak again, and of how many events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    last: Option<Instant>,
    events: u64,
}

impl Pace {
    /// Notes `events` more. Gives their number since the last time where it is time to speak of them.
    pub(crate) fn note(&mut self, events: u64) -> Option<u64> {
        self.events += events;
        if self.last.is_some_and(|last| last.elapsed() < PERIOD) {
            return None;
        }
        self.last = Some(Instant::now());
        Some(std::mem::take(&mut self.events))
    }

    /// Speaks at once at the next event.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}
