//! An answer that is written down while it goes to the client, and is kept when it has ended well.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use shared::time::steady_ms;
use translation::Format;

use super::flight::Lead;
use super::inquiry::CacheKey;
use super::kept::{KeptAnswer, Maker};
use super::soundness::sound;
use super::{LARGEST_ANSWER, ResponseCache};

/// The content type of a stream of events.
const EVENTS: &[u8] = b"text/event-stream";

/// What becomes of an answer that may be kept. Where it is dropped before the answer has ended well, another request
/// that waits for the answer asks in its place.
pub struct Recording {
    cache: Arc<ResponseCache>,
    key: CacheKey,
    lead: Option<Lead>,
    /// How long the answer is kept.
    time: Duration,
    /// Whether the client had the whole answer, as its meter says.
    succeeded: Arc<AtomicBool>,
    /// The format of an answer of a chat API.
    chat: Option<Format>,
    maker: Maker,
    headers: HeaderMap,
    written: BytesMut,
    /// The room that is taken for it, in bytes.
    taken: u64,
}

impl Recording {
    /// The recording of an answer that `maker` makes, to be kept in `cache` under `key` for `time`. `lead` is the right
    /// to ask for others too. `chat` is the format of an answer of a chat API. The second value is to be set when the
    /// client has the whole answer.
    pub fn begin(
        cache: &Arc<ResponseCache>,
        (key, lead): (CacheKey, Option<Lead>),
        time: Duration,
        chat: Option<Format>,
        maker: Maker,
    ) -> (Self, Arc<AtomicBool>) {
        let succeeded = Arc::new(AtomicBool::new(false));
        let recording = Self {
            cache: Arc::clone(cache),
            key,
            lead,
            time,
            succeeded: Arc::clone(&succeeded),
            chat,
            maker,
            headers: HeaderMap::new(),
            written: BytesMut::new(),
            taken: 0,
        };
        (recording, succeeded)
    }

    /// `response`, which is written down while it goes to the client.
    pub fn of(mut self, response: Response) -> Response {
        if response.status() != StatusCode::OK {
            return response;
        }
        self.headers = KeptAnswer::headers_of(response.headers());
        response.map(|inner| Body::new(RecordedBody { inner, recording: Some(Box::new(self)) }))
    }

    /// Writes `data` down, and says whether there was room for it.
    fn write(&mut self, data: &[u8]) -> bool {
        let bytes = data.len() as u64;
        let fits = self.written.len() + data.len() <= LARGEST_ANSWER && self.cache.take_room(bytes);
        if fits {
            self.taken += bytes;
            self.written.extend_from_slice(data);
        }
        fits
    }

    /// Gives up: the answer is too large.
    fn give_up(mut self) {
        self.lead.take().into_iter().for_each(Lead::release);
    }

    /// The answer has ended.
    fn finish(mut self) {
        if !self.succeeded.load(Ordering::Acquire) {
            return;
        }
        let streams = self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(EVENTS));
        // As it is, it takes more memory than it is long.
        let written = Bytes::copy_from_slice(&self.written);
        let Some(body) = sound(self.chat, streams, written) else { return self.give_up() };
        let made_ms = steady_ms();
        let time = i64::try_from(self.time.as_millis()).unwrap_or(i64::MAX);
        let answer = Arc::new(KeptAnswer {
            headers: std::mem::take(&mut self.headers),
            body,
            streams,
            maker: self.maker.clone(),
            made_ms,
            until_ms: made_ms.saturating_add(time),
        });
        self.cache.keep(self.key, &answer);
        if let Some(lead) = self.lead.take() {
            lead.share(&answer);
        }
    }
}

impl fmt::Debug for Recording {
    /// Without what is written down.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("maker", &self.maker).field("bytes", &self.taken).finish_non_exhaustive()
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.cache.give_back(self.taken);
    }
}

/// The body of an answer that is written down.
struct RecordedBody {
    inner: Body,
    recording: Option<Box<Recording>>,
}

impl RecordedBody {
    fn finish(&mut self) {
        // What the meter knows is settled with the body.
        drop(std::mem::take(&mut self.inner));
        if let Some(recording) = self.recording.take() {
            recording.finish();
        }
    }
}

impl http_body::Body for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(recording)) = (frame.data_ref(), &mut this.recording)
                    && !recording.write(data)
                    && let Some(recording) = this.recording.take()
                {
                    recording.give_up();
                }
                if this.inner.is_end_stream() {
                    this.finish();
                }
            }
            Some(Err(_)) => this.recording = None,
            None => this.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests;
