//! Streams (API reference, "Streaming messages"; `docs/TRANSLATION.md` section 4).
//!
//! - [`decode`]: reads a provider's.
//! - [`encode`]: writes a client's.
//! - [`held`]: events that wait until a tool call has been told.
//! - [`wire`]: events as they come.

mod decode;
mod encode;
mod held;
mod wire;

pub(super) use decode::Decoder;
pub(super) use encode::{Encoder, PING};
