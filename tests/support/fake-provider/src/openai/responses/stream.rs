//! The events of a streamed response, in the order that was recorded.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::object::{Response, error_of};
use crate::body::Step;
use crate::speech::argument_deltas;
use crate::stream::Stream;
use crate::vendor::Vendor;

/// The events, which are numbered.
struct Events<'a> {
    stream: Stream<'a>,
    response: &'a Response<'a>,
    vendor: Vendor,
    sequence: usize,
    /// The item that events are about.
    item: usize,
}

/// The events of `response`.
pub(super) fn steps(response: &Response<'_>, vendor: Vendor) -> VecDeque<Step> {
    let stream = Stream::new(response.speech.script);
    let mut events = Events { stream, response, vendor, sequence: 0, item: 0 };
    events.event("response.created", json!({ "response": response.begun("in_progress") }));
    events.event("response.in_progress", json!({ "response": response.begun("in_progress") }));
    if response.speech.thinking.is_some() {
        events.reasoning();
    }
    if response.speech.text.is_some() || response.speech.refusal.is_some() {
        events.message();
    }
    for index in 0..response.speech.calls.len() {
        events.call(index);
    }
    events.stream.end_of_content();
    let done = response.done();
    let last = if done["status"] == "incomplete" { "response.incomplete" } else { "response.completed" };
    events.event(last, json!({ "response": done }));
    events.stream.finish()
}

impl Events<'_> {
    fn event(&mut self, name: &str, fields: Value) {
        let bytes = self.bytes(name, fields);
        self.stream.write(bytes);
    }

    /// Writes an event that holds content, or the script's error if one is due.
    fn delta(&mut self, name: &str, mut fields: Value) {
        if self.stream.error_due() {
            let script = self.response.speech.script;
            let envelope = self.vendor.scripted_error(script, 500, self.response.speech.model);
            if script.bare_error {
                self.stream.fail(envelope.to_string());
                return;
            }
            let error = error_of(&envelope);
            let said = self.bytes("error", json!({ "error": error }));
            self.stream.write(said);
            let failed = self.bytes("response.failed", json!({ "response": self.response.failed(&error) }));
            self.stream.fail(failed);
            return;
        }
        if self.response.obfuscates() {
            fields["obfuscation"] = json!("mZhSFjZXJr0X");
        }
        let bytes = self.bytes(name, fields);
        self.stream.delta(bytes);
    }

    fn bytes(&mut self, name: &str, fields: Value) -> Bytes {
        let mut event = json!({ "type": name, "sequence_number": self.sequence });
        self.sequence += 1;
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        Bytes::from(format!("event: {name}\ndata: {event}\n\n"))
    }

    fn added(&mut self, item: &Value) {
        self.event("response.output_item.added", json!({ "output_index": self.item, "item": item }));
    }

    fn done(&mut self, item: &Value) {
        self.event("response.output_item.done", json!({ "output_index": self.item, "item": item }));
        self.item += 1;
    }

    fn reasoning(&mut self) {
        let whole = self.response.reasoning();
        let mut begun = whole.clone();
        begun["summary"] = json!([]);
        self.added(&begun);
        if !self.response.speech.script.redacted {
            let place = json!({ "item_id": whole["id"], "output_index": self.item, "summary_index": 0 });
            let part = |text: &str| json!({ "part": { "type": "summary_text", "text": text } });
            self.event("response.reasoning_summary_part.added", joined(&place, part("")));
            for words in self.response.speech.thinking_deltas() {
                self.delta("response.reasoning_summary_text.delta", joined(&place, json!({ "delta": words })));
            }
            let text = self.response.speech.thinking.unwrap_or_default();
            self.event("response.reasoning_summary_text.done", joined(&place, json!({ "text": text })));
            self.event("response.reasoning_summary_part.done", joined(&place, part(text)));
        }
        self.done(&whole);
    }

    fn message(&mut self) {
        let response = self.response;
        let whole = response.message();
        let mut begun = whole.clone();
        begun["status"] = json!("in_progress");
        begun["content"] = json!([]);
        self.added(&begun);
        let place = json!({ "item_id": whole["id"], "output_index": self.item, "content_index": 0 });
        self.event("response.content_part.added", joined(&place, json!({ "part": response.part("") })));
        if let Some(refusal) = response.speech.refusal {
            for words in response.speech.refusal_deltas() {
                self.delta("response.refusal.delta", joined(&place, json!({ "delta": words })));
            }
            self.event("response.refusal.done", joined(&place, json!({ "refusal": refusal })));
        } else {
            let deltas = response.speech.text_deltas();
            for words in &deltas {
                self.delta("response.output_text.delta", joined(&place, json!({ "delta": words, "logprobs": [] })));
            }
            let said = deltas.concat();
            self.event("response.output_text.done", joined(&place, json!({ "text": said, "logprobs": [] })));
        }
        self.event("response.content_part.done", joined(&place, json!({ "part": whole["content"][0] })));
        self.done(&whole);
    }

    fn call(&mut self, index: usize) {
        let whole = self.response.call(index);
        let mut begun = whole.clone();
        begun["status"] = json!("in_progress");
        begun["arguments"] = json!("");
        self.added(&begun);
        let place = json!({ "item_id": whole["id"], "output_index": self.item });
        for fragment in argument_deltas(&self.response.speech.calls[index]) {
            self.delta("response.function_call_arguments.delta", joined(&place, json!({ "delta": fragment })));
        }
        let arguments = json!({ "arguments": whole["arguments"], "name": whole["name"] });
        self.event("response.function_call_arguments.done", joined(&place, arguments));
        self.done(&whole);
    }
}

fn joined(place: &Value, more: Value) -> Value {
    let mut fields = place.clone();
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    fields
}
