//! The one neutral form between wire formats.
//!
//! - [`request`]: a conversation and how the model is to go on.
//! - [`reasoning`]: how much a model is to think.
//! - [`part`]: what messages and answers are made of.
//! - [`pairing`]: calls of tools and their results, in order.
//! - [`media`]: media that a client gives in a URL.
//! - [`response`]: a whole answer.
//! - [`event`]: a piece of a streamed answer.
//! - [`collect`]: a stream as a whole answer, and the other way round.
//! - [`error`]: what went wrong, at a provider or here, and what of a request a target cannot say.

pub mod collect;
pub mod error;
pub mod event;
pub mod media;
pub mod pairing;
pub mod part;
pub mod reasoning;
pub mod request;
pub mod response;

pub use collect::Collector;
pub use error::{Dropped, ErrorCode, ErrorKind, ProviderError, TranslateError};
pub use event::{Event, Start};
pub use part::{
    CacheControl, CallKind, Citation, Media, MediaKind, MediaSource, Part, Signature, ToolCall, ToolResult,
};
pub use reasoning::{Effort, Reasoning, Summary, Thinking};
pub use request::{Field, Message, Output, Request, Role, Schema, ServiceTier, Tool, ToolChoice, ToolKind};
pub(crate) use response::NEGATIVE;
pub use response::{Choice, DECLINED, Finish, MOST_TOKENS, Response, Usage};
