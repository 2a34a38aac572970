//! Finds signed parts in an answer.

use translation::format::Family;
use translation::ir::{Event, Part, Response, Signature};

use super::{ClientSignatures, Signed};
use crate::shelf::LARGEST;

/// Watches an answer for signed parts. An answer that signs nothing costs one `match` for each event.
#[derive(Debug)]
pub struct Watch {
    signatures: ClientSignatures,
    family: Family,
    /// A thought that has begun and is not signed yet.
    thought: String,
    /// Signed thoughts since the last call.
    thoughts: Vec<Part>,
    /// The size of these thoughts, in bytes.
    bytes: usize,
    /// Whether the thoughts since the last call were larger than what may be kept.
    lost: bool,
}

impl ClientSignatures {
    /// Watches an answer of a provider of `family`.
    pub fn watch(&self, family: Family) -> Watch {
        let signatures = self.clone();
        Watch { signatures, family, thought: String::new(), thoughts: Vec::new(), bytes: 0, lost: false }
    }

    /// Keeps the signed parts of a whole answer of a provider of `family`.
    pub fn remember(&self, family: Family, response: &Response) {
        for choice in &response.choices {
            let mut watch = self.watch(family);
            for part in &choice.parts {
                match part {
                    Part::Thinking { text, signature: Some(signature) } => {
                        watch.thinking(text);
                        watch.signed(signature);
                    }
                    Part::RedactedThinking(signature) => watch.redacted(signature),
                    Part::ToolCall(call) => watch.call(&call.id, call.signature.as_ref()),
                    _ => {}
                }
            }
        }
    }
}

impl Watch {
    /// Takes the next event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Thinking(text) => self.thinking(text),
            Event::ThinkingSignature(signature) => self.signed(signature),
            Event::RedactedThinking(signature) => self.redacted(signature),
            Event::ToolStart { id, signature, .. } => self.call(id, signature.as_ref()),
            // A thought ends where another kind of content begins.
            Event::Text(_) | Event::Refusal(_) => self.thought.clear(),
            _ => {}
        }
    }

    fn thinking(&mut self, text: &str) {
        if self.thought.len() + text.len() <= LARGEST {
            self.thought.push_str(text);
        } else {
            self.lost = true;
        }
    }

    fn signed(&mut self, signature: &Signature) {
        let text = std::mem::take(&mut self.thought);
        self.keep(signature, Part::Thinking { text, signature: Some(signature.clone()) });
    }

    fn redacted(&mut self, signature: &Signature) {
        self.thought.clear();
        self.keep(signature, Part::RedactedThinking(signature.clone()));
    }

    fn keep(&mut self, signature: &Signature, part: Part) {
        if signature.family != self.family {
            return;
        }
        self.bytes += signature.data.len();
        if let Part::Thinking { text, .. } = &part {
            self.bytes += text.len();
        }
        if self.bytes <= LARGEST {
            self.thoughts.push(part);
        } else {
            self.lost = true;
        }
    }

    fn call(&mut self, id: &str, signature: Option<&Signature>) {
        self.thought.clear();
        self.bytes = 0;
        let mut thoughts = std::mem::take(&mut self.thoughts);
        if std::mem::take(&mut self.lost) {
            // Some of the thoughts without the others are worth nothing.
            thoughts.clear();
        }
        let signature = signature.filter(|signature| signature.family == self.family).cloned();
        if signature.is_some() || !thoughts.is_empty() {
            self.signatures.keep(id, Signed { family: self.family, thoughts, signature });
        }
    }
}
