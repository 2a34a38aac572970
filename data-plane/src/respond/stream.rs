//! An answer event by event. Each event is written on as soon as it is whole, as the bytes that came; nothing is
//! collected.

mod large;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::timeout_at;
use translation::ir::ProviderError;
use translation::protocol::sse::{self, EventSplitter, LARGEST_EVENT};
use translation::protocol::{Format, StreamWatcher, openai_error};

use super::error;
use super::headers::forward;
use super::idle::IdleTimer;
use super::learn::Learn;
use crate::answer::Answer;
use crate::body::collect::Patience;
use crate::body::unpack::is_packed;
use crate::error::GatewayError;
use crate::route::table::RoutedKey;
use crate::usage::meter::Meter;
use large::LargeInPieces;

/// After `[DONE]`, for the provider to end its body, so that the connection can be used again.
pub(super) const END_GRACE: Duration = Duration::from_millis(250);

/// Writes `answer` on. Waits for the first portion of it before anything leaves; then each has the pause of `patience`
/// to come. `learn` takes note of the id in it. `hide_usage` leaves out the event that reports usage and nothing else; `array` writes the data of the
/// events as a JSON array (Gemini without `alt=sse`).
///
/// # Errors
/// [`GatewayError`] when no first portion comes; the meter is given back.
pub async fn respond(
    answer: Answer,
    learn: Option<Learn>,
    mut meter: Meter,
    patience: Patience,
    hide_usage: bool,
    array: bool,
) -> Result<Response, (GatewayError, Meter)> {
    let Answer { head, mut body, candidate, format, .. } = answer;
    let first = match first_portion(&head, &mut body, patience).await {
        Ok(first) => first,
        Err(error) => return Err((error, meter)),
    };
    meter.first_byte();
    meter.answering(head.status);
    let mut stream = EventStream {
        upstream: Some(body),
        format,
        watcher: format.protocol().watcher(),
        splitter: EventSplitter::new(LARGEST_EVENT),
        large: None,
        ready: Bytes::new(),
        timer: IdleTimer::new(patience.pause),
        closing: Box::pin(meter.closing()),
        hide_usage,
        array: array.then_some(Array::Empty),
        done: false,
        failed: false,
        bare: None,
        key: Arc::clone(&candidate.key),
        learn,
        meter,
    };
    stream.take(first);
    let mut response = Response::new(Body::new(stream));
    *response.status_mut() = head.status;
    forward(&head.headers, response.headers_mut(), &candidate.key, format);
    if array {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    as_stream(&mut response);
    Ok(response)
}

/// Tells caches and proxies on the way to leave the stream alone.
pub(super) fn as_stream(response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
}

/// Waits for the first bytes of a stream.
///
/// # Errors
/// [`GatewayError`] when none come, or they cannot be read.
pub(super) async fn first_portion(
    head: &Parts,
    body: &mut Incoming,
    patience: Patience,
) -> Result<Bytes, GatewayError> {
    if is_packed(&head.headers) {
        return Err(GatewayError::Unusable("it is a compressed stream, which was not asked for"));
    }
    portion(body, patience).await
}

/// Waits for further bytes of a stream.
///
/// # Errors
/// [`GatewayError`] when none come.
pub(super) async fn portion(body: &mut Incoming, patience: Patience) -> Result<Bytes, GatewayError> {
    loop {
        match timeout_at(patience.first, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Ok(data),
                Err(_trailers) => {}
            },
            Ok(Some(Err(_))) => return Err(GatewayError::Cut),
            Ok(None) => return Err(GatewayError::Unusable("it is an empty stream")),
            Err(_elapsed) => return Err(GatewayError::Timeout),
        }
    }
}

/// How far a stream that is written as an array has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Array {
    /// Nothing is written.
    Empty,
    /// An element is.
    Open,
    /// The bracket is closed.
    Closed,
}

/// A stream on its way. Dropping it ends the request at the provider, and settles the meter.
struct EventStream {
    upstream: Option<Incoming>,
    format: Format,
    watcher: Box<dyn StreamWatcher>,
    splitter: EventSplitter,
    /// An event under way that is too large to be held.
    large: Option<Box<LargeInPieces>>,
    /// To be written next.
    ready: Bytes,
    timer: IdleTimer,
    /// The gateway ends.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    hide_usage: bool,
    /// Where the client wants an array.
    array: Option<Array>,
    /// The format's own end has come.
    done: bool,
    /// The provider sent an error in place of the rest.
    failed: bool,
    /// An error that stands between events without being one.
    bare: Option<Box<ProviderError>>,
    key: Arc<RoutedKey>,
    /// Until the answer has said its id.
    learn: Option<Learn>,
    meter: Meter,
}

impl EventStream {
    /// Takes a portion of the provider's body.
    fn take(&mut self, mut portion: Bytes) {
        self.timer.touch();
        while let Some(behind) = self.pass_large(portion) {
            let (events, large) = match self.splitter.push(behind) {
                Ok(events) => (events, None),
                Err(sse::TooLarge { before, rest }) => (before, Some(rest)),
            };
            let shown = self.pass(events);
            self.show(shown);
            if let Some(error) = self.bare.take() {
                return self.break_off(&GatewayError::Provider(error));
            }
            if self.done {
                return self.timer.shorten(END_GRACE);
            }
            let Some(large) = large else { return };
            if !self.begin_large(&large) {
                return self.break_off(&GatewayError::Unusable(
                    "one of its events is larger than 1 MiB, and not because of a long text or a picture",
                ));
            }
            portion = large;
        }
    }

    /// Has `bytes` written, behind what is ready.
    fn show(&mut self, bytes: Bytes) {
        self.ready = if self.ready.is_empty() { bytes } else { [&self.ready[..], &bytes[..]].concat().into() };
    }

    /// What of whole events goes to the client: all of it, but for the usage that it did not ask for.
    fn pass(&mut self, events: Bytes) -> Bytes {
        if self.array.is_some() {
            return self.pass_as_array(events);
        }
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
        self.key.leak.redact(shown.map_or(events, BytesMut::freeze))
    }

    /// The same, as elements of an array.
    fn pass_as_array(&mut self, events: Bytes) -> Bytes {
        let mut shown = BytesMut::with_capacity(events.len());
        for event in sse::events(events) {
            self.read(&event);
            if let Some(data) = sse::data(&event) {
                self.element(&data, &mut shown);
            }
        }
        self.key.leak.redact(shown.freeze())
    }

    fn element(&mut self, data: &[u8], shown: &mut BytesMut) {
        shown.extend_from_slice(if self.array == Some(Array::Empty) { b"[" } else { b",\r\n" });
        shown.extend_from_slice(data);
        self.array = Some(Array::Open);
    }

    /// Closes the array, where there is one.
    fn close_array(&mut self) {
        let bracket: &[u8] = match self.array {
            Some(Array::Empty) => b"[]",
            Some(Array::Open) => b"]",
            Some(Array::Closed) | None => return,
        };
        self.array = Some(Array::Closed);
        self.show(Bytes::from_static(bracket));
    }

    /// Notes what an event says. Gives whether it is to be hidden.
    fn read(&mut self, event: &Bytes) -> bool {
        let Some(data) = sse::data(event) else {
            let bare = self.bare_error(event);
            let is_error = bare.is_some();
            self.bare = self.bare.take().or(bare);
            return is_error;
        };
        if self.learn.as_ref().is_some_and(|learn| learn.start(&data)) {
            self.learn = None;
        }
        self.meter.heard.wire_event(self.format, event);
        let event = self.watcher.event(&data);
        self.meter.finished |= event.finishes;
        if let Some(usage) = event.usage {
            self.meter.usage = Some(usage);
        }
        if event.error {
            self.failed = true;
            let words = openai_error::message(&data).unwrap_or_default();
            self.meter.provider_failed(&self.key.leak.redact_text(words));
        }
        if event.done {
            self.done = true;
            if !self.failed {
                self.meter.succeeded();
            }
        }
        event.only_usage && self.hide_usage
    }

    /// The error that `text` is, where it is no event. Some providers, Gemini among them, end a stream so
    /// (`docs/TRANSLATION.md` section 8.9); most clients read nothing but events, and would take what came before for
    /// the whole answer.
    fn bare_error(&mut self, text: &Bytes) -> Option<Box<ProviderError>> {
        let text = text.slice_ref(text.trim_ascii());
        if !text.starts_with(b"{") || !self.watcher.event(&text).error {
            return None;
        }
        let mut error = self.format.protocol().decode_error(StatusCode::BAD_GATEWAY.as_u16(), &text);
        error.message = self.key.leak.redact_text(error.message);
        Some(Box::new(error))
    }

    /// The provider's body has ended.
    fn end(&mut self) {
        self.upstream = None;
        self.end_events();
        self.close_array();
    }

    fn end_events(&mut self) {
        if self.done || self.cut_within_large() {
            return;
        }
        let mut rest = BytesMut::from(&*self.splitter.take_rest());
        if let Some(error) = self.bare_error(&rest.clone().freeze()) {
            return self.break_off(&GatewayError::Provider(error));
        }
        if !rest.is_empty() {
            // Some end without the last empty line. What is a whole event but for that is passed on.
            rest.extend_from_slice(b"\n\n");
            let rest = rest.freeze();
            let whole = sse::data(&rest).is_some_and(|data| {
                data.trim_ascii() == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(&data).is_ok()
            });
            if whole {
                let shown = self.pass(rest);
                self.show(shown);
            }
        }
        if self.done || self.failed {
            return;
        }
        match self.format.protocol().end_marker() {
            Some(marker) if self.meter.finished => {
                self.meter.succeeded();
                self.show(Bytes::from_static(marker));
            }
            _ => self.break_off(&GatewayError::Cut),
        }
    }

    /// Ends the stream with an error event and without `[DONE]`.
    fn break_off(&mut self, error: &GatewayError) {
        self.upstream = None;
        self.meter.broke(error);
        if !self.leave_large() {
            return;
        }
        if self.array.is_some() {
            let (_, document) = self.format.protocol().encode_error(&error.in_stream(), self.meter.request_id());
            let mut shown = BytesMut::from(&*self.ready);
            self.element(&document, &mut shown);
            self.ready = shown.freeze();
            self.close_array();
            return;
        }
        let event = error::event(error, self.format, self.meter.request_id());
        self.show(event);
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
                // Behind the end of the answer nothing is missing.
                Poll::Ready(Some(Err(_))) if !(this.done || this.failed || this.meter.has_all()) => {
                    this.break_off(&GatewayError::Cut);
                }
                Poll::Ready(Some(Err(_)) | None) => this.end(),
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
