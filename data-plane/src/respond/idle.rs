//! How long an answer that has begun may pause.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that runs out when nothing has come for a while. It may beat until then.
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

/// What a silence of the provider means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// The client is to hear something, so that its connection stays open.
    Beat,
    /// The silence has lasted too long.
    Over,
}

impl IdleTimer {
    /// A timer that begins now and runs out after `idle`.
    pub(super) fn new(idle: Duration) -> Self {
        let last = Instant::now();
        Self { idle, last, beat: None, timer: Box::pin(sleep_until(last + idle)) }
    }

    /// The same, with a beat whenever the silence has lasted for another `every`.
    pub(super) fn beating(idle: Duration, every: Duration) -> Self {
        let mut timer = Self::new(idle);
        timer.beat = Some(Beat { every, last: timer.last });
        let next = timer.next();
        timer.timer.as_mut().reset(next);
        timer
    }

    /// Notes that something has come.
    pub(super) fn touch(&mut self) {
        self.last = Instant::now();
    }

    /// Runs out when `idle` has passed since something came, and beats no more.
    pub(super) fn shorten(&mut self, idle: Duration) {
        self.idle = idle;
        self.beat = None;
        self.timer.as_mut().reset(self.last + idle);
    }

    fn next(&self) -> Instant {
        let over = self.last + self.idle;
        self.beat.as_ref().map_or(over, |beat| over.min(beat.last.max(self.last) + beat.every))
    }

    /// Ready when the timer has run out, or beats. Only then is it set anew, and not with each event.
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
