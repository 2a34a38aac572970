//! How long an answer that has begun may pause, and how long its client may hear nothing.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client of a stream hears nothing before it gets what keeps its connection alive, and those of proxies on
/// the way.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Within this part of the longest pause behind a sign of life, another one is not looked for.
const FRESH: u32 = 20;

/// The longest time for which a sign of life is fresh.
const LONGEST_FRESH: Duration = Duration::from_secs(1);

/// A timer that runs out when nothing has come for a while. It may beat until then, whenever the client has heard
/// nothing for a while.
#[derive(Debug)]
pub(super) struct IdleTimer {
    idle: Duration,
    last: Instant,
    beat: Option<Beat>,
    /// When it runs out at the latest, whatever comes.
    end: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

#[derive(Debug)]
struct Beat {
    every: Duration,
    /// When something was written last to the client.
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
        Self { idle, last, beat: None, end: None, timer: Box::pin(sleep_until(last + idle)) }
    }

    /// The same, but it runs out at `end` at the latest.
    #[must_use]
    pub(super) fn ending(mut self, end: Option<Instant>) -> Self {
        self.end = end;
        let next = self.next();
        self.timer.as_mut().reset(next);
        self
    }

    /// The same, with a beat whenever nothing has been written for `every`.
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

    /// Whether something has come just now, so that it does not matter whether more has.
    pub(super) fn is_fresh(&self) -> bool {
        self.last.elapsed() < LONGEST_FRESH.min(self.idle / FRESH)
    }

    /// Notes that something has been written to the client.
    pub(super) fn wrote(&mut self) {
        if let Some(beat) = &mut self.beat {
            beat.last = Instant::now();
        }
    }

    /// Runs out when `idle` has passed since something came, and beats no more.
    pub(super) fn shorten(&mut self, idle: Duration) {
        self.idle = idle;
        self.beat = None;
        let next = self.next();
        self.timer.as_mut().reset(next);
    }

    /// When it has run out.
    fn over(&self) -> Instant {
        let idle = self.last + self.idle;
        self.end.map_or(idle, |end| idle.min(end))
    }

    fn next(&self) -> Instant {
        let over = self.over();
        self.beat.as_ref().map_or(over, |beat| over.min(beat.last + beat.every))
    }

    /// Ready when the timer has run out, or beats. Only then is it set anew, and not with each event.
    pub(super) fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<Silence> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            if now >= self.over() {
                return Poll::Ready(Silence::Over);
            }
            let beats = self.beat.as_mut().is_some_and(|beat| {
                let beats = now >= beat.last + beat.every;
                if beats {
                    beat.last = now;
                }
                beats
            });
            let next = self.next();
            self.timer.as_mut().reset(next);
            if beats {
                return Poll::Ready(Silence::Beat);
            }
        }
    }
}

#[cfg(test)]
mod tests;
