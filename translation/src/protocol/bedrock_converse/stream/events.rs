//! What the frames of a stream say.

use std::collections::HashMap;

use aws_smithy_types::event_stream::Message;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::answer::{Image, WireCitation, is_server_side, stop_sequence};
use super::super::signature::{redacted, signature};
use super::super::stop::{REFUSAL, finish_of, is_malformed};
use super::super::{error, usage};
use super::frames::{Broken, Frames};
use crate::ir::{CallKind, Event, Finish, ProviderError, Start};
use crate::names::CallIds;
use crate::protocol::contract::StreamDecoder;
use crate::protocol::sse::LARGEST_EVENT;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BlockStart {
    content_block_index: u64,
    start: Option<Begun>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Begun {
    tool_use: Option<ToolUse>,
    image: Option<Image>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ToolUse {
    #[serde(rename = "toolUseId")]
    id: Option<String>,
    name: String,
    r#type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BlockDelta {
    content_block_index: u64,
    delta: Option<Delta>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Delta {
    text: Option<String>,
    tool_use: Option<Input>,
    reasoning_content: Option<Reasoning>,
    citation: Option<WireCitation>,
    image: Option<Image>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Input {
    input: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reasoning {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BlockStop {
    content_block_index: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop<'a> {
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(borrow)]
    additional_model_response_fields: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// The most blocks that may be open at once. No stream of Bedrock's has more.
const MOST_OPEN: usize = 4096;

/// A block that is under way.
#[derive(Debug, Default)]
struct Open {
    call: Option<Call>,
    /// The signature of a thought, which may come in pieces.
    signature: String,
    /// The citations of the block's text. Which text they are of is not known before it is whole.
    citations: Vec<WireCitation>,
    /// The character at which the block's text begins.
    from: u64,
    /// The format of the picture in the block.
    format: Option<Image>,
    /// The size of what waits for the end of the block, in bytes.
    held: usize,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    number: usize,
    has_arguments: bool,
}

/// Reads a stream.
#[derive(Debug, Default)]
pub(in super::super) struct Decoder {
    frames: Frames,
    started: bool,
    /// The open blocks, by their index. They usually follow one another, but nothing says that they must.
    open: HashMap<u64, Open>,
    calls: usize,
    ids: CallIds,
    /// The size of what waits for the end of its block: signatures, and the events that citations came in.
    held: usize,
    /// Whether something has been told.
    said: bool,
    /// The number of characters of text so far.
    characters: u64,
    finish: Option<(Finish, Option<String>)>,
    metered: bool,
    /// Whether the stream has ended, so that nothing more is told.
    ended: bool,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        self.frames.push(&portion);
        while !self.ended {
            match self.frames.next() {
                Ok(Some(message)) => self.message(&message, events),
                Ok(None) => return,
                Err(Broken) => {
                    let error = error::bad_answer("the provider's stream is not an AWS event stream, or is damaged");
                    self.fail(error, events);
                }
            }
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        if self.ended {
            return;
        }
        if self.finish.is_some() && !self.frames.is_within() {
            self.told(events);
        } else {
            self.fail(ProviderError::truncated(), events);
        }
    }

    fn done(&self) -> bool {
        self.ended
    }
}

impl Decoder {
    fn message(&mut self, message: &Message, events: &mut Vec<Event>) {
        let header = |wanted: &str| {
            let header = message.headers().iter().find(|header| header.name().as_str() == wanted)?;
            header.value().as_string().ok().map(aws_smithy_types::str_bytes::StrBytes::as_str)
        };
        let payload = message.payload();
        match header(":message-type") {
            Some("exception") => {
                let name = header(":exception-type").unwrap_or_default();
                self.fail(error::exception(name, payload), events);
            }
            Some("error") => {
                let words = header(":error-message").unwrap_or_default();
                let document = serde_json::json!({ "message": words }).to_string();
                self.fail(error::exception(header(":error-code").unwrap_or_default(), document.as_bytes()), events);
            }
            _ => self.event(header(":event-type").unwrap_or_default(), payload, events),
        }
    }

    fn event(&mut self, name: &str, payload: &[u8], events: &mut Vec<Event>) {
        // Content behind the end would never be whole.
        if self.finish.is_some() && name != "metadata" {
            return;
        }
        let read = match name {
            "messageStart" => {
                self.start(events);
                Ok(())
            }
            "contentBlockStart" => read(payload).map(|start| self.block_start(start, events)),
            "contentBlockDelta" => read(payload).map(|delta| self.delta(delta, payload.len(), events)),
            "contentBlockStop" => {
                read(payload).map(|stop: BlockStop| self.block_stop(stop.content_block_index, events))
            }
            "messageStop" => read(payload).map(|stop| self.stop(stop, events)),
            "metadata" => read(payload).map(|metadata| self.metadata(&metadata, events)),
            // An event of a later version of the API.
            _ => Ok(()),
        };
        // An event that is JSON of another shape is left out.
        if read.is_err_and(|error| !error.is_data()) {
            self.fail(error::bad_answer("an event of the provider's stream is not JSON"), events);
        }
    }

    fn start(&mut self, events: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            events.push(Event::Start(Start::default()));
        }
    }

    fn block_start(&mut self, start: BlockStart, events: &mut Vec<Event>) {
        self.start(events);
        self.block_stop(start.content_block_index, events);
        let begun = start.start.unwrap_or_default();
        let mut open = Open { from: self.characters, format: begun.image, ..Open::default() };
        // A call without a name cannot be answered.
        let client_side = |tool: &ToolUse| !is_server_side(tool.r#type.as_deref()) && !tool.name.is_empty();
        if let Some(tool) = begun.tool_use.filter(client_side) {
            let call = Call { number: self.calls, has_arguments: false };
            self.calls += 1;
            self.said = true;
            events.push(Event::ToolStart {
                call: call.number,
                id: self.ids.unlike_others(tool.id),
                name: tool.name,
                kind: CallKind::Function,
                signature: None,
            });
            open.call = Some(call);
        }
        self.open.insert(start.content_block_index, open);
        self.check_size(events);
    }

    /// Limits what waits for the end of all blocks together.
    fn check_size(&mut self, events: &mut Vec<Event>) {
        if self.held > LARGEST_EVENT || self.open.len() > MOST_OPEN {
            let words =
                "the provider's stream has too many open blocks, or too much in them that is not told before their end";
            self.fail(error::bad_answer(words), events);
        }
    }

    /// Reads a delta. `size` is that of the whole event, in bytes.
    fn delta(&mut self, delta: BlockDelta, size: usize, events: &mut Vec<Event>) {
        self.start(events);
        let Some(said) = delta.delta else { return };
        // Only the blocks of tools and pictures have a start.
        let from = self.characters;
        let open = self.open.entry(delta.content_block_index).or_insert_with(|| Open { from, ..Open::default() });
        if let Some(text) = said.text.filter(|text| !text.is_empty()) {
            self.characters += text.chars().count() as u64;
            self.said = true;
            events.push(Event::Text(text));
        }
        if let (Some(input), Some(call)) = (said.tool_use, &mut open.call)
            && !input.input.is_empty()
        {
            call.has_arguments = true;
            events.push(Event::ToolArguments { call: call.number, text: input.input });
        }
        if let Some(thought) = said.reasoning_content {
            if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
                self.said = true;
                events.push(Event::Thinking(text));
            }
            let signature = thought.signature.as_deref().unwrap_or_default();
            open.signature.push_str(signature);
            open.held += signature.len();
            self.held += signature.len();
            if let Some(signature) = thought.redacted_content.and_then(redacted) {
                self.said = true;
                events.push(Event::RedactedThinking(signature));
            }
        }
        if let Some(citation) = said.citation {
            open.citations.push(citation);
            open.held += size;
            self.held += size;
        }
        let format = open.format.as_ref();
        if let Some(media) = said.image.and_then(|image| image.begun_as(format).media()) {
            self.said = true;
            events.push(Event::Media(media));
        }
        self.check_size(events);
    }

    fn block_stop(&mut self, index: u64, events: &mut Vec<Event>) {
        let Some(open) = self.open.remove(&index) else { return };
        self.held = self.held.saturating_sub(open.held);
        if let Some(call) = open.call {
            if !call.has_arguments {
                events.push(Event::ToolArguments { call: call.number, text: "{}".to_owned() });
            }
            events.push(Event::ToolEnd { call: call.number });
        }
        if !open.signature.is_empty() {
            events.push(Event::ThinkingSignature(signature(open.signature)));
        }
        if self.characters > open.from {
            let (from, to) = (open.from, self.characters);
            events.extend(open.citations.into_iter().map(|citation| Event::Citation(citation.of(from, to))));
        }
    }

    fn stop(&mut self, stop: MessageStop<'_>, events: &mut Vec<Event>) {
        self.start(events);
        let mut open: Vec<_> = self.open.keys().copied().collect();
        open.sort_unstable();
        for index in open {
            self.block_stop(index, events);
        }
        let reason = stop.stop_reason.unwrap_or_default();
        if !self.said && is_malformed(&reason) {
            return self.fail(error::malformed(), events);
        }
        let finish = finish_of(&reason, self.calls > 0);
        if finish == Finish::ContentFilter && !self.said {
            events.push(Event::Refusal(REFUSAL.to_owned()));
        }
        self.finish = Some((finish, stop_sequence(stop.additional_model_response_fields)));
        if self.metered {
            self.told(events);
        }
    }

    /// Reads the last event of a stream, which tells the usage.
    fn metadata(&mut self, metadata: &Metadata<'_>, events: &mut Vec<Event>) {
        self.start(events);
        self.metered = true;
        events.extend(metadata.usage.and_then(usage::of).map(Event::Usage));
        if self.finish.is_some() {
            self.told(events);
        }
    }

    /// Tells the end of the answer: everything else has been told.
    fn told(&mut self, events: &mut Vec<Event>) {
        self.ended = true;
        if let Some((reason, stop_sequence)) = self.finish.take() {
            events.push(Event::Finish { reason, stop_sequence });
        }
    }

    fn fail(&mut self, error: ProviderError, events: &mut Vec<Event>) {
        self.ended = true;
        events.push(Event::Error(error));
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_slice(payload)
}
