//! Thoughts, and signatures of whatever there is.

use std::io::Write as _;

use super::super::document::push;
use super::super::output::Thought;
use super::super::signature::{self, Signs};
use super::{Encoder, Open};
use crate::ir::Signature;

impl Encoder {
    pub(in super::super) fn thought(&mut self, delta: &str, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Thought(_)) {
            self.close(out);
            let (index, id) = self.next("rs");
            let thought = Thought { index, id, text: String::new() };
            let mut item = Vec::new();
            thought.write(&mut item, None);
            self.item_event(out, "response.output_item.added", index, &item);
            self.summary_event(out, "response.reasoning_summary_part.added", &thought, "part", |out| {
                Thought::summary(out, "");
            });
            self.open = Open::Thought(thought);
        }
        let Open::Thought(mut thought) = std::mem::take(&mut self.open) else { return };
        thought.text.push_str(delta);
        self.summary_event(out, "response.reasoning_summary_text.delta", &thought, "delta", |out| push(out, delta));
        self.open = Open::Thought(thought);
    }

    fn summary_event(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        thought: &Thought,
        field: &str,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        self.tell(out, name, |_, out| {
            let Thought { id, index, .. } = thought;
            let _ = write!(out, "\"item_id\":\"{id}\",\"output_index\":{index},\"summary_index\":0,\"{field}\":");
            value(out);
        });
    }

    pub(super) fn close_thought(&mut self, thought: &Thought, encrypted: Option<&str>, out: &mut Vec<u8>) {
        let text = &thought.text;
        self.summary_event(out, "response.reasoning_summary_text.done", thought, "text", |out| push(out, text));
        self.summary_event(out, "response.reasoning_summary_part.done", thought, "part", |out| {
            Thought::summary(out, text);
        });
        let mut item = Vec::new();
        thought.write(&mut item, encrypted);
        self.item_event(out, "response.output_item.done", thought.index, &item);
        self.items[thought.index] = item;
    }

    /// Ends the thought that is open.
    pub(in super::super) fn close_thoughts(&mut self, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Thought(_)) {
            self.close(out);
        }
    }

    /// Ends the open thought with a signature. Where none is open, a thought without words is signed.
    pub(in super::super) fn signed(&mut self, signature: &Signature, signs: Signs, out: &mut Vec<u8>) {
        // A whole answer can give OpenAI's own item back as it was. A stream has named the item already.
        let native = signature::native_parts(signature).filter(|(id, _)| self.whole && !id.is_empty());
        let encrypted = native.map_or_else(|| signature::wrap(signature, signs), |(_, content)| content.to_owned());
        if signs == Signs::Thought
            && let Open::Thought(_) = &self.open
            && let Open::Thought(mut thought) = std::mem::take(&mut self.open)
        {
            if let Some((id, _)) = native {
                id.clone_into(&mut thought.id);
            }
            return self.close_thought(&thought, Some(&encrypted), out);
        }
        self.close(out);
        let (index, mut id) = self.next("rs");
        if let Some((native, _)) = native {
            native.clone_into(&mut id);
        }
        let thought = Thought { index, id, text: String::new() };
        let (mut begun, mut item) = (Vec::new(), Vec::new());
        thought.write(&mut begun, None);
        thought.write(&mut item, Some(&encrypted));
        self.at_once(out, &begun, index, item);
    }
}
