//! How long an answer that has begun may pause.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Runs out when nothing has come for a while, and may beat until then.
#[derive(Debug)]
pub(super) struct IdleTimer {
    idle: Duration,
    last: Instant,
    beat: Option<Beat>,
    timer: Pin<Box<Sleep>>,
}

#[derive(Debug)]
struct Beat {
    every: Duration,
    last: Instant,
}

/// What nothing having come means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The client is to hear something.
    Beat,
    /// It has lasted too long.
    Over,
}

impl IdleTimer {
    /// Begins now.
    pub(super) fn new(idle: Duration) -> Self {
        let last = Instant::now();
        Self { idle, last, beat: None, timer: Box::pin(sleep_until(last + idle)) }
    }

    /// The same, with a beat for each `every` of silence.
    pub(super) fn beating(idle: Duration, every: Duration) -> Self {
        let mut timer = Self::new(idle);
        timer.beat = Some(Beat { every, last: timer.last });
        let next = timer.next();
        timer.timer.as_mut().reset(next);
        timer
    }

    /// Something has come.
    pub(super) fn touch(&mut self) {
        self.last = Instant::now();
    }

    /// From the last time on, only so much.
    pub(super) fn shorten(&mut self, idle: Duration) {
        self.idle = idle;
        self.beat = None;
        self.timer.as_mut().reset(self.last + idle);
    }

    fn next(&self) -> Instant {
        let over = self.last + self.idle;
        self.beat.as_ref().map_or(over, |beat| over.min(beat.last.max(self.last) + beat.every))
    }

    /// Ready when it has run out, or beats. The timer is set anew only then, and not with each event.
    pub(super) fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<Silence> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            if now >= self.last + self.idle {
                return Poll::Ready(Silence::Over);
            }
            let next = self.next();
            if let Some(beat) = &mut self.beat
                && now >= next
            {
                beat.last = now;
                let next = self.next();
                self.timer.as_mut().reset(next);
                return Poll::Ready(Silence::Beat);
            }
            self.timer.as_mut().reset(next);
        }
    }
}

#[cfg(test)]
mod tests;
