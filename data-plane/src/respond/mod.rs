//! Writes a provider's answer on to the client.
//!
//! - [`unary`]: an answer in one piece, whose bytes pass; a `large` one is not held.
//! - [`stream`]: an answer event by event, whose bytes pass.
//! - [`convert`]: an answer in another format than the client's.
//! - `flow`: the skeleton of all that is written on as it comes; `idle`: how long an answer that has begun may pause.
//! - [`headers`]: which headers of a provider go to the client; `kind`: what an answer says that it is.
//! - `legible`: whether what passes is UTF-8.
//! - [`learn`]: takes note of the ids in an answer; `counts`: of the usage in one that is no chat.
//! - [`error`]: an error, written as an answer.
//! - [`replay`]: an answer that was given before.
//! - [`own`]: answers that the gateway writes itself; [`way`]: which way the request took.

pub mod convert;
mod counts;
pub mod error;
mod flow;
pub mod headers;
mod idle;
mod kind;
mod large;
pub mod learn;
mod legible;
pub mod limits;
pub mod own;
pub mod replay;
pub mod stream;
pub mod unary;
pub mod way;

#[cfg(test)]
mod tests;
