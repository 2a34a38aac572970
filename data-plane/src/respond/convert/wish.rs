//! What a client is to get of an answer that is converted for it.

use bytes::Bytes;
use memchr::memmem;
use translation::Format;
use translation::object::Object;
use translation::protocol::contract::{AnswerContext, StreamEncoder};
use translation::protocol::gemini_generate;
use translation::protocol::openai_responses::resolve::resolve;

use crate::body::budget::Held;
use crate::conversations::ClientConversations;
use crate::error::GatewayError;
use crate::signatures::ClientSignatures;

/// What the client is to get.
#[derive(Debug)]
pub struct Wish {
    /// The format of the client.
    pub format: Format,
    /// Whether the client wants a stream.
    pub stream: bool,
    /// Whether the stream is to be a JSON array (Gemini without `alt=sse`).
    pub array: bool,
    /// What the client asked for.
    pub asked: AnswerContext,
    /// Keeps the signatures in the answer.
    pub signatures: ClientSignatures,
    /// Keeps the answer itself, where the client's API refers to earlier answers.
    pub conversation: Option<Conversation>,
}

/// A turn of a conversation that the client may refer to later.
#[derive(Debug)]
pub struct Conversation {
    /// Keeps the answers that the client may refer to.
    pub kept: ClientConversations,
    /// The request, as the client sent it.
    pub asked: Bytes,
}

impl Conversation {
    /// The request with everything that it refers to, if that is within `limit` bytes and has room in what is `held`.
    /// None where it refers to nothing that is kept here.
    ///
    /// # Errors
    /// [`GatewayError`]: the conversation is too large, or the node has no room for it.
    pub fn resolved(&self, limit: usize, held: Option<&Held>) -> Result<Option<Bytes>, GatewayError> {
        // What is no JSON object is refused by who reads it.
        let Ok(object) = Object::read(&self.asked) else { return Ok(None) };
        let Some(resolved) = resolve(&object, &self.kept) else { return Ok(None) };
        if resolved.bytes() > limit {
            return Err(GatewayError::ConversationTooLarge { limit });
        }
        if let Some(held) = held {
            held.grow(resolved.bytes() as u64)?;
        }
        Ok(Some(resolved.write().into()))
    }

    /// Keeps the answer, if its end is in `written`. Gives whether it was.
    pub(super) fn keep(&self, written: &[u8]) -> bool {
        // No text in an answer looks like these lines, because line ends within it are escaped.
        const ENDS: [&[u8]; 2] = [b"event: response.completed\n", b"event: response.incomplete\n"];
        let ended = written.starts_with(b"{") || ENDS.iter().any(|end| memmem::find(written, end).is_some());
        if ended {
            self.kept.keep(&self.asked, written);
        }
        ended
    }
}

impl Wish {
    pub(super) fn encoder(self) -> Box<dyn StreamEncoder> {
        if self.array {
            return gemini_generate::array_encoder(self.asked);
        }
        self.format.protocol().encoder(self.asked)
    }
}
