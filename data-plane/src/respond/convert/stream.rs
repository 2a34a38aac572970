//! A stream on its way from one format into another.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use translation::back::Undo;
use translation::ir::{Event, ProviderError};
use translation::protocol::contract::{StreamDecoder, StreamEncoder};

use super::note::note;
use super::spoken::SpokenTexts;
use super::wish::Conversation;
use crate::error::GatewayError;
use crate::respond::flow::{Next, Writer};
use crate::route::table::RoutedKey;
use crate::signatures::Watch;
use crate::usage::meter::Meter;

/// A stream on its way from one format into another.
pub(super) struct ConvertedStream {
    converter: Converter,
    /// Empty between two portions. It is kept for its capacity.
    events: Vec<Event>,
    /// To be written next.
    ready: Vec<u8>,
    /// Whether the client has all that it gets.
    ended: bool,
    /// Whether the portion before was a part of the answer.
    lived: bool,
    /// Takes secrets out of texts.
    texts: SpokenTexts,
    key: Arc<RoutedKey>,
    meter: Meter,
}

/// The steps that the events go through, in their order.
pub(super) struct Converter {
    pub(super) decoder: Box<dyn StreamDecoder>,
    pub(super) undo: Option<Undo>,
    /// Watches for signatures, where the provider signs what it says.
    pub(super) watch: Option<Watch>,
    /// Keeps the answer, where the client may refer to it later.
    pub(super) conversation: Option<Conversation>,
    pub(super) encoder: Box<dyn StreamEncoder>,
}

impl ConvertedStream {
    /// A stream of the provider that `key` belongs to.
    pub(super) fn new(converter: Converter, key: Arc<RoutedKey>, meter: Meter) -> Self {
        Self {
            converter,
            events: Vec::new(),
            ready: Vec::new(),
            ended: false,
            lived: false,
            texts: SpokenTexts::default(),
            key,
            meter,
        }
    }

    /// Notes that the client gets a head with `status`.
    pub(super) fn answering(&mut self, status: StatusCode) {
        self.meter.first_byte();
        self.meter.answering(status);
    }

    /// Writes what has come. If the end of the answer is in it, that is written, too.
    fn advance(&mut self) -> Next {
        self.write();
        if !self.ended && self.converter.decoder.done() {
            // The provider may keep the connection open, but nothing more comes on it.
            self.complete();
        }
        if self.ended { Next::Settles } else { Next::Goes }
    }

    /// Writes the events that have come.
    fn write(&mut self) {
        if let Some(undo) = &mut self.converter.undo {
            undo.events(&mut self.events);
        }
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            if self.ended {
                break;
            }
            let (before, event) = self.texts.push(&self.key.leak, event);
            if let Some(before) = before {
                self.converter.encoder.event(&before, &mut self.ready);
            }
            let Some(event) = event else { continue };
            if let Event::Error(error) = &event {
                self.ended = true;
                let error = self.redacted(error);
                self.meter.provider_failed(&error.message);
                self.converter.encoder.event(&Event::Error(error), &mut self.ready);
                continue;
            }
            note(&mut self.meter, &event);
            if let Some(watch) = &mut self.converter.watch {
                watch.event(&event);
            }
            self.converter.encoder.event(&event, &mut self.ready);
        }
        self.events = events;
    }

    /// `error` without the upstream key, if the provider has repeated it.
    fn redacted(&self, error: &ProviderError) -> ProviderError {
        let mut error = error.clone();
        self.key.leak.redact_error(&mut error);
        error
    }

    /// Writes the end of the answer.
    fn complete(&mut self) {
        self.converter.decoder.end(&mut self.events);
        self.write();
        if !self.ended {
            self.ended = true;
            self.converter.encoder.end(&mut self.ready);
            self.meter.succeeded();
        }
    }
}

impl Writer for ConvertedStream {
    fn take(&mut self, portion: Bytes) -> Next {
        self.converter.decoder.push(portion, &mut self.events);
        let says = self.events.iter().any(|event| !matches!(event, Event::Start(_) | Event::Usage(_)));
        self.lived = self.converter.decoder.stirred() || says;
        self.advance()
    }

    fn has_lived(&self) -> bool {
        self.lived
    }

    fn end(&mut self) {
        if !self.ended {
            self.complete();
        }
    }

    /// Ends the stream with an error in the client's format.
    fn break_off(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        if !self.ended {
            self.ended = true;
            let (before, _) = self.texts.push(&self.key.leak, Event::Error(error.in_stream()));
            if let Some(before) = before {
                self.converter.encoder.event(&before, &mut self.ready);
            }
            self.converter.encoder.event(&Event::Error(error.in_stream()), &mut self.ready);
            self.meter.broke(&error);
        }
        Ok(())
    }

    fn written(&mut self) -> Bytes {
        if self.ready.is_empty() {
            return Bytes::new();
        }
        let written = self.key.leak.redact(std::mem::take(&mut self.ready).into());
        if self.converter.conversation.as_ref().is_some_and(|conversation| conversation.keep(&written)) {
            self.converter.conversation = None;
        }
        written
    }

    fn keep_alive(&mut self) {
        if self.ended {
            return;
        }
        self.ready.extend_from_slice(self.converter.encoder.keep_alive());
    }

    fn is_over(&self) -> bool {
        self.ended
    }

    fn has_all(&self) -> bool {
        self.ended || self.meter.has_all()
    }

    fn count(&mut self, bytes: u64) {
        self.meter.response_bytes += bytes;
    }
}
