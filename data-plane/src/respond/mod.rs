//! Writes a provider's answer on to the client.
//!
//! - [`error`]: an error, written as an answer.
//! - [`own`]: answers that the gateway writes itself.
//! - [`headers`]: which headers of a provider go to the client.
//! - [`learn`]: takes note of the ids in an answer.
//! - `counts`: the usage in an answer that is no chat.
//! - [`unary`]: an answer in one piece.
//! - [`stream`]: an answer event by event.
//! - [`convert`]: an answer in another format than the client's.
//! - `idle`: how long an answer that has begun may pause.

pub mod convert;
mod counts;
pub mod error;
pub mod headers;
mod idle;
pub mod learn;
pub mod own;
pub mod stream;
pub mod unary;
