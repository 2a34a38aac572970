//! An answer event by event. Each event is written on as soon as it is whole, as the bytes that came; nothing is collected.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout_at;

use super::collect::Patience;
use super::headers::forward;
use super::idle::IdleTimer;
use super::redact::{redact, redact_text};
use crate::attempt::Answer;
use crate::error::GatewayError;
use crate::protocol::openai_chat::answer::{self, provider_error};
use crate::protocol::sse::{self, EventSplitter};
use crate::route::table::RoutedKey;
use crate::usage::meter::Meter;

/// The largest event that is held back until it is whole.
const LARGEST_EVENT: usize = 1024 * 1024;

/// After `[DONE]`, for the provider to end its body, so that the connection can be used again.
const END_GRACE: Duration = Duration::from_millis(250);

const DONE: &[u8] = b"data: [DONE]\n\n";

/// Writes `answer` on. Waits for the first portion of it before anything leaves; then each has the pause of `patience` to come.
/// `hide_usage` leaves out the event that reports usage and nothing else.
///
/// # Errors
/// [`GatewayError`] when no first portion comes; the meter is given back.
pub async fn respond(
    answer: Answer,
    mut meter: Meter,
    patience: Patience,
    hide_usage: bool,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, mut body, candidate } = answer;
    let first = loop {
        match timeout_at(patience.first, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => break data,
                Err(_trailers) => {}
            },
            Ok(Some(Err(_))) => return Err((GatewayError::Cut, meter)),
            Ok(None) => return Err((GatewayError::Unusable("it is an empty stream"), meter)),
            Err(_elapsed) => return Err((GatewayError::Timeout, meter)),
        }
    };
    meter.first_byte();
    meter.answering(head.status);
    let mut stream = EventStream {
        upstream: Some(body),
        splitter: EventSplitter::new(LARGEST_EVENT),
        ready: Bytes::new(),
        timer: IdleTimer::new(patience.pause),
        closing: Box::pin(meter.closing()),
        hide_usage,
        done: false,
        finished: false,
        failed: false,
        key: Arc::clone(&candidate.key),
        meter,
    };
    stream.take(first);
    let mut response = Response::new(Body::new(stream));
    *response.status_mut() = head.status;
    let headers = response.headers_mut();
    forward(&head.headers, headers, &candidate.key);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// A stream on its way. Dropping it ends the request at the provider, and settles the meter.
struct EventStream {
    upstream: Option<Incoming>,
    splitter: EventSplitter,
    /// To be written next.
    ready: Bytes,
    timer: IdleTimer,
    /// The gateway ends.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    hide_usage: bool,
    /// `[DONE]` has come.
    done: bool,
    /// The model has said why it stopped.
    finished: bool,
    /// The provider sent an error in place of the rest.
    failed: bool,
    key: Arc<RoutedKey>,
    meter: Meter,
}

impl EventStream {
    /// Takes a portion of the provider's body.
    fn take(&mut self, portion: Bytes) {
        self.timer.touch();
        match self.splitter.push(portion) {
            Ok(events) => {
                self.ready = self.pass(events);
                if self.done {
                    self.timer.shorten(END_GRACE);
                }
            }
            Err(sse::TooLarge) => self.break_off(&GatewayError::Unusable("one of its events is larger than 1 MiB")),
        }
    }

    /// What of whole events goes to the client: all of it, but for the usage that it did not ask for.
    fn pass(&mut self, events: Bytes) -> Bytes {
        let mut shown: Option<BytesMut> = None;
        let mut seen = 0;
        for event in sse::events(events.clone()) {
            let hidden = self.read(&event);
            if hidden && shown.is_none() {
                shown = Some(BytesMut::from(&events[..seen]));
            } else if !hidden && let Some(shown) = &mut shown {
                shown.extend_from_slice(&event);
            }
            seen += event.len();
        }
        redact(&self.key, shown.map_or(events, BytesMut::freeze))
    }

    /// Notes what an event says. Gives whether it is to be hidden.
    fn read(&mut self, event: &Bytes) -> bool {
        let Some(data) = sse::data(event) else { return false };
        let event = answer::event(&data);
        self.finished |= event.finishes;
        if let Some(usage) = event.usage {
            self.meter.tokens = Some(usage);
        }
        if event.error {
            self.failed = true;
            self.meter.provider_failed(&redact_text(&self.key, provider_error(&data).message));
        }
        if event.done {
            self.done = true;
            if !self.failed {
                self.meter.succeeded();
            }
        }
        event.only_usage && self.hide_usage
    }

    /// The provider's body has ended.
    fn end(&mut self) {
        self.upstream = None;
        if self.done {
            return;
        }
        let mut rest = BytesMut::from(&*self.splitter.take_rest());
        if !rest.is_empty() {
            // Some end without the last empty line. What is a whole event but for that is passed on.
            rest.extend_from_slice(b"\n\n");
            let rest = rest.freeze();
            let whole = sse::data(&rest).is_some_and(|data| {
                answer::event(&data).done || serde_json::from_slice::<serde::de::IgnoredAny>(&data).is_ok()
            });
            if whole {
                self.ready = self.pass(rest);
            }
        }
        if self.done || self.failed {
            return;
        }
        if self.finished {
            self.meter.succeeded();
            self.ready = [&self.ready[..], DONE].concat().into();
        } else {
            self.break_off(&GatewayError::Cut);
        }
    }

    /// Ends the stream with an error event and without `[DONE]`.
    fn break_off(&mut self, error: &GatewayError) {
        self.upstream = None;
        self.meter.broke(error);
        self.ready = [&self.ready[..], &error.event()[..]].concat().into();
    }
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let ready = std::mem::take(&mut this.ready);
                this.meter.response_bytes += ready.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
            match Pin::new(upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !this.done
                    {
                        this.take(data);
                    }
                }
                // Behind `[DONE]` nothing is missing.
                Poll::Ready(Some(Err(_))) if this.done || this.failed => this.upstream = None,
                Poll::Ready(Some(Err(_))) => this.break_off(&GatewayError::Cut),
                Poll::Ready(None) => this.end(),
                Poll::Pending => {
                    if this.closing.as_mut().poll(context).is_ready() {
                        this.break_off(&GatewayError::Draining);
                        continue;
                    }
                    ready!(this.timer.poll_expired(context));
                    if this.done {
                        this.upstream = None;
                    } else {
                        this.break_off(&GatewayError::Timeout);
                    }
                }
            }
        }
    }
}
