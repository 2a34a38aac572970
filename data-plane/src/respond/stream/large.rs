//! An event that is too large to be held, such as a picture: it goes to the client in pieces, as they come, and what
//! the gateway has to know of it is read from its outline when it is whole.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memchr2;
use serde::de::IgnoredAny;
use translation::protocol::sse::{self, LargeEvent, Progress};

use super::{Array, EventStream};
use crate::error::GatewayError;
use crate::provider::redact::Redactor;

/// How the line begins that the data of an event stands in.
const DATA: &[u8] = b"data:";

/// The empty line that ends an event.
const END: &[u8] = b"\n\n";

/// The event, as far as it has come.
pub(super) struct LargeInPieces {
    event: LargeEvent,
    redactor: Redactor,
    /// Where the client wants an array.
    line: Line,
}

/// How far the line of data has come that becomes an element of an array.
#[derive(PartialEq)]
enum Line {
    Before,
    Within,
    Behind,
}

impl EventStream {
    /// Lets the event that `beginning` is the beginning of pass in pieces. Gives whether it may.
    pub(super) fn begin_large(&mut self, beginning: &[u8]) -> bool {
        if self.array.is_some() && !beginning.starts_with(DATA) {
            return false;
        }
        let Some(event) = LargeEvent::new(beginning) else { return false };
        self.large = Some(Box::new(LargeInPieces { event, redactor: Redactor::default(), line: Line::Before }));
        if self.array.is_some() {
            let mut shown = BytesMut::new();
            self.element(b"", &mut shown);
            self.show(shown.freeze());
        }
        true
    }

    /// Passes on what of `portion` belongs to the event under way. Gives what is behind that; all of it where none is
    /// under way, and None where the stream has come no further than the event.
    pub(super) fn pass_large(&mut self, mut portion: Bytes) -> Option<Bytes> {
        let Some(large) = &mut self.large else { return Some(portion) };
        let behind = match large.event.push(&portion) {
            Progress::Goes => None,
            Progress::Ends(end) => Some(portion.split_off(end)),
            Progress::TooLarge => {
                self.break_off(&GatewayError::Unusable("one of its events is larger than 64 MiB"));
                return None;
            }
        };
        let piece = large.redactor.push(&self.key.leak, portion);
        self.show_piece(piece);
        if behind.is_some() {
            self.read_large(b"");
        }
        behind
    }

    /// The provider's body has ended, perhaps within a large event. Some end without the last empty line: what is a
    /// whole event but for that is one. Gives whether it is not, which is then said.
    pub(super) fn cut_within_large(&mut self) -> bool {
        let Some(large) = &self.large else { return false };
        let outline = Bytes::copy_from_slice(large.event.outline());
        let whole = sse::data(&outline).is_some_and(|data| serde_json::from_slice::<IgnoredAny>(&data).is_ok());
        if whole {
            self.read_large(END);
        } else {
            self.break_off(&GatewayError::Cut);
        }
        !whole
    }

    /// Leaves off in a large event, of which the client has got a part. Gives whether more can be said to it: not
    /// within an element of an array.
    pub(super) fn leave_large(&mut self) -> bool {
        if self.large.take().is_none() {
            return true;
        }
        self.show(Bytes::from_static(END));
        if self.array.is_some() {
            self.array = Some(Array::Closed);
        }
        self.array.is_none()
    }

    /// The large event is whole, but for `end`: shows the rest of it, and notes what it says.
    fn read_large(&mut self, end: &'static [u8]) {
        let Some(large) = &mut self.large else { return };
        let held = large.redactor.finish();
        self.show_piece(held);
        self.show_piece(Bytes::from_static(end));
        if let Some(large) = self.large.take() {
            self.read(&Bytes::copy_from_slice(large.event.outline()));
        }
    }

    fn show_piece(&mut self, piece: Bytes) {
        let piece = match &mut self.large {
            Some(large) if self.array.is_some() => large.line.of_element(piece),
            _ => piece,
        };
        self.show(piece);
    }
}

impl Line {
    /// What of `piece` is the data.
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
