//! Keeps what models sign, for clients that lose it.
//!
//! In a tool loop Anthropic wants a turn back with its thinking blocks and Gemini its function calls with their thought signatures, unchanged. Clients of other
//! formats mostly drop what their format has no place for. So what was signed is kept here under the id of the tool call that it came before, which every
//! client sends back, and put in its place again (translation specification, 10).
//!
//! It is kept in memory, by this node alone, for hours: what is not found costs the model its train of thought and not the client its answer.
//!
//! - [`watch`]: finds in an answer what is signed.
//! - [`attach`]: puts it back into a request.

pub mod attach;
pub mod watch;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::crypto::{KEY_LEN, sha256};
use shared::ids::Id;
use translation::ir::{Family, Part, Signature};
use translation::protocol::Format;

pub use watch::Watch;

/// For how long it is kept: longer than a person leaves a tool loop open.
const KEPT_FOR: Duration = Duration::from_hours(6);

/// All that is kept, in bytes; above it the oldest goes.
const MOST: usize = 64 * 1024 * 1024;

/// What one call may keep, in bytes.
const LARGEST: usize = 1024 * 1024;

/// What an entry takes beside its texts, about.
const OVERHEAD: usize = 256;

/// Names a call of a client's: a digest, so that ids of any length cost the same.
type Name = [u8; KEY_LEN];

/// What models have signed.
#[derive(Debug, Default)]
pub struct Signatures {
    shelf: Mutex<Shelf>,
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

#[derive(Debug, Default)]
struct Shelf {
    kept: HashMap<Name, Kept>,
    /// In the order in which they came, which is that in which they expire. One that was replaced since has another number by now.
    order: VecDeque<(Name, u64)>,
    bytes: usize,
    next: u64,
}

#[derive(Debug)]
struct Kept {
    signed: Arc<Signed>,
    until: Instant,
    number: u64,
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

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSignatures {
    fn name(&self, call_id: &str) -> Name {
        // No id of a proxy key holds a zero.
        sha256(&[self.proxy_key.as_bytes(), b"\0", call_id.as_bytes()].concat())
    }

    fn keep(&self, call_id: &str, signed: Signed) {
        self.all.lock().put(self.name(call_id), signed, Instant::now());
    }
}

impl Signed {
    fn bytes(&self) -> usize {
        let part = |part: &Part| match part {
            Part::Thinking { text, signature } => {
                text.len() + signature.as_ref().map_or(0, |signature| signature.data.len())
            }
            Part::RedactedThinking(signature) => signature.data.len(),
            _ => 0,
        };
        let own = self.signature.as_ref().map_or(0, |signature| signature.data.len());
        OVERHEAD + own + self.thoughts.iter().map(part).sum::<usize>()
    }
}

impl Shelf {
    fn put(&mut self, name: Name, signed: Signed, now: Instant) {
        self.expire(now);
        let bytes = signed.bytes();
        if bytes > LARGEST {
            return;
        }
        self.next += 1;
        let kept = Kept { signed: Arc::new(signed), until: now + KEPT_FOR, number: self.next };
        self.bytes += bytes;
        self.order.push_back((name, self.next));
        if let Some(replaced) = self.kept.insert(name, kept) {
            self.bytes -= replaced.signed.bytes();
            // An id that comes again and again, as some vendors number their calls, leaves no more behind than there is.
            if self.order.len() > 2 * self.kept.len() + 16 {
                self.order.retain(|(name, number)| self.kept.get(name).is_some_and(|kept| kept.number == *number));
            }
        }
        while self.bytes > MOST && self.forget_oldest() {}
    }

    fn get(&mut self, name: &Name, now: Instant) -> Option<Arc<Signed>> {
        self.expire(now);
        self.kept.get(name).map(|kept| Arc::clone(&kept.signed))
    }

    fn expire(&mut self, now: Instant) {
        while let Some((name, number)) = self.order.front() {
            let lives = self.kept.get(name).is_some_and(|kept| kept.number == *number && kept.until > now);
            if lives {
                break;
            }
            self.forget_oldest();
        }
    }

    /// False where there is none.
    fn forget_oldest(&mut self) -> bool {
        let Some((name, number)) = self.order.pop_front() else { return false };
        if self.kept.get(&name).is_some_and(|kept| kept.number == number)
            && let Some(kept) = self.kept.remove(&name)
        {
            self.bytes -= kept.signed.bytes();
        }
        true
    }
}

#[cfg(test)]
mod tests;
