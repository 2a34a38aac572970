//! A stream on its way from one format into another.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use hyper::body::Incoming;
use translation::back::Undo;
use translation::ir::{Event, ProviderError};
use translation::protocol::{StreamDecoder, StreamEncoder};

use super::{Conversation, failed, note, redacted};
use crate::error::GatewayError;
use crate::respond::idle::{IdleTimer, Silence};
use crate::respond::stream::END_GRACE;
use crate::route::table::RoutedKey;
use crate::signatures::Watch;
use crate::usage::meter::Meter;

/// A client that hears nothing for so long gets what keeps its connection, and those of proxies on the way, alive: the
/// provider's own pings do not pass.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A stream on its way from one format into another. Dropping it ends the request at the provider, and settles the
/// meter.
pub(super) struct ConvertedStream {
    upstream: Option<Incoming>,
    converter: Converter,
    /// Kept for its room.
    events: Vec<Event>,
    /// To be written next.
    ready: Vec<u8>,
    timer: IdleTimer,
    /// The gateway ends.
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The client has all that it gets.
    ended: bool,
    key: Arc<RoutedKey>,
    meter: Meter,
}

/// What the events go through.
pub(super) struct Converter {
    pub(super) decoder: Box<dyn StreamDecoder>,
    pub(super) undo: Option<Undo>,
    /// Where the provider signs what it says.
    pub(super) watch: Option<Watch>,
    /// Where the client may refer to the answer later.
    pub(super) conversation: Option<Conversation>,
    pub(super) encoder: Box<dyn StreamEncoder>,
}

impl ConvertedStream {
    /// The stream of `body`, which may pause for so long.
    pub(super) fn new(
        body: Incoming,
        converter: Converter,
        pause: Duration,
        key: Arc<RoutedKey>,
        meter: Meter,
    ) -> Self {
        Self {
            upstream: Some(body),
            converter,
            events: Vec::new(),
            ready: Vec::new(),
            timer: IdleTimer::beating(pause, KEEP_ALIVE),
            closing: Box::pin(meter.closing()),
            ended: false,
            key,
            meter,
        }
    }

    /// The meter, where the stream is not to be.
    pub(super) fn into_meter(self) -> Meter {
        self.meter
    }

    /// The client gets a head with `status`.
    pub(super) fn answering(&mut self, status: StatusCode) {
        self.meter.first_byte();
        self.meter.answering(status);
    }

    /// Takes the first portion. An error before all else is the answer itself, with a status of its own.
    pub(super) fn begin(&mut self, first: Bytes) -> Option<GatewayError> {
        self.converter.decoder.push(first, &mut self.events);
        let said = self.events.iter().find(|event| !matches!(event, Event::Start(_) | Event::Usage(_)));
        if let Some(Event::Error(error)) = said {
            return Some(redacted(&self.key, failed(error.clone())));
        }
        self.advance();
        None
    }

    /// Takes a portion of the provider's body.
    fn take(&mut self, portion: Bytes) {
        self.timer.touch();
        self.converter.decoder.push(portion, &mut self.events);
        self.advance();
    }

    /// Writes what has come, to the end of the answer if that is in it.
    fn advance(&mut self) {
        self.write();
        if !self.ended && self.converter.decoder.done() {
            // The provider may keep the connection open; nothing more comes on it.
            self.complete();
        }
    }

    /// Writes the events that have come.
    fn write(&mut self) {
        if let Some(undo) = &mut self.converter.undo {
            undo.events(&mut self.events);
        }
        for event in self.events.drain(..) {
            if self.ended {
                break;
            }
            if let Event::Error(error) = &event {
                self.ended = true;
                self.timer.shorten(END_GRACE);
                let message = self.key.leak.redact_text(error.message.clone());
                self.meter.provider_failed(&message);
                let error = ProviderError { message, ..error.clone() };
                self.converter.encoder.event(&Event::Error(error), &mut self.ready);
                continue;
            }
            note(&mut self.meter, &event);
            if let Some(watch) = &mut self.converter.watch {
                watch.event(&event);
            }
            self.converter.encoder.event(&event, &mut self.ready);
        }
    }

    /// All that the client gets is written; the provider has a moment to end its body, so that the connection can be
    /// used again.
    fn settle(&mut self) {
        self.ended = true;
        self.timer.shorten(END_GRACE);
    }

    /// The provider's stream has ended.
    fn finish(&mut self) {
        self.upstream = None;
        if !self.ended {
            self.complete();
        }
    }

    /// Writes the end of the answer.
    fn complete(&mut self) {
        self.converter.decoder.end(&mut self.events);
        self.write();
        if !self.ended {
            self.settle();
            self.converter.encoder.end(&mut self.ready);
            self.meter.succeeded();
        }
    }

    /// Ends the stream with an error.
    fn break_off(&mut self, error: &GatewayError) {
        self.upstream = None;
        if !self.ended {
            self.ended = true;
            self.converter.encoder.event(&Event::Error(error.in_stream()), &mut self.ready);
            self.meter.broke(error);
        }
    }
}

impl http_body::Body for ConvertedStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if !this.ready.is_empty() {
                let ready = this.key.leak.redact(std::mem::take(&mut this.ready).into());
                if this.converter.conversation.as_ref().is_some_and(|conversation| conversation.keep(&ready)) {
                    this.converter.conversation = None;
                }
                this.meter.response_bytes += ready.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(ready))));
            }
            let Some(upstream) = &mut this.upstream else { return Poll::Ready(None) };
            match Pin::new(upstream).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data()
                        && !this.ended
                    {
                        this.take(data);
                    }
                }
                // Behind the end of the answer nothing is missing.
                Poll::Ready(Some(Err(_))) if !this.meter.has_all() => this.break_off(&GatewayError::Cut),
                Poll::Ready(Some(Err(_)) | None) => this.finish(),
                Poll::Pending => {
                    if this.closing.as_mut().poll(context).is_ready() {
                        this.break_off(&GatewayError::Draining);
                        continue;
                    }
                    match ready!(this.timer.poll_silence(context)) {
                        Silence::Beat => this.ready.extend_from_slice(this.converter.encoder.keep_alive()),
                        Silence::Over => this.break_off(&GatewayError::Timeout),
                    }
                }
            }
        }
    }
}
