//! What a client asks for, and how it is written for each provider.
//!
//! - [`chat`]: a request to one of the chat APIs: passed on byte by byte where the provider speaks the client's format,
//!   translated where it does not.
//! - [`json`]: a JSON request to another endpoint that names a model: only the name is changed.
//! - [`embeddings`]: a request for embeddings, translated between OpenAI's and Gemini's.
//! - [`upload`]: a multipart request, which passes without being held.
//! - [`object`]: a request about an object that a provider keeps: a file, a batch, a response.
//! - [`own`]: what the gateway asks for itself; `written`: how a chat request is written, whoever asks.
//! - [`outgoing`]: a request, written for one candidate; [`passing`]: a body that passes without being held.
//! - [`model`]: the name of a model in a request; [`decisive`]: fields that limits, prices and policies depend on.

pub mod chat;
pub mod decisive;
pub mod embeddings;
pub mod json;
pub mod model;
pub mod object;
pub mod outgoing;
pub mod own;
pub mod passing;
pub mod upload;
mod written;

pub use chat::{ChatRequest, Spoken};
pub use outgoing::{Added, Begins, Content, Conversion, Outbound, Outgoing, Preparation, Proof};
pub use passing::Passing;
