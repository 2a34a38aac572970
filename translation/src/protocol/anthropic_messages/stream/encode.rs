//! Writes a client's stream.
//!
//! Clients build the message by the index of each block, so indexes count up from 0 without a gap. They read no event
//! without an `event:` line (measured with Anthropic's SDKs). One block is open at a time, as in Anthropic's streams,
//! because not every client expects two. Of calls that interleave, the later ones wait for the end of the first.

use std::collections::VecDeque;

use serde::Serialize;

use super::super::answer::message_id;
use super::super::blocks::WebCitation;
use super::super::stop::stop_reason_of;
use super::super::{error, signature, usage};
use super::held::Held;
use crate::ir::{CallKind, Event, Finish, Media, Start, Usage};
use crate::protocol::contract::{AnswerContext, StreamEncoder};

/// What keeps a client's connection alive.
pub(in super::super) const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// Writes a client's stream.
#[derive(Debug)]
pub(in super::super) struct Encoder {
    asked: AnswerContext,
    started: bool,
    /// The block of text or thought that is under way.
    open: Option<Open>,
    /// The index of the next block.
    next: usize,
    /// The calls, by their number.
    calls: Vec<Call>,
    /// The call whose block is open.
    calling: Option<usize>,
    /// The events that wait for the end of that block.
    held: Held,
    /// The events that have waited and may be told now.
    ready: VecDeque<Event>,
    /// Whether more came than can be held. Blocks are then told as they come.
    overflown: bool,
    refused: bool,
    tier: Option<String>,
    usage: Option<Usage>,
    ended: Option<(Finish, Option<String>)>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    index: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Refusal,
    Thinking,
}

#[derive(Debug)]
struct Call {
    index: usize,
    custom: bool,
    ended: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame<'e> {
    MessageStart { message: Message<'e> },
    ContentBlockStart { index: usize, content_block: Block<'e> },
    ContentBlockDelta { index: usize, delta: Delta<'e> },
    ContentBlockStop { index: usize },
    MessageDelta { delta: End<'e>, usage: usage::Out },
    MessageStop,
}

#[derive(Serialize)]
struct Message<'e> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'e str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: usage::Out,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'e> {
    Text { text: &'static str },
    Thinking { thinking: &'static str, signature: &'static str },
    RedactedThinking { data: String },
    ToolUse { id: &'e str, name: &'e str, input: Empty },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the format's own names")]
enum Delta<'e> {
    TextDelta { text: &'e str },
    ThinkingDelta { thinking: &'e str },
    SignatureDelta { signature: String },
    InputJsonDelta { partial_json: &'e str },
    CitationsDelta { citation: WebCitation<'e> },
}

#[derive(Serialize)]
struct End<'e> {
    stop_reason: &'static str,
    stop_sequence: Option<&'e str>,
}

impl Frame<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(b"event: ");
        bytes.extend_from_slice(self.name().as_bytes());
        bytes.extend_from_slice(b"\ndata: ");
        // Texts and numbers always serialise, and a vector takes all of them.
        let _ = serde_json::to_writer(&mut *bytes, self);
        bytes.extend_from_slice(b"\n\n");
    }
}

impl Encoder {
    pub(in super::super) fn new(asked: AnswerContext) -> Self {
        Self {
            asked,
            started: false,
            open: None,
            next: 0,
            calls: Vec::new(),
            calling: None,
            held: Held::default(),
            ready: VecDeque::new(),
            overflown: false,
            refused: false,
            tier: None,
            usage: None,
            ended: None,
        }
    }

    fn start(&mut self, start: &Start, bytes: &mut Vec<u8>) {
        if self.started {
            return;
        }
        self.started = true;
        self.tier.clone_from(&start.service_tier);
        self.usage = start.usage;
        let message = Message {
            id: message_id(&self.asked),
            r#type: "message",
            role: "assistant",
            model: &self.asked.request.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: usage::Out::new(self.usage.as_ref(), self.tier.as_deref()),
        };
        Frame::MessageStart { message }.write(bytes);
    }

    fn new_block(&mut self, content_block: Block<'_>, bytes: &mut Vec<u8>) -> usize {
        let index = self.next;
        self.next += 1;
        Frame::ContentBlockStart { index, content_block }.write(bytes);
        index
    }

    /// Continues the open block if it is of `kind`, and begins a new one otherwise.
    fn of_kind(&mut self, kind: Kind, bytes: &mut Vec<u8>) -> usize {
        if let Some(open) = self.open.filter(|open| open.kind == kind) {
            return open.index;
        }
        self.close(bytes);
        let block = match kind {
            Kind::Text | Kind::Refusal => Block::Text { text: "" },
            Kind::Thinking => Block::Thinking { thinking: "", signature: "" },
        };
        let index = self.new_block(block, bytes);
        self.open = Some(Open { index, kind });
        index
    }

    /// Ends the block of text or thought that is under way. Blocks of tool calls have an end of their own.
    fn close(&mut self, bytes: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            Frame::ContentBlockStop { index: open.index }.write(bytes);
        }
    }

    /// Tells a block that is whole at its start.
    fn redacted(&mut self, data: String, bytes: &mut Vec<u8>) {
        self.close(bytes);
        let index = self.new_block(Block::RedactedThinking { data }, bytes);
        Frame::ContentBlockStop { index }.write(bytes);
    }

    fn arguments(&mut self, call: usize, text: &str, bytes: &mut Vec<u8>) {
        let Some(call) = self.calls.get(call).filter(|call| !call.ended) else { return };
        let index = call.index;
        if call.custom {
            // Free text is a string within the input's JSON.
            let quoted = crate::json::quoted(text);
            let partial_json = quoted.get(1..quoted.len() - 1).unwrap_or_default();
            Frame::ContentBlockDelta { index, delta: Delta::InputJsonDelta { partial_json } }.write(bytes);
        } else {
            Frame::ContentBlockDelta { index, delta: Delta::InputJsonDelta { partial_json: text } }.write(bytes);
        }
    }

    fn end_call(&mut self, call: usize, bytes: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(call).filter(|call| !call.ended) else { return };
        call.ended = true;
        let index = call.index;
        if call.custom {
            let delta = Delta::InputJsonDelta { partial_json: r#""}"# };
            Frame::ContentBlockDelta { index, delta }.write(bytes);
        }
        Frame::ContentBlockStop { index }.write(bytes);
        self.calling = None;
        self.release();
    }
}

impl Encoder {
    /// Whether `event` has to wait for the end of the call whose block is open.
    fn waits(&self, event: &Event) -> bool {
        let Some(open) = self.calling.filter(|_| !self.overflown) else { return false };
        match event {
            Event::ToolArguments { call, .. } | Event::ToolEnd { call } => *call != open,
            Event::Text(_)
            | Event::Refusal(_)
            | Event::Media(Media { transcript: Some(_), .. })
            | Event::Thinking(_)
            | Event::ThinkingSignature(_)
            | Event::RedactedThinking(_)
            | Event::ToolStart { .. }
            | Event::Citation(_) => true,
            _ => false,
        }
    }

    /// Makes ready what has waited. It comes before what is ready already.
    fn release(&mut self) {
        for event in self.held.take().into_iter().rev() {
            self.ready.push_front(event);
        }
    }

    /// Tells what has waited. Each event may begin a call that the others wait for again.
    fn tell_ready(&mut self, bytes: &mut Vec<u8>) {
        while let Some(event) = self.ready.pop_front() {
            if self.waits(&event) {
                self.held.again(event);
            } else {
                self.tell(&event, bytes);
            }
        }
    }

    fn finish(&mut self, bytes: &mut Vec<u8>) {
        while let Some(call) = self.calling.take() {
            self.end_call(call, bytes);
            self.tell_ready(bytes);
        }
        self.close(bytes);
        (0..self.calls.len()).for_each(|call| self.end_call(call, bytes));
    }

    fn tell(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        match event {
            Event::Start(start) => self.start(start, bytes),
            Event::Text(text) => {
                let index = self.of_kind(Kind::Text, bytes);
                Frame::ContentBlockDelta { index, delta: Delta::TextDelta { text } }.write(bytes);
            }
            Event::Refusal(text) | Event::Media(Media { transcript: Some(text), .. }) => {
                let refusal = matches!(event, Event::Refusal(_));
                self.refused |= refusal;
                let index = self.of_kind(if refusal { Kind::Refusal } else { Kind::Text }, bytes);
                Frame::ContentBlockDelta { index, delta: Delta::TextDelta { text } }.write(bytes);
            }
            Event::Thinking(thinking) => {
                let index = self.of_kind(Kind::Thinking, bytes);
                Frame::ContentBlockDelta { index, delta: Delta::ThinkingDelta { thinking } }.write(bytes);
            }
            Event::ThinkingSignature(signature) => {
                let index = self.of_kind(Kind::Thinking, bytes);
                let signature = signature::thought(signature);
                Frame::ContentBlockDelta { index, delta: Delta::SignatureDelta { signature } }.write(bytes);
                self.close(bytes);
            }
            Event::RedactedThinking(signature) => self.redacted(signature::thought(signature), bytes),
            Event::ToolStart { id, name, kind, signature, .. } => {
                self.close(bytes);
                if let Some(signature) = signature {
                    self.redacted(signature::call(signature), bytes);
                }
                let index = self.new_block(Block::ToolUse { id, name, input: Empty {} }, bytes);
                let custom = *kind == CallKind::Custom;
                self.calling = Some(self.calls.len());
                self.calls.push(Call { index, custom, ended: false });
                if custom {
                    let delta = Delta::InputJsonDelta { partial_json: r#"{"input":""# };
                    Frame::ContentBlockDelta { index, delta }.write(bytes);
                }
            }
            Event::ToolArguments { call, text } => self.arguments(*call, text, bytes),
            Event::ToolEnd { call } => self.end_call(*call, bytes),
            Event::Citation(citation) => {
                if let Some(Open { index, kind: Kind::Text }) = self.open
                    && let Some(citation) = WebCitation::of(citation)
                {
                    Frame::ContentBlockDelta { index, delta: Delta::CitationsDelta { citation } }.write(bytes);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, stop_sequence } => {
                self.finish(bytes);
                self.ended = Some((*reason, stop_sequence.clone()));
            }
            Event::Error(error) => bytes.extend(error::event(error, None)),
            // The format has nothing for these.
            Event::Media(_) | Event::TextSignature(_) | Event::Logprobs(_) => {}
        }
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        if !matches!(event, Event::Start(_) | Event::Error(_)) && !self.started {
            self.start(&Start::default(), bytes);
        }
        if self.waits(event) {
            if self.held.fits(event) {
                return self.held.hold(event);
            }
            self.overflown = true;
            self.release();
            self.tell_ready(bytes);
        }
        self.tell(event, bytes);
        self.tell_ready(bytes);
    }

    fn end(&mut self, bytes: &mut Vec<u8>) {
        let (reason, sequence) = self.ended.take().map_or((None, None), |(reason, text)| (Some(reason), text));
        self.start(&Start::default(), bytes);
        self.close(bytes);
        let stop_reason = stop_reason_of(reason, sequence.is_some(), !self.calls.is_empty(), self.refused);
        let stop_sequence = sequence.as_deref().filter(|_| stop_reason == "stop_sequence");
        let usage = usage::Out::new(self.usage.as_ref(), self.tier.as_deref());
        Frame::MessageDelta { delta: End { stop_reason, stop_sequence }, usage }.write(bytes);
        Frame::MessageStop.write(bytes);
    }

    fn keep_alive(&self) -> &'static [u8] {
        PING
    }
}
