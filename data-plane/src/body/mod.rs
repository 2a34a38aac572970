//! Reads bodies: within bounds of size and time, and with their encoding undone.
//!
//! - [`collect`]: a body is read whole.
//! - [`unpack`]: its `Content-Encoding` is undone.
//! - [`receive`]: the body of a client's request.

pub mod collect;
pub mod receive;
pub mod unpack;
