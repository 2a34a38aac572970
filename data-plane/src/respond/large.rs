//! An answer in one piece that is too large to be held.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use translation::Format;
use translation::ir::Usage;

use super::counts;
use super::flow::{Next, Writer};
use super::legible::Legibility;
use crate::error::GatewayError;
use crate::provider::redact::Redactor;
use crate::route::table::RoutedKey;
use crate::usage::meter::Meter;

/// How much of the end of a large answer is kept to find its usage in, in bytes.
const TAIL: usize = 16 * 1024;

/// The error of an answer that is no text.
pub(super) const NO_TEXT: GatewayError = GatewayError::Unusable("it is not UTF-8");
/// As many bytes as show that an answer goes on. Some send a byte now and then, and never an end.
const LEAST_PORTION: usize = 64;

/// What kind of answer a large one is.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) format: Format,
    /// Whether it is an answer of `format`. Otherwise it is one of another endpoint of that API.
    pub(super) chat: bool,
}

impl Kind {
    /// The usage at the end of the answer.
    fn usage_in_tail(self, tail: &[u8]) -> Option<Usage> {
        if self.chat { self.format.protocol().usage_in_tail(tail) } else { counts::usage_in_tail(tail) }
    }
}

/// A large answer on its way. Its usage is read from its end. An answer without any is not estimated, because most of
/// it is no text.
pub(super) struct LargeAnswer {
    /// What has been read and not been written yet.
    start: VecDeque<Bytes>,
    /// To be written next, behind `start`.
    ready: Bytes,
    tail: BytesMut,
    /// The bytes that have come since the answer was last known to go on.
    unheard: usize,
    redactor: Redactor,
    legibility: Legibility,
    /// Why the connection is to be broken.
    failure: Option<GatewayError>,
    kind: Kind,
    key: Arc<RoutedKey>,
    meter: Meter,
}

impl LargeAnswer {
    /// An answer that begins with `start`, which is as `legibility` says.
    pub(super) fn new(
        start: Vec<Bytes>,
        legibility: Legibility,
        kind: Kind,
        key: Arc<RoutedKey>,
        meter: Meter,
    ) -> Self {
        let (ready, tail, redactor) = (Bytes::new(), BytesMut::new(), Redactor::default());
        Self { start: start.into(), ready, tail, unheard: 0, redactor, legibility, failure: None, kind, key, meter }
    }

    /// What of the answer goes to the client after `data`.
    fn pass(&mut self, data: Bytes) -> Bytes {
        let seen = &data[data.len().saturating_sub(TAIL)..];
        if self.tail.len() + seen.len() > 2 * TAIL {
            let old = self.tail.len().saturating_sub(TAIL);
            self.tail = BytesMut::from(&self.tail[old..]);
        }
        self.tail.extend_from_slice(seen);
        self.redactor.push(&self.key.leak, data)
    }
}

impl Writer for LargeAnswer {
    fn take(&mut self, portion: Bytes) -> Next {
        if self.kind.chat && !self.legibility.goes_on(&portion) {
            self.meter.broke(&NO_TEXT);
            self.failure = Some(NO_TEXT);
            return Next::Ends;
        }
        if self.unheard >= LEAST_PORTION {
            self.unheard = 0;
        }
        self.unheard += portion.len();
        self.ready = self.pass(portion);
        Next::Goes
    }

    fn has_lived(&self) -> bool {
        self.unheard >= LEAST_PORTION
    }

    fn end(&mut self) {
        self.meter.usage = self.kind.usage_in_tail(&self.tail);
        self.meter.succeeded();
        self.ready = self.redactor.finish();
    }

    /// The head has left, so a broken connection is the only way to say that the answer is not whole.
    fn break_off(&mut self, error: GatewayError) -> Result<(), GatewayError> {
        self.meter.broke(&error);
        Err(error)
    }

    fn written(&mut self) -> Bytes {
        while let Some(piece) = self.start.pop_front() {
            let shown = self.pass(piece);
            if !shown.is_empty() {
                return shown;
            }
        }
        std::mem::take(&mut self.ready)
    }

    fn is_over(&self) -> bool {
        false
    }

    fn has_all(&self) -> bool {
        false
    }

    fn count(&mut self, bytes: u64) {
        self.meter.response_bytes += bytes;
    }

    fn failure(&mut self) -> Option<GatewayError> {
        self.failure.take()
    }
}
