//! The answer of the APIs that generate content. It is made of parts, and every chunk of a stream has the running count
//! of tokens.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::body::Step;
use crate::script::{ToolCall, Usage};
use crate::signature;
use crate::speech::{Finish, Speech};
use crate::stream::Stream;
use crate::vendor::Vendor;

/// The status of the error with which the API ends a stream.
const UNAVAILABLE: u16 = 503;

const CATEGORIES: &[&str] = &[
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
];

/// An answer in the making.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    speech: Speech<'a>,
    no_usage: bool,
    count: u64,
    /// Whether the model signs its thoughts and ends streams with a chunk of its own, as those of the third generation
    /// do.
    signs: bool,
}

impl<'a> Candidate<'a> {
    pub(super) fn new(speech: Speech<'a>, no_usage: bool, count: u64) -> Self {
        let signs = speech.model.starts_with("gemini-3") || speech.script.signature.is_some();
        Self { speech, no_usage, count, signs }
    }

    /// The whole answer.
    pub(super) fn whole(&self) -> Value {
        if let Some(reason) = self.speech.blocked {
            return self.blocked(reason);
        }
        let mut parts = Vec::new();
        parts.extend(self.speech.thinking.map(|thoughts| json!({ "text": thoughts, "thought": true })));
        parts.extend(self.speech.text.as_deref().map(|text| self.text(text)));
        parts.extend(self.calls());
        let one = self.candidate(parts, true);
        let candidates: Vec<Value> = (0..self.count)
            .map(|index| {
                let mut candidate = one.clone();
                candidate["index"] = json!(index);
                candidate
            })
            .collect();
        self.answer(json!({ "candidates": candidates }), self.speech.usage.completion_tokens)
    }

    /// The streamed answer, as events or as one JSON list.
    pub(super) fn stream(&self, events: bool, vendor: Vendor) -> VecDeque<Step> {
        let mut chunks = Chunks { stream: Stream::new(self.speech.script), candidate: self, events, vendor, count: 0 };
        if let Some(reason) = self.speech.blocked {
            chunks.write(&self.blocked(reason));
            return chunks.finish();
        }
        for words in self.speech.thinking_deltas() {
            chunks.delta(json!({ "text": words, "thought": true }));
        }
        for words in self.speech.text_deltas() {
            chunks.delta(json!({ "text": words }));
        }
        let calls = self.calls();
        let mut last = Vec::new();
        if self.signs {
            // Each call has a chunk of its own. The last chunk has nothing but the signature of a text.
            for call in calls {
                chunks.delta(call);
            }
            if !matches!(self.speech.finish, Finish::Refusal | Finish::ContentFilter) {
                last.push(if self.speech.text.is_some() { self.text("") } else { json!({ "text": "" }) });
            }
        } else {
            last = calls;
        }
        chunks.stream.end_of_content();
        let candidates = json!({ "candidates": [self.candidate(last, true)] });
        chunks.write(&self.answer(candidates, self.speech.usage.completion_tokens));
        chunks.finish()
    }

    fn text(&self, text: &str) -> Value {
        let mut part = json!({ "text": text });
        if self.signs {
            part["thoughtSignature"] = json!(self.signature(text));
        }
        part
    }

    /// The parts of the calls, of which the first is signed.
    fn calls(&self) -> Vec<Value> {
        let calls = self.speech.calls.iter().enumerate();
        calls.map(|(index, call)| self.call(index, call)).collect()
    }

    fn call(&self, index: usize, call: &ToolCall) -> Value {
        let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let mut part = json!({ "functionCall": { "name": call.name, "args": args } });
        if self.signs {
            part["functionCall"]["id"] = json!(self.speech.call_id("", index));
            if index == 0 {
                part["thoughtSignature"] = json!(self.signature(&call.name));
            }
        }
        part
    }

    fn signature(&self, thoughts: &str) -> String {
        self.speech.script.signature.clone().unwrap_or_else(|| signature::of(thoughts))
    }

    fn candidate(&self, parts: Vec<Value>, ends: bool) -> Value {
        let mut candidate = json!({ "content": { "parts": parts, "role": "model" } });
        if parts.is_empty() {
            candidate["content"] = json!({});
        }
        if ends {
            let reason = match self.speech.finish {
                // Calls also end with STOP.
                Finish::Stop | Finish::ToolCalls => "STOP",
                Finish::Length => "MAX_TOKENS",
                Finish::ContentFilter | Finish::Refusal => "SAFETY",
                Finish::Own(own) => own,
            };
            candidate["finishReason"] = json!(reason);
            if reason == "SAFETY" {
                candidate["safetyRatings"] = ratings();
            }
            if !self.speech.calls.is_empty() {
                candidate["finishMessage"] = json!("Model generated function call(s).");
            }
            if let Some(words) = self.speech.refusal {
                candidate["finishMessage"] = json!(words);
            }
        }
        candidate["index"] = json!(0);
        candidate
    }

    /// The answer to a blocked prompt, which has no candidates at all.
    fn blocked(&self, reason: &str) -> Value {
        self.answer(json!({ "promptFeedback": { "blockReason": reason, "safetyRatings": ratings() } }), 0)
    }

    fn answer(&self, mut answer: Value, said: u64) -> Value {
        if !self.no_usage {
            answer["usageMetadata"] = usage(self.speech.usage, said);
        }
        answer["modelVersion"] = json!(self.speech.model);
        answer["responseId"] = json!(self.speech.id(""));
        answer
    }
}

/// The chunks of a stream.
struct Chunks<'a> {
    stream: Stream<'a>,
    candidate: &'a Candidate<'a>,
    events: bool,
    vendor: Vendor,
    count: usize,
}

impl Chunks<'_> {
    fn frame(&mut self, chunk: &Value) -> Bytes {
        self.count += 1;
        if self.events {
            return Bytes::from(format!("data: {chunk}\r\n\r\n"));
        }
        let before = if self.count == 1 { "[" } else { ",\r\n" };
        Bytes::from(format!("{before}{chunk}"))
    }

    fn write(&mut self, chunk: &Value) {
        let frame = self.frame(chunk);
        self.stream.write(frame);
    }

    fn delta(&mut self, part: Value) {
        let candidate = self.candidate;
        if self.stream.error_due() {
            let script = candidate.speech.script;
            let error = self.vendor.scripted_error(script, UNAVAILABLE, candidate.speech.model);
            if script.bare_error {
                let pretty = serde_json::to_string_pretty(&error).unwrap_or_default();
                self.stream.fail(format!("{pretty}\n"));
                return;
            }
            let mut frame = self.frame(&error).to_vec();
            if !self.events {
                frame.extend_from_slice(b"]");
            }
            self.stream.fail(frame);
            return;
        }
        // The count of tokens covers what has been said so far.
        let said = (self.count as u64 + 1).min(candidate.speech.usage.completion_tokens);
        let candidates = json!({ "candidates": [candidate.candidate(vec![part], false)] });
        let frame = self.frame(&candidate.answer(candidates, said));
        self.stream.delta(frame);
    }

    fn finish(mut self) -> VecDeque<Step> {
        if !self.events {
            self.stream.write("]");
        }
        self.stream.finish()
    }
}

fn ratings() -> Value {
    let rating = |(index, category): (usize, &&str)| match index {
        0 => json!({ "category": category, "probability": "HIGH", "blocked": true }),
        _ => json!({ "category": category, "probability": "NEGLIGIBLE" }),
    };
    CATEGORIES.iter().enumerate().map(rating).collect()
}

/// The usage. Thoughts have a count of their own, which is not part of the candidates' count.
fn usage(usage: Usage, said: u64) -> Value {
    let Usage { prompt_tokens, cached_tokens, reasoning_tokens, .. } = usage;
    let thoughts = reasoning_tokens.min(said);
    let mut metadata = json!({ "promptTokenCount": prompt_tokens });
    if said > thoughts {
        metadata["candidatesTokenCount"] = json!(said - thoughts);
    }
    metadata["totalTokenCount"] = json!(prompt_tokens + said);
    if cached_tokens > 0 {
        metadata["cachedContentTokenCount"] = json!(cached_tokens);
        metadata["cacheTokensDetails"] = json!([{ "modality": "TEXT", "tokenCount": cached_tokens }]);
    }
    metadata["promptTokensDetails"] = json!([{ "modality": "TEXT", "tokenCount": prompt_tokens }]);
    if thoughts > 0 {
        metadata["thoughtsTokenCount"] = json!(thoughts);
    }
    metadata["serviceTier"] = json!("standard");
    metadata
}
