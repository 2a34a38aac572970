//! Reads bodies: within bounds of size and time, and with their encoding undone.
//!
//! - [`collect`]: a body is read whole.
//! - [`unpack`]: its `Content-Encoding` is undone.
//! - [`receive`]: the body of a client's request.
//! - [`budget`]: how many bytes of requests the node holds in all.
//! - [`growth`]: how much a body grows when it is read.

pub mod budget;
pub mod collect;
pub mod growth;
pub mod receive;
pub mod unpack;
