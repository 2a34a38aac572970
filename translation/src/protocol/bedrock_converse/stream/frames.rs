//! Frames of an AWS event stream, found in bytes that arrive in any portions (Amazon Transcribe Developer Guide, "Event
//! stream encoding": a prelude of total length, length of the headers and a checksum of both; headers; payload; a
//! checksum of all).

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_types::event_stream::Message;
use bytes::{Buf as _, Bytes, BytesMut};

use crate::protocol::sse::LARGEST_EVENT;

/// The largest frame that is held until it is whole, in bytes.
pub(in super::super) const LARGEST_FRAME: usize = LARGEST_EVENT;

/// The size of a frame without headers and payload: the prelude and the checksum at the end, in bytes.
const SMALLEST_FRAME: usize = 16;

/// Cuts bytes into frames, in time linear to their length.
#[derive(Debug, Default)]
pub(super) struct Frames {
    held: BytesMut,
}

/// The bytes are no frames, or a frame is larger than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Frames {
    /// Takes the next portion.
    pub(super) fn push(&mut self, portion: &Bytes) {
        self.held.extend_from_slice(portion);
    }

    /// The next frame that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Message>, Broken> {
        let Some(mut prelude) = self.held.get(..4) else { return Ok(None) };
        let length = usize::try_from(prelude.get_u32()).map_err(|_| Broken)?;
        if !(SMALLEST_FRAME..=LARGEST_FRAME).contains(&length) {
            return Err(Broken);
        }
        if self.held.len() < length {
            return Ok(None);
        }
        let frame = self.held.split_to(length).freeze();
        read_message_from(frame).map(Some).map_err(|_| Broken)
    }

    /// Whether a frame has begun and not ended.
    pub(super) fn is_within(&self) -> bool {
        !self.held.is_empty()
    }
}
