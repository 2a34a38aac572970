//! How long an answer that has begun may pause.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Runs out when nothing has come for a while.
#[derive(Debug)]
pub(super) struct IdleTimer {
    idle: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl IdleTimer {
    /// Begins now.
    pub(super) fn new(idle: Duration) -> Self {
        let last = Instant::now();
        Self { idle, last, timer: Box::pin(sleep_until(last + idle)) }
    }

    /// Something has come.
    pub(super) fn touch(&mut self) {
        self.last = Instant::now();
    }

    /// From the last time on, only so much.
    pub(super) fn shorten(&mut self, idle: Duration) {
        self.idle = idle;
        self.timer.as_mut().reset(self.last + idle);
    }

    /// Ready when it has run out. The timer is set anew only then, and not with each event.
    pub(super) fn poll_expired(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let until = self.last + self.idle;
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(until);
        }
    }
}
