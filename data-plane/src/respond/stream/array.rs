//! A stream that is written as a JSON array: Gemini's without `alt=sse`.

use bytes::BytesMut;

/// How far the array has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Array {
    /// Nothing is written.
    Empty,
    /// An element is written.
    Open,
    /// The bracket is closed.
    Closed,
}

impl Array {
    /// Writes `data` as the next element, behind `shown`.
    pub(super) fn element(&mut self, data: &[u8], shown: &mut BytesMut) {
        shown.extend_from_slice(if *self == Self::Empty { b"[" } else { b",\r\n" });
        shown.extend_from_slice(data);
        *self = Self::Open;
    }

    /// Closes the array. Gives what is to be written for that.
    pub(super) fn close(&mut self) -> &'static [u8] {
        let bracket: &[u8] = match self {
            Self::Empty => b"[]",
            Self::Open => b"]",
            Self::Closed => b"",
        };
        *self = Self::Closed;
        bracket
    }
}
