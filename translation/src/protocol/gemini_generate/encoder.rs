//! A stream for a client: server-sent events, or one JSON array where it did not ask for `alt=sse`.
//!
//! Google's own SDKs take only lines of `data: {...}` and empty ones, ended by CR LF: no comments, no event names, and
//! no `[DONE]`.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::encode_response::{Candidate, Content, Document, Grounding, UsageMetadata, reason};
use super::part::{Fields, Written, for_client, mime};
use super::signature::{self, Of};
use super::{error, logprobs};
use crate::ir::{Citation, Event, Finish, Part, Signature, Start, ToolCall, Usage};
use crate::protocol::contract::{AnswerContext, StreamEncoder};

/// What stands between the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Events,
    Array,
}

/// Writes a client's stream.
#[derive(Debug)]
pub(super) struct Encoder {
    framing: Framing,
    asked: AnswerContext,
    start: Start,
    /// Whether a chunk was written.
    begun: bool,
    usage: Option<Usage>,
    /// The calls that are not told yet, with whether they are whole. A client takes arguments only whole, and the calls
    /// in their order, of which the first is signed.
    calls: VecDeque<(ToolCall, bool)>,
    /// The number of calls that are told.
    told: usize,
    /// The words of the model's refusal so far. They have no place but beside the reason to stop.
    refusal: String,
    citations: Vec<Citation>,
    /// Where each character of the text begins, in bytes, kept as runs. It counts only if something cites the text,
    /// which comes late.
    offsets: Offsets,
}

/// Finds the byte at which a character begins, of a text that came in pieces and is not kept.
#[derive(Debug, Default)]
struct Offsets {
    characters: u64,
    bytes: u64,
    /// The first character, the first byte, and the bytes of each character of a run.
    runs: Vec<(u64, u64, u64)>,
}

/// The most runs. Offsets in a longer text are not kept.
const MOST_RUNS: usize = 10_000;

impl Offsets {
    fn push(&mut self, text: &str) {
        if text.is_ascii() && self.runs.last().is_some_and(|run| run.2 == 1) {
            let length = u64::try_from(text.len()).unwrap_or_default();
            (self.characters, self.bytes) = (self.characters + length, self.bytes + length);
            return;
        }
        for c in text.chars() {
            let width = u64::try_from(c.len_utf8()).unwrap_or(1);
            if self.runs.last().is_none_or(|run| run.2 != width) && self.runs.len() < MOST_RUNS {
                self.runs.push((self.characters, self.bytes, width));
            }
            self.characters += 1;
            self.bytes += width;
        }
    }

    fn byte(&self, character: u64) -> Option<u64> {
        if character > self.characters || self.runs.len() == MOST_RUNS {
            return None;
        }
        let run = self.runs.partition_point(|run| run.0 <= character).checked_sub(1)?;
        let (first, bytes, width) = *self.runs.get(run)?;
        Some(bytes + (character - first) * width)
    }
}

impl Encoder {
    pub(super) fn new(framing: Framing, asked: AnswerContext) -> Self {
        Self {
            framing,
            asked,
            start: Start::default(),
            begun: false,
            usage: None,
            calls: VecDeque::new(),
            told: 0,
            refusal: String::new(),
            citations: Vec::new(),
            offsets: Offsets::default(),
        }
    }

    fn before(&mut self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(match (self.framing, self.begun) {
            (Framing::Events, _) => b"data: ",
            (Framing::Array, false) => b"[",
            (Framing::Array, true) => b",\r\n",
        });
        self.begun = true;
    }

    fn after(&self, bytes: &mut Vec<u8>) {
        if self.framing == Framing::Events {
            bytes.extend_from_slice(b"\r\n\r\n");
        }
    }

    fn chunk(&mut self, candidate: Candidate<'_>, usage_metadata: Option<UsageMetadata>, bytes: &mut Vec<u8>) {
        self.before(bytes);
        let document = Document {
            candidates: vec![candidate],
            usage_metadata,
            model_version: self.start.model.as_deref().unwrap_or(&self.asked.request.model),
            response_id: self.start.id.as_deref().unwrap_or(&self.asked.id),
        };
        // Texts and numbers always serialise, and a vector takes all bytes.
        let _ = serde_json::to_writer(&mut *bytes, &document);
        self.after(bytes);
    }

    fn part<'a>(&mut self, part: impl Into<Written<'a>>, bytes: &mut Vec<u8>) {
        let content = Content { parts: vec![part.into()], role: "model" };
        self.chunk(Candidate { content, ..Candidate::default() }, None, bytes);
    }

    fn signed(&mut self, fields: Fields<'_>, signature: &Signature, of: Of, bytes: &mut Vec<u8>) {
        let signature = Cow::Owned(signature::write(signature, of).into_owned());
        self.part(fields.signed(Some(signature)), bytes);
    }

    /// The call of that number, if it is not told yet.
    fn waiting(&mut self, call: usize) -> Option<&mut (ToolCall, bool)> {
        self.calls.get_mut(call.checked_sub(self.told)?)
    }

    fn call(&mut self, call: ToolCall, bytes: &mut Vec<u8>) {
        let part = Part::ToolCall(call);
        if let Some(part) = for_client(&part) {
            self.part(part, bytes);
        }
    }

    fn finish(&mut self, finish: Finish, bytes: &mut Vec<u8>) {
        // Calls without an end are not whole, and no client could read them.
        for (call, _) in std::mem::take(&mut self.calls).into_iter().filter(|(_, whole)| *whole) {
            self.call(call, bytes);
        }
        let refusal = std::mem::take(&mut self.refusal);
        let citations = std::mem::take(&mut self.citations);
        let mut grounding = Grounding::default();
        for citation in &citations {
            grounding.add(0, citation, |character| self.offsets.byte(character));
        }
        let usage = self.usage.or(self.start.usage).unwrap_or_default();
        let usage = UsageMetadata::of(&usage, self.start.service_tier.as_deref());
        let candidate = Candidate {
            content: Content { parts: vec![Fields::text("").into()], role: "model" },
            finish_reason: Some(reason(Some(finish), !refusal.is_empty())),
            finish_message: (!refusal.is_empty()).then_some(Cow::Owned(refusal)),
            grounding_metadata: grounding.non_empty(),
            ..Candidate::default()
        };
        self.chunk(candidate, Some(usage), bytes);
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start = start.clone(),
            Event::Text(text) => {
                self.offsets.push(text);
                self.part(Fields::text(text), bytes);
            }
            Event::Thinking(text) => self.part(Fields::thought(text), bytes),
            Event::ThinkingSignature(signature) => self.signed(Fields::thought(""), signature, Of::Shown, bytes),
            Event::RedactedThinking(signature) => self.signed(Fields::thought(""), signature, Of::Redacted, bytes),
            Event::TextSignature(signature) => self.signed(Fields::text(""), signature, Of::Shown, bytes),
            Event::Refusal(text) => self.refusal.push_str(text),
            Event::ToolStart { id, name, kind, signature, .. } => {
                let (id, name, kind, signature) = (id.clone(), name.clone(), *kind, signature.clone());
                let call = ToolCall { id, name, kind, signature, arguments: String::new(), cache: None };
                self.calls.push_back((call, false));
            }
            Event::ToolArguments { call, text } => {
                if let Some((call, false)) = self.waiting(*call) {
                    call.arguments.push_str(text);
                }
            }
            Event::ToolEnd { call } => {
                if let Some((_, whole)) = self.waiting(*call) {
                    *whole = true;
                }
                while let Some((call, _)) = self.calls.pop_front_if(|(_, whole)| *whole) {
                    self.told += 1;
                    self.call(call, bytes);
                }
            }
            Event::Citation(citation) => self.citations.push(citation.clone()),
            Event::Media(media) => match Fields::medium(media, mime(media)) {
                Some(fields) => self.part(fields, bytes),
                None => {
                    if let Some(words) = &media.transcript {
                        self.part(Fields::text(words), bytes);
                    }
                }
            },
            Event::Logprobs(logprobs) => {
                if let Some(result) = logprobs::write(logprobs) {
                    let candidate = Candidate { logprobs_result: Some(result), ..Candidate::default() };
                    self.chunk(candidate, None, bytes);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, .. } => self.finish(*reason, bytes),
            Event::Error(failure) => {
                self.before(bytes);
                bytes.extend_from_slice(&error::in_stream(failure));
                if self.framing == Framing::Array {
                    bytes.push(b']');
                }
                self.after(bytes);
            }
        }
    }

    fn end(&mut self, bytes: &mut Vec<u8>) {
        if self.framing == Framing::Array {
            bytes.extend_from_slice(if self.begun { b"]" } else { b"[]" });
        }
    }

    fn content_type(&self) -> &'static str {
        match self.framing {
            Framing::Events => "text/event-stream",
            Framing::Array => "application/json",
        }
    }

    fn keep_alive(&self) -> &'static [u8] {
        match self.framing {
            // The SDKs take no line but data.
            Framing::Events => b"",
            // White space may stand between the elements.
            Framing::Array => b"\r\n",
        }
    }
}
