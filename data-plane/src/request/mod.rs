//! What a client asks for, and what of it goes to each provider.
//!
//! - [`chat`]: a request to one of the chat APIs: passed on byte by byte where the provider speaks the client's format, translated where it does not.
//! - [`outgoing`]: a request, written for one candidate.

pub mod chat;
pub mod outgoing;

pub use chat::{ChatRequest, Spoken};
pub use outgoing::{Conversion, Outbound, Outgoing, Preparation};
