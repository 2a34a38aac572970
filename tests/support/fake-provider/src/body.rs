//! The body of an answer, as it leaves.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::journal::{End, Ending};

/// One step of a body.
#[derive(Debug)]
pub(crate) enum Step {
    /// Write these bytes.
    Write(Bytes),
    /// Wait.
    Wait(Duration),
    /// Close the connection.
    Cut,
    /// Write these bytes again and again, waiting in between.
    Repeat(Bytes, Duration),
}

/// Bytes that a connection carries in place of its HTTP answer, once they are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawBytes(Arc<OnceLock<Bytes>>);

impl RawBytes {
    /// Sets the bytes. Only the first call on a connection counts.
    pub(crate) fn set(&self, bytes: Bytes) {
        let _already_set = self.0.set(bytes);
    }

    pub(crate) fn get(&self) -> Option<&Bytes> {
        self.0.get()
    }
}

/// An error that makes hyper close the connection.
#[derive(Debug)]
pub(crate) struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by the script")
    }
}

impl std::error::Error for Closed {}

impl From<Infallible> for Closed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body made of [`Step`]s.
#[derive(Debug)]
pub(crate) struct Answer {
    steps: VecDeque<Step>,
    wait: Option<Pin<Box<Sleep>>>,
    /// Whether everything before a cut has been written.
    flushed: bool,
    /// The exact length, if it is known.
    length: Option<u64>,
    ending: Option<Ending>,
}

impl Answer {
    /// A body of known length.
    pub(crate) fn whole(bytes: Bytes, ending: Option<Ending>) -> Self {
        let length = Some(bytes.len() as u64);
        Self { steps: VecDeque::from([Step::Write(bytes)]), wait: None, flushed: false, length, ending }
    }

    /// A body that leaves step by step. With a `length`, the answer has the header `content-length`.
    pub(crate) fn steps(steps: VecDeque<Step>, length: Option<u64>, ending: Ending) -> Self {
        Self { steps, wait: None, flushed: false, length, ending: Some(ending) }
    }

    fn note(&mut self, end: End) {
        if let Some(ending) = &mut self.ending {
            ending.note(end);
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        loop {
            if let Some(wait) = &mut self.wait {
                std::task::ready!(wait.as_mut().poll(cx));
                self.wait = None;
            }
            let bytes = match self.steps.pop_front() {
                None => {
                    self.note(End::Answered);
                    return Poll::Ready(None);
                }
                Some(Step::Wait(duration)) => {
                    self.wait = Some(Box::pin(tokio::time::sleep(duration)));
                    continue;
                }
                Some(Step::Cut) if !self.flushed => {
                    // An error makes hyper forget what it has not written yet. It writes while the body pauses.
                    self.flushed = true;
                    self.steps.push_front(Step::Cut);
                    self.wait = Some(Box::pin(tokio::time::sleep(Duration::from_millis(1))));
                    continue;
                }
                Some(Step::Cut) => {
                    self.note(End::Cut);
                    return Poll::Ready(Some(Err(Closed)));
                }
                Some(Step::Repeat(bytes, pause)) => {
                    self.steps.push_front(Step::Repeat(bytes.clone(), pause));
                    if !pause.is_zero() {
                        self.steps.push_front(Step::Wait(pause));
                    }
                    bytes
                }
                Some(Step::Write(bytes)) => bytes,
            };
            if let Some(ending) = &self.ending {
                ending.chunk();
            }
            if self.steps.is_empty() {
                self.note(End::Answered);
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.wait.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
