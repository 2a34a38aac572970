//! Streams (Bedrock API Reference, "ConverseStream"; AWS event stream encoding).
//!
//! - [`frames`]: finds the frames in the bytes.
//! - [`events`]: what the frames say.

mod events;
mod frames;

pub(super) use events::Decoder;
#[cfg(test)]
pub(super) use frames::LARGEST_FRAME;
