//! Writes an answer on event by event. Each event is written on as soon as it is whole, as the bytes that came. Nothing
//! is collected.

mod array;
mod large;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde::de::IgnoredAny;
use translation::Format;
use translation::ir::ProviderError;
use translation::protocol::contract::StreamWatcher;
use translation::protocol::openai_error;
use translation::protocol::sse::{self, EventSplitter, LARGEST_EVENT};

use super::error;
use super::flow::{Flow, Next, Writer};
use super::headers::{as_stream, forward};
use super::idle::IdleTimer;
use super::kind;
use super::learn::Learn;
use super::legible::{Legibility, legible};
use super::opening::first_portion;
use crate::answer::Answer;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::route::table::RoutedKey;
use crate::usage::meter::Meter;
use array::Array;
use large::{END, LargeInPieces, Piece};

/// Writes `answer` on. Waits for the first portion of it before anything leaves. Each further portion may take as long
/// as the pause of `patience`. `learn` takes note of the id in it. `hide_usage` leaves out the event that reports usage
/// and nothing else. `array` writes the data of the events as a JSON array (Gemini without `alt=sse`).
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
    let ending = Box::pin(meter.closing());
    let stream = PassedStream {
        format,
        watcher: format.protocol().watcher(),
        splitter: EventSplitter::new(LARGEST_EVENT),
        large: None,
        legibility: Legibility::default(),
        ready: Bytes::new(),
        hide_usage,
        array: array.then_some(Array::Empty),
        done: false,
        failed: false,
        bare: None,
        key: Arc::clone(&candidate.key),
        learn,
        meter,
    };
    let mut flow = Flow::new(body, IdleTimer::new(patience.pause), Some(ending), stream);
    flow.take(first);
    let mut response = Response::new(Body::new(flow));
    *response.status_mut() = head.status;
    forward(&head.headers, response.headers_mut(), &candidate.key, format);
    kind::set(response.headers_mut(), if array { "application/json" } else { format.facts().stream_type });
    as_stream(&mut response);
    Ok(response)
}

/// The error of a stream in which a text cannot be read. Clients make nothing of it, or break.
const GARBLED: GatewayError = GatewayError::Unusable("one of its events is not UTF-8");

/// A stream whose events pass as they are.
struct PassedStream {
    format: Format,
    watcher: Box<dyn StreamWatcher>,
    splitter: EventSplitter,
    /// An event under way that is too large to be held.
    large: Option<Box<LargeInPieces>>,
    /// Whether the large event is UTF-8 as far as it has come.
    legibility: Legibility,
    /// To be written next.
    ready: Bytes,
    hide_usage: bool,
    /// How far the array has come, where the client wants one.
    array: Option<Array>,
    /// Whether the end of the answer has come, as the format marks it.
    done: bool,
    /// Whether the provider has sent an error in place of the rest.
    failed: bool,
    /// An error document that stands between events and is not an event.
    bare: Option<Box<ProviderError>>,
    key: Arc<RoutedKey>,
    /// Takes note of the id of the answer. None once that has come.
    learn: Option<Learn>,
    meter: Meter,
}

impl PassedStream {
    /// Takes a portion of the provider's body.
    ///
    /// # Errors
    /// [`GatewayError`] that ends the stream.
    fn push(&mut self, mut portion: Bytes) -> Result<Next, GatewayError> {
        while let Some(behind) = self.pass_large(portion)? {
            let (events, large) = match self.splitter.push(behind) {
                Ok(events) => (events, None),
                Err(sse::TooLarge { before, rest }) => (before, Some(rest)),
            };
            let (events, garbled) = legible(events);
            let shown = self.pass(events);
            self.show(shown);
            if garbled {
                return Err(GARBLED);
            }
            if let Some(error) = self.bare.take() {
                return Err(GatewayError::Provider(error));
            }
            if self.done {
                return Ok(Next::Settles);
            }
            let Some(large) = large else { break };
            self.begin_large(&large)?;
            portion = large;
        }
        Ok(Next::Goes)
    }

    /// Lets the event that `beginning` is the beginning of pass in pieces.
    fn begin_large(&mut self, beginning: &[u8]) -> Result<(), GatewayError> {
        let large = LargeInPieces::new(beginning, self.array.is_some());
        self.legibility = Legibility::default();
        self.large = Some(Box::new(large.ok_or(GatewayError::Unusable(
            "one of its events is larger than 1 MiB, and not because of a long text or a picture",
        ))?));
        if let Some(array) = &mut self.array {
            let mut shown = BytesMut::new();
            array.element(b"", &mut shown);
            self.show(shown.freeze());
        }
        Ok(())
    }

    /// Passes on the part of `portion` that belongs to a large event under way, and gives the part behind it. Gives all
    /// of it where no such event is under way, and None where the event goes on behind it.
    fn pass_large(&mut self, portion: Bytes) -> Result<Option<Bytes>, GatewayError> {
        let Some(large) = &mut self.large else { return Ok(Some(portion)) };
        if !self.legibility.goes_on(&portion) {
            return Err(GARBLED);
        }
        match large.push(&self.key.leak, portion) {
            Piece::Goes(shown) => {
                self.show(shown);
                Ok(None)
            }
            Piece::Ends { shown, behind } => {
                self.show(shown);
                self.end_large(b"");
                Ok(Some(behind))
            }
            Piece::TooLarge => Err(GatewayError::Unusable("one of its events is larger than 64 MiB")),
        }
    }

    /// Ends the large event under way: shows the rest of it and then `end`, and notes what it says.
    fn end_large(&mut self, end: &'static [u8]) {
        let Some(mut large) = self.large.take() else { return };
        self.show(large.rest());
        self.show(large.shown(Bytes::from_static(end)));
        self.read(&large.outline());
    }

    /// Leaves a large event under way, of which the client has a part. Gives whether an error can be written behind it,
    /// which is impossible within an element of an array.
    fn leave_large(&mut self) -> bool {
        if self.large.take().is_none() {
            return true;
        }
        self.show(Bytes::from_static(END));
        if let Some(array) = &mut self.array {
            *array = Array::Closed;
        }
        self.array.is_none()
    }

    /// Writes `bytes` behind what is ready.
    fn show(&mut self, bytes: Bytes) {
        if self.ready.is_empty() {
            self.ready = bytes;
        } else if !bytes.is_empty() {
            self.ready = [&self.ready[..], &bytes[..]].concat().into();
        }
    }

    /// What the client gets of whole events, which is everything except for usage that it did not ask for.
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

    /// What the client gets of whole events, as elements of an array.
    fn pass_as_array(&mut self, events: Bytes) -> Bytes {
        let mut shown = BytesMut::with_capacity(events.len());
        for event in sse::events(events) {
            self.read(&event);
            if let (Some(data), Some(array)) = (sse::data(&event), &mut self.array) {
                array.element(&data, &mut shown);
            }
        }
        self.key.leak.redact(shown.freeze())
    }

    /// Closes the array, where there is one.
    fn close_array(&mut self) {
        if let Some(array) = &mut self.array {
            let bracket = Bytes::from_static(array.close());
            self.show(bracket);
        }
    }

    /// Notes what an event says. Gives whether the event is to be hidden from the client.
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

    /// The error in `text`, which is no event. Some providers, Gemini among them, end a stream with an error document
    /// (`docs/TRANSLATION.md` section 8.9). Most clients read nothing but events, and would take what came before for
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

    /// Passes on what is left when the provider's body has ended, and writes the end marker of the format where it is
    /// missing.
    ///
    /// # Errors
    /// [`GatewayError`] when the answer is not complete.
    fn end_events(&mut self) -> Result<(), GatewayError> {
        if self.done {
            return Ok(());
        }
        if let Some(large) = &self.large {
            if !large.is_whole() {
                return Err(GatewayError::Cut);
            }
            self.end_large(END);
        }
        let mut rest = BytesMut::from(&*self.splitter.take_rest());
        if let Some(error) = self.bare_error(&rest.clone().freeze()) {
            return Err(GatewayError::Provider(error));
        }
        if !rest.is_empty() {
            if std::str::from_utf8(&rest).is_err() {
                return Err(GARBLED);
            }
            // Some providers end without the last empty line. What is a whole event but for that is passed on.
            rest.extend_from_slice(b"\n\n");
            let rest = rest.freeze();
            let whole = sse::data(&rest).is_some_and(|data| {
                data.trim_ascii() == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(&data).is_ok()
            });
            if whole {
                let shown = self.pass(rest);
                self.show(shown);
            }
        }
        if self.done || self.failed {
            return Ok(());
        }
        match self.format.protocol().end_marker() {
            Some(marker) if self.meter.finished => {
                self.meter.succeeded();
                self.show(Bytes::from_static(marker));
                Ok(())
            }
            _ => Err(GatewayError::Cut),
        }
    }

    /// Ends the stream with an error event and without `[DONE]`.
    fn leave(&mut self, error: &GatewayError) {
        self.meter.broke(error);
        if !self.leave_large() {
            return;
        }
        if let Some(array) = &mut self.array {
            let (_, document) = self.format.protocol().encode_error(&error.in_stream(), self.meter.request_id());
            let mut shown = BytesMut::from(&*self.ready);
            array.element(&document, &mut shown);
            self.ready = shown.freeze();
            self.close_array();
            return;
        }
        let event = error::event(error, self.format, self.meter.request_id());
        self.show(event);
    }
}

impl Writer for PassedStream {
    fn take(&mut self, portion: Bytes) -> Next {
        self.push(portion).unwrap_or_else(|error| {
            self.leave(&error);
            Next::Ends
        })
    }

    fn end(&mut self) {
        if let Err(error) = self.end_events() {
            self.leave(&error);
        }
        self.close_array();
    }

    fn break_off(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        self.leave(&error);
        Ok(())
    }

    fn written(&mut self) -> Bytes {
        std::mem::take(&mut self.ready)
    }

    fn is_over(&self) -> bool {
        self.done
    }

    fn has_all(&self) -> bool {
        self.done || self.failed || self.meter.has_all()
    }

    fn count(&mut self, bytes: u64) {
        self.meter.response_bytes += bytes;
    }
}
