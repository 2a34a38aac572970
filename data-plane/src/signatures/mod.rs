//! Keeps what models sign, for clients that lose it.
//!
//! In a tool loop Anthropic wants a turn back with its thinking blocks and Gemini its function calls with their thought
//! signatures, unchanged. Clients of other formats mostly drop what their format has no place for. So what was signed
//! is kept here under the id of the tool call that it came before, which every client sends back, and put in its place
//! again (`docs/TRANSLATION.md` section 10).
//!
//! It is kept in memory, by this node alone, for hours: what is not found costs the model its train of thought and not
//! the client its answer.
//!
//! - [`watch`]: finds in an answer what is signed.
//! - [`attach`]: puts it back into a request.

pub mod attach;
pub mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use shared::ids::Id;
use translation::format::Family;
use translation::ir::{Part, Signature};
use translation::protocol::Format;

use crate::shelf::{Shelf, Weigh, name};

pub use watch::Watch;

/// What models have signed.
#[derive(Debug, Default)]
pub struct Signatures {
    shelf: Mutex<Shelf<Arc<Signed>>>,
}

/// The signatures that the clients of one proxy key may see again.
#[derive(Clone, Debug)]
pub struct ClientSignatures {
    all: Arc<Signatures>,
    proxy_key: Id,
}

/// What was signed before a tool call, or with it. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// Who can read it.
    family: Family,
    /// The thoughts since the call before, or since the beginning of the answer.
    thoughts: Vec<Part>,
    /// The call's own signature.
    signature: Option<Signature>,
}

/// Whose signatures a provider of `format` can read. None: it takes none, or has a place of its own for them.
pub fn family_of(format: Format) -> Option<Family> {
    match format {
        Format::AnthropicMessages | Format::BedrockConverse => Some(Family::Anthropic),
        Format::GeminiGenerate => Some(Family::Gemini),
        Format::OpenAiChat | Format::OpenAiResponses => None,
    }
}

/// Who signed `part`.
fn signer(part: &Part) -> Option<Family> {
    let signature = match part {
        Part::Thinking { signature, .. } => signature.as_ref(),
        Part::RedactedThinking(signature) => Some(signature),
        Part::ToolCall(call) => call.signature.as_ref(),
        _ => None,
    };
    signature.map(|signature| signature.family)
}

impl Signatures {
    /// Those of a proxy key.
    pub fn of(self: &Arc<Self>, proxy_key: &Id) -> ClientSignatures {
        ClientSignatures { all: Arc::clone(self), proxy_key: Arc::clone(proxy_key) }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Arc<Signed>>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSignatures {
    fn keep(&self, call_id: &str, signed: Signed) {
        self.all.lock().put(name(&self.proxy_key, call_id), Arc::new(signed), Instant::now());
    }
}

impl Weigh for Arc<Signed> {
    fn bytes(&self) -> usize {
        let part = |part: &Part| match part {
            Part::Thinking { text, signature } => {
                text.len() + signature.as_ref().map_or(0, |signature| signature.data.len())
            }
            Part::RedactedThinking(signature) => signature.data.len(),
            _ => 0,
        };
        let own = self.signature.as_ref().map_or(0, |signature| signature.data.len());
        own + self.thoughts.iter().map(part).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
