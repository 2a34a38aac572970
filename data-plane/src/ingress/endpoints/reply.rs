//! What a client of an endpoint beside chat gets.

use std::sync::Arc;

use bytes::Bytes;

use crate::answer::Answer;
use crate::cache::kept::KeptAnswer;
use crate::respond::learn::Learn;

/// What a client of an endpoint beside chat gets.
#[derive(Debug)]
pub(super) enum Reply {
    /// A provider's answer.
    Provider {
        /// The answer.
        answer: Box<Answer>,
        /// Takes note of the ids in the answer that further requests will name.
        learn: Option<Learn>,
        /// Whether a stream is read event by event. Otherwise its bytes pass as they come.
        events: bool,
        /// Whether the event that reports usage and nothing else is left out.
        hide_usage: bool,
    },
    /// A provider's vectors, which the client wants in base64.
    InBase64(Box<Answer>),
    /// JSON that the gateway has written.
    Own(Bytes),
    /// An answer from memory.
    Kept(Arc<KeptAnswer>),
}

impl Reply {
    /// A provider's answer of any kind, whose bytes pass.
    pub(super) fn bytes(answer: Answer, learn: Option<Learn>) -> Self {
        Self::Provider { answer: Box::new(answer), learn, events: false, hide_usage: false }
    }
}
