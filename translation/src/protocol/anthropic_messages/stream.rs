//! Streams (API reference, "Streaming messages"; translation specification, 4).
//!
//! - [`decode`]: reads a provider's.
//! - [`encode`]: writes a client's.
//! - [`wire`]: events as they come.

mod decode;
mod encode;
mod wire;

pub(super) use decode::Decoder;
pub(super) use encode::Encoder;
