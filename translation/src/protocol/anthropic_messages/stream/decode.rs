//! Reads a provider's stream.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::answer::{WireBlock, arguments, ours};
use super::super::error;
use super::super::lenient::Object;
use super::super::stop::finish_of;
use super::super::usage::{Counts, Wire as WireUsage};
use super::wire::{Delta, Message, Wire};
use crate::format::Family;
use crate::ir::{CallKind, Citation, DECLINED, Event, Finish, ProviderError, Signature, Start};
use crate::names::CallIds;
use crate::protocol::contract::StreamDecoder;
use crate::protocol::sse::{self, EVENT_TOO_LARGE, EventSplitter, LARGEST_EVENT};

/// The most blocks that may be open at once. No stream of Anthropic's has more.
const MOST_OPEN: usize = 4096;

/// An open block.
#[derive(Debug)]
enum Open {
    Text {
        /// How many characters of text stand before the block.
        start: u64,
        citations: Vec<Citation>,
    },
    Thinking {
        signature: String,
    },
    Tool {
        call: usize,
        /// The arguments that have come.
        arguments: Arguments,
    },
    /// A block of what runs at the provider, or one that is newer than this gateway.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Arguments {
    None,
    Pieces,
    /// The arguments were whole at the start.
    Whole,
}

/// The most citations that are kept until the text that rests on them ends.
const MOST_CITATIONS: usize = 1024;

/// Reads a provider's stream.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    splitter: EventSplitter,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    /// The id of the message.
    id: Option<String>,
    open: HashMap<u64, Open>,
    /// The number of calls so far. They are numbered without a gap, whatever blocks stand between them.
    calls: usize,
    ids: CallIds,
    /// The number of characters of text so far.
    characters: u64,
    /// The size of signatures and citations that wait for the end of their blocks, in bytes.
    held: usize,
    /// Whether something of the answer was told.
    told: bool,
    counts: Counts,
    stop: Option<Stop>,
    /// Whether a step of a tool that runs at the provider has come.
    stirred: bool,
    finished: bool,
}

#[derive(Debug)]
struct Stop {
    reason: String,
    sequence: Option<String>,
    explanation: Option<String>,
}

impl Decoder {
    pub(in super::super) fn new() -> Self {
        Self { splitter: EventSplitter::new(LARGEST_EVENT), state: State::default() }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>) {
        if self.state.finished {
            return;
        }
        let (whole, too_large) = match self.splitter.push(portion) {
            Ok(whole) => (whole, false),
            Err(sse::TooLarge { before, .. }) => (before, true),
        };
        sse::events(whole).for_each(|event| self.state.wire_event(&event, events));
        if too_large {
            self.state.fail(error::bad_answer(EVENT_TOO_LARGE), events);
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        let rest = self.splitter.take_rest();
        // The last event may lack the empty line behind it. An event that was cut is not JSON.
        if !self.state.finished && is_whole(&rest) {
            self.state.wire_event(&rest, events);
        }
        if self.state.finished {
            return;
        }
        if self.state.stop.is_some() {
            self.state.finish(events);
        } else {
            self.state.fail(ProviderError::truncated(), events);
        }
    }

    fn done(&self) -> bool {
        self.state.finished
    }

    fn stirred(&mut self) -> bool {
        std::mem::take(&mut self.state.stirred)
    }
}

/// The memory that `citation` takes, in bytes.
fn size(citation: &Citation) -> usize {
    let texts = [&citation.url, &citation.title, &citation.quote];
    texts.into_iter().flatten().map(String::len).sum()
}

fn is_whole(event: &Bytes) -> bool {
    sse::data(event).is_some_and(|data| serde_json::from_slice::<serde::de::IgnoredAny>(&data).is_ok())
}

impl State {
    fn wire_event(&mut self, event: &Bytes, events: &mut Vec<Event>) {
        if self.finished {
            return;
        }
        let Some(data) = sse::data(event) else { return };
        let data = data.trim_ascii();
        // Some vendors end with OpenAI's `[DONE]`.
        if data.is_empty() || data.starts_with(b"[") {
            return;
        }
        match serde_json::from_slice::<Wire<'_>>(data) {
            Ok(wire) => self.event(wire, events),
            Err(_) => self.fail(error::bad_answer("an event of the provider's stream is not JSON"), events),
        }
    }

    fn event(&mut self, wire: Wire<'_>, events: &mut Vec<Event>) {
        match wire.r#type.as_str() {
            "content_block_delta" => {
                if let Some(delta) = wire.delta.0 {
                    self.delta(wire.index.0.unwrap_or_default(), delta, events);
                }
            }
            "content_block_start" => {
                if let Some(block) = wire.content_block.0 {
                    self.block_start(wire.index.0.unwrap_or_default(), block, events);
                }
            }
            "content_block_stop" => self.block_stop(wire.index.0.unwrap_or_default(), events),
            "message_start" => self.start(wire.message.0.unwrap_or_default(), events),
            "message_delta" => self.message_delta(&wire.usage, wire.delta.0, events),
            "message_stop" => self.finish(events),
            "error" => self.fail(error::of(200, &wire.error.0.unwrap_or_default()), events),
            "" => {
                if let Some(wire) = wire.error.0 {
                    self.fail(error::of(200, &wire), events);
                }
            }
            // An event such as `ping`, or one that is newer than this gateway.
            _ => {}
        }
    }

    /// Tells the start of the answer, once, whatever comes first.
    fn begin(&mut self, message: Message<'_>, events: &mut Vec<Event>) {
        let usage = message.usage.0.as_ref();
        if let Some(usage) = usage {
            self.counts.merge(usage);
        }
        let id = message.id.filled();
        self.started = true;
        self.id.clone_from(&id);
        events.push(Event::Start(Start {
            id,
            model: message.model.filled(),
            created: None,
            service_tier: usage.and_then(WireUsage::service_tier).map(str::to_owned),
            usage: self.counts.usage(),
        }));
    }

    fn start(&mut self, message: Message<'_>, events: &mut Vec<Event>) {
        if !self.started {
            return self.begin(message, events);
        }
        let same = self.id.as_deref().is_some_and(|id| id == message.id.as_str());
        if !same && self.told {
            // Two answers are not spliced into one (`docs/TRANSLATION.md` section 4.1).
            let words = "the provider began its answer anew in the middle of it";
            return self.fail(error::bad_answer(words), events);
        }
        if !same {
            self.open.clear();
            self.held = 0;
            self.counts = Counts::default();
            self.id = message.id.filled();
        }
        if let Some(usage) = &message.usage.0 {
            self.counts.merge(usage);
        }
    }

    fn say(&mut self, event: Event, events: &mut Vec<Event>) {
        if !self.started {
            self.begin(Message::default(), events);
        }
        self.told = true;
        events.push(event);
    }

    fn text(&mut self, text: String, events: &mut Vec<Event>) {
        self.characters += u64::try_from(text.chars().count()).unwrap_or_default();
        self.say(Event::Text(text), events);
    }

    fn block_start(&mut self, index: u64, block: WireBlock<'_>, events: &mut Vec<Event>) {
        // The block before at this index was not ended.
        self.block_stop(index, events);
        if self.open.len() >= MOST_OPEN {
            return self.fail(error::bad_answer("the provider's stream has too many open blocks"), events);
        }
        let open = match block.r#type.as_str() {
            "text" => {
                let start = self.characters;
                if let Some(text) = block.text.filled() {
                    self.text(text, events);
                }
                Open::Text { start, citations: Vec::new() }
            }
            "thinking" => {
                if let Some(text) = block.thinking.filled() {
                    self.say(Event::Thinking(text), events);
                }
                let signature = block.signature.filled().unwrap_or_default();
                self.held += signature.len();
                Open::Thinking { signature }
            }
            "redacted_thinking" => {
                if let Some(signature) = ours(block.data) {
                    self.say(Event::RedactedThinking(signature), events);
                }
                Open::Skipped
            }
            "tool_use" => self.tool_start(block, events),
            _ => {
                self.stirred = true;
                Open::Skipped
            }
        };
        self.open.insert(index, open);
    }

    fn tool_start(&mut self, block: WireBlock<'_>, events: &mut Vec<Event>) -> Open {
        // A call without a name cannot be answered.
        let Some(name) = block.name.filled() else { return Open::Skipped };
        let call = self.calls;
        self.calls += 1;
        let id = self.ids.unlike_others(block.id.filled());
        self.say(Event::ToolStart { call, id, name, kind: CallKind::Function, signature: None }, events);
        let whole = block.input.map(arguments).filter(|input| input.len() > 2 && input.starts_with('{'));
        let whole = whole.filter(|input| !input[1..input.len() - 1].trim().is_empty());
        let arguments = match whole {
            Some(text) => {
                events.push(Event::ToolArguments { call, text: text.to_owned() });
                Arguments::Whole
            }
            None => Arguments::None,
        };
        Open::Tool { call, arguments }
    }

    fn delta(&mut self, index: u64, delta: Delta<'_>, events: &mut Vec<Event>) {
        let kind = delta.r#type.as_str();
        // The block is found by its index, since others may have begun after it.
        let Some(open) = self.open.get_mut(&index) else {
            // Some vendors leave out the start of a text.
            if kind == "text_delta"
                && let Some(text) = delta.text.filled()
            {
                self.text(text, events);
            }
            return;
        };
        match (open, kind) {
            (Open::Text { .. }, "text_delta") => {
                if let Some(text) = delta.text.filled() {
                    self.text(text, events);
                }
            }
            (Open::Text { citations, .. }, "citations_delta") if citations.len() < MOST_CITATIONS => {
                let citation = delta.citation.0.map(Citation::from);
                self.held += citation.as_ref().map_or(0, size);
                citations.extend(citation);
            }
            (Open::Thinking { .. }, "thinking_delta") => {
                if let Some(text) = delta.thinking.filled() {
                    self.say(Event::Thinking(text), events);
                }
            }
            (Open::Thinking { signature }, "signature_delta") => {
                self.held += delta.signature.as_str().len();
                signature.push_str(delta.signature.as_str());
            }
            (Open::Skipped, "input_json_delta") => self.stirred |= !delta.partial_json.as_str().is_empty(),
            (Open::Tool { call, arguments }, "input_json_delta") => {
                if *arguments != Arguments::Whole
                    && let Some(text) = delta.partial_json.filled()
                {
                    *arguments = Arguments::Pieces;
                    events.push(Event::ToolArguments { call: *call, text });
                }
            }
            _ => {}
        }
        if self.held > LARGEST_EVENT {
            let words = "a signature, or what is cited, in the provider's stream is too large";
            self.fail(error::bad_answer(words), events);
        }
    }

    fn block_stop(&mut self, index: u64, events: &mut Vec<Event>) {
        let Some(open) = self.open.remove(&index) else { return };
        match open {
            Open::Text { start, citations } => {
                for citation in citations {
                    self.held = self.held.saturating_sub(size(&citation));
                    let citation = Citation { start: Some(start), end: Some(self.characters), ..citation };
                    self.say(Event::Citation(citation), events);
                }
            }
            Open::Thinking { signature } if !signature.is_empty() => {
                self.held = self.held.saturating_sub(signature.len());
                let signature = Signature { family: Family::Anthropic, data: signature };
                self.say(Event::ThinkingSignature(signature), events);
            }
            Open::Tool { call, arguments } => {
                if arguments == Arguments::None {
                    events.push(Event::ToolArguments { call, text: "{}".to_owned() });
                }
                events.push(Event::ToolEnd { call });
            }
            Open::Thinking { .. } | Open::Skipped => {}
        }
    }

    fn message_delta(&mut self, usage: &Object<WireUsage<'_>>, delta: Option<Delta<'_>>, events: &mut Vec<Event>) {
        if let Some(usage) = &usage.0 {
            self.counts.merge(usage);
        }
        let Some(delta) = delta else { return };
        if let Some(reason) = delta.stop_reason.filled() {
            self.stop = Some(Stop {
                reason,
                sequence: delta.stop_sequence.filled(),
                explanation: delta.stop_details.0.and_then(|details| details.explanation.filled()),
            });
        }
        // An answer that declines at once has a start without content, and still is an answer.
        if !self.started {
            self.begin(Message::default(), events);
        }
    }

    fn finish(&mut self, events: &mut Vec<Event>) {
        if !self.started {
            self.begin(Message::default(), events);
        }
        let mut left: Vec<_> = self.open.keys().copied().collect();
        left.sort_unstable();
        for index in left {
            self.block_stop(index, events);
        }
        let stop = self.stop.take();
        let reason = stop.as_ref().map_or("", |stop| &*stop.reason);
        let reason = finish_of(reason, self.calls > 0);
        let (sequence, explanation) = stop.map(|stop| (stop.sequence, stop.explanation)).unwrap_or_default();
        if reason == Finish::ContentFilter {
            self.say(Event::Refusal(explanation.unwrap_or_else(|| DECLINED.to_owned())), events);
        }
        events.extend(self.counts.usage().map(Event::Usage));
        events.push(Event::Finish { reason, stop_sequence: sequence });
        self.finished = true;
    }

    fn fail(&mut self, error: ProviderError, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.finished, true) {
            events.push(Event::Error(error));
        }
        self.open.clear();
    }
}
