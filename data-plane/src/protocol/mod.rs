//! Wire formats: pure, no I/O.
//!
//! - [`sse`]: server-sent events, whatever they carry.
//! - [`openai_chat`]: OpenAI's chat completions.

pub mod openai_chat;
pub use translation::protocol::sse;
