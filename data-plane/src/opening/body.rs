//! The body of a provider's answer, with what has been read of it in front.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The body of a provider's answer. What has been read of it comes first.
#[derive(Debug)]
pub struct ProviderBody<B = Incoming> {
    start: VecDeque<Bytes>,
    /// None where the body has been read to its end.
    rest: Option<B>,
}

impl<B> ProviderBody<B> {
    /// A body of which nothing has been read.
    pub fn unread(body: B) -> Self {
        Self { start: VecDeque::new(), rest: Some(body) }
    }

    /// A body that has been read to its end.
    pub fn whole(body: Bytes) -> Self {
        Self { start: VecDeque::from([body]), rest: None }
    }

    /// The body behind `start`, which has been read of it.
    #[must_use]
    pub fn behind(mut self, start: Vec<Bytes>) -> Self {
        for piece in start.into_iter().rev() {
            self.start.push_front(piece);
        }
        self
    }

    /// What has been read of it, as far as it came in one piece.
    pub(super) fn begins(&self) -> Option<&[u8]> {
        self.start.front().map(|start| &**start)
    }

    /// The body without anything behind what has been read of it.
    #[must_use]
    pub(super) fn ended(mut self) -> Self {
        self.rest = None;
        self
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ProviderBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        match (this.start.pop_front(), &mut this.rest) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, Some(rest)) => Pin::new(rest).poll_frame(context),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.start.iter().map(|piece| piece.len() as u64).sum();
        let mut hint = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + read);
        }
        hint.set_lower(hint.lower() + read);
        hint
    }
}
