//! Writes an answer on event by event. Each event is written on as soon as it is whole, as the bytes that came. Nothing
//! is collected.

mod array;
mod deltas;
mod large;
mod writer;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde::de::IgnoredAny;
use translation::Format;
use translation::ir::ProviderError;
use translation::protocol::contract::{Life, StreamWatcher};
use translation::protocol::openai_error;
use translation::protocol::served;
use translation::protocol::sse::{self, EventSplitter, LARGEST_EVENT};

use super::error;
use super::flow::{Flow, Next};
use super::headers::{as_stream, forward};
use super::idle::{IdleTimer, KEEP_ALIVE};
use super::kind;
use super::learn::Learn;
use super::legible::{Legibility, legible};
use crate::answer::Answer;
use crate::body::collect::Patience;
use crate::error::GatewayError;
use crate::route::table::RoutedKey;
use crate::usage::meter::Meter;
use array::Array;
use deltas::Deltas;
use large::{END, LargeInPieces, Piece};

/// As many bytes of a large event as show that it goes on.
const LEAST_PIECE: usize = 64;

/// Writes `answer` on, which has begun. Each further event may take as long as the pause of `patience`. `learn` takes
/// note of the id in it. `usage` says what becomes of the event that reports usage and nothing else. `array` writes the
/// data of the events as a JSON array (Gemini without `alt=sse`).
pub fn respond(
    answer: Answer,
    learn: Option<Learn>,
    mut meter: Meter,
    patience: Patience,
    usage: UsageEvent,
    array: bool,
) -> Response {
    let Answer { head, opened, candidate, format, .. } = answer;
    meter.first_byte();
    meter.answering(head.status);
    let ending = Box::pin(meter.closing());
    let mut stream = PassedStream::new(format, Arc::clone(&candidate.key), meter);
    (stream.learn, stream.usage) = (learn, usage);
    stream.array = array.then_some(Array::Empty);
    let timer = IdleTimer::beating(patience.pause, KEEP_ALIVE).ending(patience.end);
    let flow = Flow::new(opened.into_body(), timer, Some(ending), stream);
    let mut response = Response::new(Body::new(flow));
    *response.status_mut() = head.status;
    forward(&head.headers, response.headers_mut(), &candidate.key, format);
    kind::set(response.headers_mut(), if array { "application/json" } else { format.facts().stream_type });
    as_stream(&mut response);
    response
}

/// The error of a stream in which a text cannot be read. Clients make nothing of it, or break.
const GARBLED: GatewayError = GatewayError::Unusable("one of its events is not UTF-8");

/// What becomes of the event of a stream that reports usage and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageEvent {
    /// It passes.
    Passes,
    /// It was asked for by the gateway alone, and is left out.
    Hidden,
    /// The client has asked for it, and gets one also where the provider has counted nothing.
    Owed,
}

/// A stream whose events pass as they are.
struct PassedStream {
    format: Format,
    watcher: Box<dyn StreamWatcher>,
    /// Takes secrets out of the text that comes in deltas.
    deltas: Deltas,
    splitter: EventSplitter,
    /// An event under way that is too large to be held.
    large: Option<Box<LargeInPieces>>,
    /// Whether the large event is UTF-8 as far as it has come.
    legibility: Legibility,
    /// To be written next.
    ready: Bytes,
    usage: UsageEvent,
    /// The data of the event before, where usage may be owed.
    last: Bytes,
    /// How far the array has come, where the client wants one.
    array: Option<Array>,
    /// Whether the end of the answer has come, as the format marks it.
    done: bool,
    /// Whether the provider has sent an error in place of the rest.
    failed: bool,
    /// An error of the provider that a client would not take for one: it is no event, or one that holds other things.
    error: Option<Box<ProviderError>>,
    /// Whether it is asked whether the answer goes on.
    asked: bool,
    /// Whether the portion before was a part of the answer.
    lived: bool,
    key: Arc<RoutedKey>,
    /// Takes note of the id of the answer. None once that has come.
    learn: Option<Learn>,
    meter: Meter,
}

impl PassedStream {
    /// A stream of `format` of the provider that `key` belongs to.
    fn new(format: Format, key: Arc<RoutedKey>, meter: Meter) -> Self {
        Self {
            format,
            watcher: format.protocol().watcher(),
            deltas: Deltas::new(format),
            splitter: EventSplitter::new(LARGEST_EVENT),
            large: None,
            legibility: Legibility::default(),
            ready: Bytes::new(),
            usage: UsageEvent::Passes,
            last: Bytes::new(),
            array: None,
            done: false,
            failed: false,
            error: None,
            asked: true,
            lived: false,
            key,
            learn: None,
            meter,
        }
    }

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
            if let Some(error) = self.error.take() {
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
        self.end_text();
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
        self.lived |= portion.len() >= LEAST_PIECE;
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
            // Nothing follows an error.
            let hidden = self.error.is_some() || self.read(&event);
            let mut changed = if hidden { Some(Bytes::new()) } else { self.deltas.push(&self.key.leak, &event) };
            if self.done
                && !hidden
                && let Some(owed) = self.owed_usage()
            {
                let before = changed.as_ref().and_then(|shown| shown.strip_suffix(&event[..])).unwrap_or_default();
                changed = Some([before, &owed[..], &event[..]].concat().into());
            }
            if changed.is_some() && shown.is_none() {
                shown = Some(BytesMut::from(&events[..seen]));
            }
            if let Some(shown) = &mut shown {
                shown.extend_from_slice(changed.as_ref().unwrap_or(&event));
            }
            seen += event.len();
        }
        self.key.leak.redact(shown.map_or(events, BytesMut::freeze))
    }

    /// What the client gets of whole events, as elements of an array.
    fn pass_as_array(&mut self, events: Bytes) -> Bytes {
        let mut shown = BytesMut::with_capacity(events.len());
        for event in sse::events(events) {
            if self.error.is_some() || self.read(&event) {
                continue;
            }
            let changed = self.deltas.push(&self.key.leak, &event);
            for event in sse::events(changed.unwrap_or(event)) {
                if let (Some(data), Some(array)) = (sse::data(&event), &mut self.array) {
                    array.element(&data, &mut shown);
                }
            }
        }
        self.key.leak.redact(shown.freeze())
    }

    /// Shows what was held back of a text, which goes on no more.
    fn end_text(&mut self) {
        let Some(rest) = self.deltas.finish() else { return };
        let mut shown = BytesMut::new();
        match (&mut self.array, sse::data(&rest)) {
            (Some(array), Some(data)) => array.element(&data, &mut shown),
            _ => shown.extend_from_slice(&rest),
        }
        self.show(shown.freeze());
    }

    /// The usage that the client has asked for, where the provider ends well without having told it.
    fn owed_usage(&mut self) -> Option<Bytes> {
        let owed = self.usage == UsageEvent::Owed && self.meter.usage.is_none() && !self.failed;
        self.usage = if owed { UsageEvent::Passes } else { self.usage };
        owed.then(|| self.format.protocol().usage_event(&self.last).into())
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
        let protocol = self.format.protocol();
        let Some(data) = sse::data(event) else {
            let bare = self.bare_error(event);
            let is_error = bare.is_some();
            self.error = self.error.take().or(bare);
            return is_error;
        };
        if self.asked && !self.lived {
            self.lived = protocol.life(&data) == Life::Says;
        }
        if self.learn.as_ref().is_some_and(|learn| learn.start(&data)) {
            self.learn = None;
        }
        self.meter.heard.wire_event(self.format, event);
        self.meter.one_more();
        let wire = event;
        let event = self.watcher.event(&data);
        self.meter.finished |= event.finishes;
        if let Some(usage) = event.usage {
            self.meter.usage = Some(usage);
            self.meter.served_by(served::service_tier(&data));
        }
        if event.error {
            self.failed = true;
            let words = openai_error::message(&data).unwrap_or_default();
            self.meter.provider_failed(&self.key.leak.redact_text(words));
            if self.array.is_none() && !protocol.tells_error(wire) {
                self.error = Some(Box::new(self.redacted(protocol.error_in(&data))));
            }
        }
        if self.usage == UsageEvent::Owed && !event.done {
            self.last = data;
        }
        if event.done {
            self.done = true;
            if !self.failed {
                self.meter.succeeded();
            }
        }
        event.only_usage && self.usage == UsageEvent::Hidden
    }

    /// The error in `text`, which is no event. Some providers, Gemini among them, end a stream with an error document
    /// (`docs/TRANSLATION.md` section 8.9). Most clients read nothing but events, and would take what came before for
    /// the whole answer.
    fn bare_error(&mut self, text: &Bytes) -> Option<Box<ProviderError>> {
        let text = text.slice_ref(text.trim_ascii());
        if !text.starts_with(b"{") || !self.watcher.event(&text).error {
            return None;
        }
        let error = self.format.protocol().decode_error(StatusCode::BAD_GATEWAY.as_u16(), &text);
        Some(Box::new(self.redacted(error)))
    }

    /// `error` without secrets, which the provider may have repeated.
    fn redacted(&self, mut error: ProviderError) -> ProviderError {
        self.key.leak.redact_error(&mut error);
        error
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
        if let Some(error) = self.error.take() {
            return Err(GatewayError::Provider(error));
        }
        self.end_text();
        if self.done || self.failed {
            return Ok(());
        }
        match self.format.protocol().end_marker() {
            Some(marker) if self.meter.finished => {
                self.meter.succeeded();
                if let Some(owed) = self.owed_usage() {
                    self.show(owed);
                }
                self.show(Bytes::from_static(marker));
                Ok(())
            }
            _ => Err(GatewayError::Cut),
        }
    }

    /// Ends the stream with an error event and without `[DONE]`.
    fn leave(&mut self, error: &GatewayError) {
        self.meter.broke(error);
        self.end_text();
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

#[cfg(test)]
pub(super) mod tests;
