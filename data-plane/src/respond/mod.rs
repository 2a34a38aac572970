//! Writes a provider's answer on to the client.
//!
//! - [`headers`]: which headers of a provider go to the client.
//! - [`learn`]: takes note of the ids in an answer.
//! - `counts`: the usage in an answer that is no chat.
//! - [`unary`]: an answer in one piece.
//! - [`stream`]: an answer event by event.
//! - [`convert`]: an answer in another format than the client's.
//! - `idle`: how long an answer that has begun may pause.

pub mod convert;
mod counts;
pub mod headers;
mod idle;
pub mod learn;
pub mod stream;
pub mod unary;
