//! An event that is too large to be held, such as a picture. It goes to the client in pieces as they come. What the
//! gateway has to know of it is read from its outline when the event is whole.

use bytes::{Buf as _, Bytes};
use memchr::memchr2;
use serde::de::IgnoredAny;
use translation::protocol::sse::{self, LargeEvent, Progress};

use crate::provider::redact::{Leak, Redactor};

/// How a line with the data of an event begins.
const DATA: &[u8] = b"data:";

/// The empty line that ends an event.
pub(super) const END: &[u8] = b"\n\n";

/// The event, as far as it has come.
pub(super) struct LargeInPieces {
    event: LargeEvent,
    redactor: Redactor,
    /// How far the line of data has come, where the client wants an array.
    line: Option<Line>,
}

/// How far the line of data has come, which becomes an element of an array.
#[derive(PartialEq)]
enum Line {
    Before,
    Within,
    Behind,
}

/// The part of a portion that belongs to a large event.
pub(super) enum Piece {
    /// The event goes on behind the portion. This is what goes to the client.
    Goes(Bytes),
    /// The event ends within the portion.
    Ends {
        /// What goes to the client.
        shown: Bytes,
        /// What comes behind the event.
        behind: Bytes,
    },
    /// The event is too large even to pass.
    TooLarge,
}

impl LargeInPieces {
    /// The event that starts with `beginning`, for a client that wants an `array` or events. None where the event may
    /// not pass in pieces.
    pub(super) fn new(beginning: &[u8], array: bool) -> Option<Self> {
        if array && !beginning.starts_with(DATA) {
            return None;
        }
        let event = LargeEvent::new(beginning)?;
        Some(Self { event, redactor: Redactor::default(), line: array.then_some(Line::Before) })
    }

    /// Takes a portion of the stream.
    pub(super) fn push(&mut self, leak: &Leak, mut portion: Bytes) -> Piece {
        let behind = match self.event.push(&portion) {
            Progress::Goes => None,
            Progress::Ends(end) => Some(portion.split_off(end)),
            Progress::TooLarge => return Piece::TooLarge,
        };
        let portion = self.redactor.push(leak, portion);
        let shown = self.shown(portion);
        match behind {
            Some(behind) => Piece::Ends { shown, behind },
            None => Piece::Goes(shown),
        }
    }

    /// Whether the event is whole but for the empty line at its end, which some providers leave out at the end of their
    /// body.
    pub(super) fn is_whole(&self) -> bool {
        sse::data(&self.outline()).is_some_and(|data| serde_json::from_slice::<IgnoredAny>(&data).is_ok())
    }

    /// The event without its long texts.
    pub(super) fn outline(&self) -> Bytes {
        Bytes::copy_from_slice(self.event.outline())
    }

    /// What was held back of the event, which is at its end.
    pub(super) fn rest(&mut self) -> Bytes {
        let held = self.redactor.finish();
        self.shown(held)
    }

    /// What the client gets of `piece`. In an array this is the data alone.
    pub(super) fn shown(&mut self, piece: Bytes) -> Bytes {
        match &mut self.line {
            Some(line) => line.of_element(piece),
            None => piece,
        }
    }
}

impl Line {
    /// The part of `piece` that is data.
    fn of_element(&mut self, mut piece: Bytes) -> Bytes {
        if *self == Self::Before && piece.starts_with(DATA) {
            piece.advance(DATA.len());
            *self = Self::Within;
        }
        if *self != Self::Within {
            return Bytes::new();
        }
        if let Some(end) = memchr2(b'\n', b'\r', &piece) {
            piece.truncate(end);
            *self = Self::Behind;
        }
        piece
    }
}
