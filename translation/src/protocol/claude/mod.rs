//! What Anthropic's own API and Amazon Bedrock share where they write a request for Claude.
//!
//! - `conversation`: writes the messages as turns of content blocks, for either type of block; `turns`: those turns.
//! - `limits`: the length of the answer, sampling, stop texts, and what neither API has.
//! - `thinking`: how much to think.
//! - `tools`: tools, and what is said of their use; `schema`: JSON schemas; `room`: how many of them a request may
//!   hold.

pub(super) mod conversation;
pub(super) mod limits;
mod room;
pub(super) mod schema;
pub(super) mod thinking;
pub(super) mod tools;
pub(super) mod turns;

pub(super) use room::Room;
