//! The skeleton of every answer that is written on as it comes: it pulls the provider's body, waits no longer than it
//! may, and ends when the gateway does. What the client's bytes are is a [`Writer`]'s to say.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};

use super::idle::{IdleTimer, Silence};
use crate::error::GatewayError;
use crate::opening::ProviderBody;

/// How long a provider may take to end its body behind the end of its answer, so that the connection can be used again.
const END_GRACE: Duration = Duration::from_millis(250);

/// The most of a provider's body that a writer takes at once, in bytes, so that a client that reads slowly has little
/// written for it.
const PORTION: usize = 16 * 1024;

/// Resolves when the gateway ends.
pub(super) type Ending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes of a provider's body what the client gets. Dropping it settles the meter.
pub(super) trait Writer: Unpin {
    /// Takes a portion of the provider's body.
    fn take(&mut self, portion: Bytes) -> Next;

    /// Says whether [`Self::has_lived`] will be asked about the next portion.
    fn will_ask(&mut self, _asked: bool) {}

    /// Whether the portion before was a part of the answer, and not only a sign of life.
    fn has_lived(&self) -> bool {
        true
    }

    /// The provider's body has ended.
    fn end(&mut self);

    /// Leaves off because of `error`, and says so to the client.
    ///
    /// # Errors
    /// `error`, where breaking the connection is the only way to say so.
    fn break_off(&mut self, error: GatewayError) -> Result<(), GatewayError>;

    /// What is to be written next. It is empty until more has come.
    fn written(&mut self) -> Bytes;

    /// Writes what keeps the client's connection alive, where the timer beats.
    fn keep_alive(&mut self) {}

    /// Whether the client has all that it gets. What comes behind that is not read.
    fn is_over(&self) -> bool;

    /// Whether nothing is missing of the answer, even if the provider's body breaks off.
    fn has_all(&self) -> bool;

    /// Counts bytes that go to the client.
    fn count(&mut self, bytes: u64);

    /// Why the connection is to be broken in place of an end, where the writer has left the provider's body for that.
    fn failure(&mut self) -> Option<GatewayError> {
        None
    }
}

/// What is to become of the provider's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// More of it is wanted.
    Goes,
    /// Its end is waited for, for a moment.
    Settles,
    /// It is left.
    Ends,
}

/// An answer on its way to the client. Dropping it ends the request at the provider.
pub(super) struct Flow<W, B = ProviderBody> {
    /// None when it has ended, or is left.
    upstream: Option<B>,
    /// What has come of it and is still to be taken.
    untaken: Bytes,
    /// How long the provider's body may pause.
    timer: IdleTimer,
    /// None for an answer that the end of the gateway does not break off.
    ending: Option<Ending>,
    writer: W,
}

impl<W: Writer, B> Flow<W, B> {
    /// What `writer` makes of `upstream`.
    pub(super) fn new(upstream: B, timer: IdleTimer, ending: Option<Ending>, writer: W) -> Self {
        Self { upstream: Some(upstream), untaken: Bytes::new(), timer, ending, writer }
    }

    /// Takes a portion of the provider's body.
    pub(super) fn take(&mut self, portion: Bytes) {
        let fresh = self.timer.is_fresh();
        self.writer.will_ask(!fresh);
        let next = self.writer.take(portion);
        if !fresh && self.writer.has_lived() {
            self.timer.touch();
        }
        self.go(next);
    }

    /// Goes on with the provider's body as `next` says.
    pub(super) fn go(&mut self, next: Next) {
        match next {
            Next::Goes => {}
            Next::Settles => {
                self.timer.touch();
                self.timer.shorten(END_GRACE);
            }
            Next::Ends => self.upstream = None,
        }
    }

    /// Waits while the provider sends nothing. Gives why the answer is to be broken off, if it is.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<Option<GatewayError>> {
        if self.ending.as_mut().is_some_and(|ending| ending.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Some(GatewayError::Draining));
        }
        match ready!(self.timer.poll_silence(context)) {
            Silence::Beat => self.writer.keep_alive(),
            Silence::Over if self.writer.is_over() => self.upstream = None,
            Silence::Over => return Poll::Ready(Some(GatewayError::Timeout)),
        }
        Poll::Ready(None)
    }
}

impl<W: Writer, B: Body<Data = Bytes> + Unpin> Body for Flow<W, B> {
    type Data = Bytes;
    type Error = GatewayError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        loop {
            // All that goes to the client leaves here. How long the client may take to read it is bounded by the
            // listener (`shared/src/serve/unread.rs`), which drops this body when it takes too long.
            let written = this.writer.written();
            if !written.is_empty() {
                this.timer.wrote();
                this.writer.count(written.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(written))));
            }
            if !this.untaken.is_empty() {
                let portion = this.untaken.split_to(this.untaken.len().min(PORTION));
                if this.upstream.is_some() && !this.writer.is_over() {
                    this.take(portion);
                } else {
                    this.untaken.clear();
                }
                continue;
            }
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(this.writer.failure().map(Err)) };
            let broken = match Pin::new(upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing that a client of these APIs reads.
                    if let Ok(portion) = frame.into_data() {
                        this.untaken = portion;
                    }
                    None
                }
                Poll::Ready(Some(Err(_))) if !this.writer.has_all() => Some(GatewayError::Cut),
                Poll::Ready(Some(Err(_)) | None) => {
                    this.upstream = None;
                    this.writer.end();
                    None
                }
                Poll::Pending => ready!(this.poll_silence(context)),
            };
            if let Some(error) = broken {
                this.upstream = None;
                if let Err(error) = this.writer.break_off(error) {
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
