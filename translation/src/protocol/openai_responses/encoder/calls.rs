//! Calls of tools. They may interleave.

use std::io::Write as _;

use super::super::document::push;
use super::super::output::Call;
use super::super::signature::Signs;
use super::Encoder;
use crate::ir::{CallKind, Signature};

impl Encoder {
    pub(in super::super) fn call(
        &mut self,
        (call_id, name, kind): (String, String, CallKind),
        signature: Option<&Signature>,
        out: &mut Vec<u8>,
    ) -> usize {
        if let Some(signature) = signature {
            self.signed(signature, Signs::Call, out);
        }
        self.close(out);
        let (index, id) = self.next(if kind == CallKind::Function { "fc" } else { "ctc" });
        let call = Call { index, id, known_as: call_id, name, kind, arguments: String::new(), ended: false };
        let mut item = Vec::new();
        call.write(&mut item, "in_progress", "");
        self.item_event(out, "response.output_item.added", index, &item);
        self.calls.push(call);
        self.calls.len() - 1
    }

    pub(in super::super) fn arguments(&mut self, number: usize, text: &str, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(number) else { return };
        call.arguments.push_str(text);
        self.call_event(out, number, "delta", "delta", text);
    }

    fn call_event(&mut self, out: &mut Vec<u8>, number: usize, event: &str, field: &str, value: &str) {
        let name = format!("{}.{event}", self.calls[number].events());
        self.tell(out, &name, |encoder, out| {
            let Call { id, index, .. } = &encoder.calls[number];
            let _ = write!(out, "\"item_id\":\"{id}\",\"output_index\":{index},\"{field}\":");
            push(out, value);
        });
    }

    pub(in super::super) fn call_ended(&mut self, number: usize, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(number) else { return };
        if std::mem::replace(&mut call.ended, true) {
            return;
        }
        let arguments = std::mem::take(&mut call.arguments);
        let field = if call.kind == CallKind::Function { "arguments" } else { "input" };
        self.call_event(out, number, "done", field, &arguments);
        let call = &self.calls[number];
        let (index, mut item) = (call.index, Vec::with_capacity(arguments.len() + 160));
        call.write(&mut item, "completed", &arguments);
        self.item_event(out, "response.output_item.done", index, &item);
        self.items[index] = item;
    }
}
