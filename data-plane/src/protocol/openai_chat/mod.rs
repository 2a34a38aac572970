//! OpenAI's chat completions (API reference, "Chat").
//!
//! - [`request`]: the fields of a request that routing reads, and edits to them that leave every other byte as it is.
//! - [`answer`]: what an answer says of itself: usage, errors, its end.

pub mod answer;
pub mod request;
