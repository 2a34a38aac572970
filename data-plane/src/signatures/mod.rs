//! Keeps what models sign, for clients that lose the signatures.
//!
//! In a tool loop, Anthropic wants the thinking blocks of a turn back, and Gemini the thought signatures of its
//! function calls, unchanged. Clients of other formats mostly drop what their format has no place for. So signed parts
//! are kept here under the id of the tool call that follows them, which every client sends back, and put in their place
//! again (`docs/TRANSLATION.md` section 10).
//!
//! They are kept in memory, by this node alone, for hours. Without them the model loses its train of thought, but the
//! client still gets an answer.
//!
//! - [`watch`]: finds signed parts in an answer.
//! - [`attach`]: puts them back into a request.

pub mod attach;
pub mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use shared::ids::Id;
use translation::format::Family;
use translation::ir::{Part, Signature};

use crate::shelf::{Shelf, Weigh, name};

pub use watch::Watch;

/// The signed parts of the answers to all proxy keys.
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

/// The signed parts that belong to a tool call. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// Whose models can read the signatures.
    family: Family,
    /// The thoughts between the previous call, or the beginning of the answer, and this call.
    thoughts: Vec<Part>,
    /// The signature of the call itself.
    signature: Option<Signature>,
}

/// Whose model signed `part`.
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
    /// The signatures of a proxy key.
    pub fn of(self: &Arc<Self>, proxy_key: &Id) -> ClientSignatures {
        ClientSignatures { all: Arc::clone(self), proxy_key: Arc::clone(proxy_key) }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Arc<Signed>>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSignatures {
    fn keep(&self, call_id: &str, signed: Signed) {
        self.all.lock().put(&self.proxy_key, name(&self.proxy_key, call_id), Arc::new(signed), Instant::now());
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
