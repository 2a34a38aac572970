//! The events of a streamed message, in the order and with the padding that was recorded.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::message::Message;
use crate::body::Step;
use crate::speech::argument_deltas;
use crate::stream::Stream;
use crate::vendor::Vendor;

/// The status of the error with which the API ends a stream.
const OVERLOADED: u16 = 529;

struct Events<'a> {
    stream: Stream<'a>,
    message: &'a Message<'a>,
    vendor: Vendor,
    /// The number of blocks so far.
    block: usize,
    /// The number of events so far, from which the padding follows.
    count: usize,
}

/// The events of `message`.
pub(super) fn steps(message: &Message<'_>, vendor: Vendor) -> VecDeque<Step> {
    let speech = &message.speech;
    let mut events = Events { stream: Stream::new(speech.script), message, vendor, block: 0, count: 0 };
    let mut head = message.head();
    head["usage"] = message.usage(speech.usage.completion_tokens.min(2));
    events.event(&json!({ "type": "message_start", "message": head }));
    if let Some(thinking) = message.thinking() {
        events.thinking(&thinking);
    }
    if speech.text.is_some() {
        events.start(&json!({ "type": "text", "text": "" }));
        for words in speech.text_deltas() {
            events.delta(&json!({ "type": "text_delta", "text": words }));
        }
        events.stop();
    }
    for index in 0..speech.calls.len() {
        events.call(index);
    }
    if events.block == 0 {
        events.ping();
    }
    events.stream.end_of_content();
    let mut last = json!({ "type": "message_delta", "delta": message.ending() });
    if !speech.script.no_usage {
        last["usage"] = message.usage(speech.usage.completion_tokens);
    }
    events.event(&last);
    events.event(&json!({ "type": "message_stop" }));
    events.stream.finish()
}

impl Events<'_> {
    fn event(&mut self, event: &Value) {
        let bytes = self.bytes(event);
        self.stream.write(bytes);
    }

    /// An event as it was recorded: blanks before the brace that closes it.
    fn bytes(&mut self, event: &Value) -> Bytes {
        let text = event.to_string();
        let name = event["type"].as_str().unwrap_or_default();
        let padding = " ".repeat(self.count * 7 % 16);
        self.count += 1;
        Bytes::from(format!("event: {name}\ndata: {}{padding}}}\n\n", text.strip_suffix('}').unwrap_or(&text)))
    }

    fn ping(&mut self) {
        self.stream.write("event: ping\ndata: {\"type\": \"ping\"}\n\n");
    }

    fn start(&mut self, block: &Value) {
        self.event(&json!({ "type": "content_block_start", "index": self.block, "content_block": block }));
        if self.block == 0 {
            self.ping();
        }
    }

    fn stop(&mut self) {
        self.event(&json!({ "type": "content_block_stop", "index": self.block }));
        self.block += 1;
    }

    fn delta(&mut self, delta: &Value) {
        if self.stream.error_due() {
            let script = self.message.speech.script;
            let error = self.vendor.scripted_error(script, OVERLOADED, self.message.speech.model);
            let named = format!("event: error\ndata: {error}\n\n");
            self.stream.fail(if script.bare_error { error.to_string() } else { named });
            return;
        }
        let bytes = self.bytes(&json!({ "type": "content_block_delta", "index": self.block, "delta": delta }));
        self.stream.delta(bytes);
    }

    fn thinking(&mut self, whole: &Value) {
        if whole["type"] == "redacted_thinking" {
            self.start(whole);
            return self.stop();
        }
        self.start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
        if self.message.shows_thinking {
            for words in self.message.speech.thinking_deltas() {
                self.delta(&json!({ "type": "thinking_delta", "thinking": words }));
            }
        }
        // A signature is no content, so a script that counts deltas does not count it.
        let signed = json!({ "type": "signature_delta", "signature": whole["signature"] });
        self.event(&json!({ "type": "content_block_delta", "index": self.block, "delta": signed }));
        self.stop();
    }

    fn call(&mut self, index: usize) {
        let mut begun = self.message.call(index);
        begun["input"] = json!({});
        self.start(&begun);
        let call = &self.message.speech.calls[index];
        let first = json!({ "type": "input_json_delta", "partial_json": "" });
        self.event(&json!({ "type": "content_block_delta", "index": self.block, "delta": first }));
        // A call without arguments has only the empty fragment.
        if call.arguments != "{}" {
            for fragment in argument_deltas(call) {
                self.delta(&json!({ "type": "input_json_delta", "partial_json": fragment }));
            }
        }
        self.stop();
    }
}
