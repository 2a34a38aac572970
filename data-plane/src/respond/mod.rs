//! Writes a provider's answer on to the client.
//!
//! - [`collect`]: a body read whole, within bounds.
//! - [`headers`]: which headers of a provider go to the client.
//! - [`unary`]: an answer in one piece.
//! - [`stream`]: an answer event by event.
//! - [`convert`]: an answer in another format than the client's.
//! - `idle`: how long an answer that has begun may pause.
//! - [`redact`]: takes an upstream key out of an answer that repeats it.

pub mod collect;
pub mod convert;
pub mod headers;
mod idle;
pub mod redact;
pub mod stream;
pub mod unary;
