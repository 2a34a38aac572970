//! Streams, both ways.
//!
//! - [`decoder`]: a provider's stream; [`calls`]: the tool calls in it.
//! - [`encoder`]: a client's stream.
//! - [`watcher`]: what metering reads of a stream that passes through.

mod calls;
pub(super) mod decoder;
pub(super) mod encoder;
pub(super) mod watcher;

#[cfg(test)]
mod tests;
