//! Writes an answer for a client, as a stream or whole (API reference, "Streaming"). The whole answer is also what the
//! last event of a stream carries, so the two cannot differ.

use std::fmt;
use std::io::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::document::{Frame, State, StreamError, push, service_tier, status};
use super::output::{Call, Message, Piece, Thought, annotation};
use super::signature::Signs;
use crate::ir::{Citation, Event, Finish, Media, MediaKind, MediaSource, ProviderError, Start, Usage};
use crate::json::Json;
use crate::protocol::contract::{AnswerContext, StreamEncoder};

mod calls;
mod thoughts;

/// Writes an answer.
pub(super) struct Encoder {
    asked: AnswerContext,
    frame: Frame,
    /// Whether the answer is written whole, so that no events are told.
    whole: bool,
    sequence: u64,
    started: bool,
    /// The JSON of each item that is whole.
    items: Vec<Vec<u8>>,
    open: Open,
    calls: Vec<Call>,
    /// The number of characters of text so far.
    characters: u64,
    refused: bool,
    usage: Option<Usage>,
    service_tier: Option<String>,
    finish: Option<Finish>,
}

/// What is growing, besides calls.
#[derive(Debug, Default)]
enum Open {
    #[default]
    Nothing,
    Message(Message),
    Thought(Thought),
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("sequence", &self.sequence).field("open", &self.open).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder for a stream, or for a `whole` answer, which [`document`](Self::document) writes.
    pub(super) fn new(asked: AnswerContext, whole: bool) -> Self {
        Self {
            frame: Frame::new(&asked),
            asked,
            whole,
            sequence: 0,
            started: false,
            items: Vec::new(),
            open: Open::Nothing,
            calls: Vec::new(),
            characters: 0,
            refused: false,
            usage: None,
            service_tier: None,
            finish: None,
        }
    }

    /// Appends an event: its name, its number, and what `body` adds.
    fn tell(&mut self, out: &mut Vec<u8>, name: &str, body: impl FnOnce(&Self, &mut Vec<u8>)) {
        if self.whole {
            return;
        }
        let number = self.sequence;
        let _ = write!(out, "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number},");
        body(self, out);
        out.extend_from_slice(b"}\n\n");
        self.sequence += 1;
    }

    fn item_event(&mut self, out: &mut Vec<u8>, name: &str, index: usize, item: &[u8]) {
        self.tell(out, name, |_, out| {
            let _ = write!(out, "\"output_index\":{index},\"item\":");
            out.extend_from_slice(item);
        });
    }

    /// The next item's index and id. The id is made from that of the answer.
    fn next(&mut self, prefix: &str) -> (usize, String) {
        let index = self.items.len();
        self.items.push(Vec::new());
        (index, format!("{prefix}_{}_{index}", self.asked.id))
    }

    /// Tells an item that is whole at once.
    fn at_once(&mut self, out: &mut Vec<u8>, begun: &[u8], index: usize, item: Vec<u8>) {
        self.item_event(out, "response.output_item.added", index, begun);
        self.item_event(out, "response.output_item.done", index, &item);
        self.items[index] = item;
    }

    pub(super) fn start(&mut self, start: &Start, out: &mut Vec<u8>) {
        self.service_tier.clone_from(&start.service_tier);
        self.usage = start.usage;
        self.begin(out);
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        for name in ["response.created", "response.in_progress"] {
            self.tell(out, name, |encoder, out| {
                out.extend_from_slice(b"\"response\":");
                encoder.write(out, "in_progress", None, None);
            });
        }
    }

    fn write(
        &self,
        out: &mut Vec<u8>,
        status: &'static str,
        incomplete: Option<&'static str>,
        error: Option<&ProviderError>,
    ) {
        let usage = match status {
            "in_progress" => None,
            // Clients read the counts of a complete answer without looking whether there are any.
            "completed" | "incomplete" => Some(self.usage.unwrap_or_default()),
            _ => self.usage,
        };
        let service_tier = service_tier(self.service_tier.as_deref(), &self.asked.request);
        self.frame.write(out, &State { status, output: &self.items, usage, service_tier, incomplete, error });
    }

    /// Appends the whole answer.
    pub(super) fn document(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        let (status, incomplete) = status(self.finish, self.refused);
        self.write(out, status, incomplete, None);
    }

    pub(super) fn text(&mut self, delta: &str, refusal: bool, out: &mut Vec<u8>) {
        self.piece(refusal, out);
        let Open::Message(message) = &mut self.open else { return };
        let Some(piece) = &mut message.open else { return };
        piece.text.push_str(delta);
        let name = if refusal {
            self.refused = true;
            "response.refusal.delta"
        } else {
            self.characters += delta.chars().count() as u64;
            "response.output_text.delta"
        };
        self.tell(out, name, |encoder, out| {
            encoder.place(out);
            out.extend_from_slice(b",\"delta\":");
            push(out, delta);
            if !refusal {
                out.extend_from_slice(b",\"logprobs\":[]");
            }
        });
    }

    /// Appends the place of the open piece.
    fn place(&self, out: &mut Vec<u8>) {
        if let Open::Message(message) = &self.open {
            let Message { id, index, pieces, .. } = message;
            let _ = write!(out, "\"item_id\":\"{id}\",\"output_index\":{index},\"content_index\":{pieces}");
        }
    }

    /// Makes sure that a piece of that kind is open.
    fn piece(&mut self, refusal: bool, out: &mut Vec<u8>) {
        match &self.open {
            Open::Message(Message { open: Some(piece), .. }) if piece.refusal == refusal => return,
            Open::Message(_) => self.close_piece(out),
            Open::Nothing | Open::Thought(_) => {
                self.close(out);
                let (index, id) = self.next("msg");
                let message = Message { index, id, ..Message::default() };
                let mut item = Vec::new();
                message.write(&mut item, "in_progress");
                self.item_event(out, "response.output_item.added", index, &item);
                self.open = Open::Message(message);
            }
        }
        let piece = Piece { refusal, base: self.characters, ..Piece::default() };
        self.tell(out, "response.content_part.added", |encoder, out| {
            encoder.place(out);
            out.extend_from_slice(b",\"part\":");
            piece.write(out, "");
        });
        if let Open::Message(message) = &mut self.open {
            message.open = Some(piece);
        }
    }

    /// Ends the open piece of the open message.
    pub(super) fn close_piece(&mut self, out: &mut Vec<u8>) {
        let Open::Message(message) = &mut self.open else { return };
        let Some(piece) = message.open.take() else { return };
        let (name, field) =
            if piece.refusal { ("response.refusal.done", "refusal") } else { ("response.output_text.done", "text") };
        self.tell(out, name, |encoder, out| {
            encoder.place(out);
            let _ = write!(out, ",\"{field}\":");
            push(out, &piece.text);
            if !piece.refusal {
                out.extend_from_slice(b",\"logprobs\":[");
                out.extend_from_slice(&piece.logprobs);
                out.push(b']');
            }
        });
        let mut part = Vec::with_capacity(piece.text.len() + 80);
        piece.write(&mut part, &piece.text);
        self.tell(out, "response.content_part.done", |encoder, out| {
            encoder.place(out);
            out.extend_from_slice(b",\"part\":");
            out.extend_from_slice(&part);
        });
        if let Open::Message(message) = &mut self.open {
            if message.pieces > 0 {
                message.whole.push(b',');
            }
            message.whole.append(&mut part);
            message.pieces += 1;
        }
    }

    /// Ends what is open, except calls.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.close_piece(out);
        match std::mem::take(&mut self.open) {
            Open::Nothing => {}
            Open::Message(message) => {
                let cut = self.finish == Some(Finish::Length);
                let mut item = Vec::with_capacity(message.whole.len() + 128);
                message.write(&mut item, if cut { "incomplete" } else { "completed" });
                self.item_event(out, "response.output_item.done", message.index, &item);
                self.items[message.index] = item;
            }
            Open::Thought(thought) => self.close_thought(&thought, None, out),
        }
    }

    pub(super) fn citation(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        let Open::Message(Message { open: Some(piece), .. }) = &mut self.open else { return };
        let Some(json) = annotation(citation, piece.base).filter(|_| !piece.refusal) else { return };
        let number = piece.annotated;
        if number > 0 {
            piece.annotations.push(b',');
        }
        piece.annotations.extend_from_slice(&json);
        piece.annotated += 1;
        self.tell(out, "response.output_text.annotation.added", |encoder, out| {
            encoder.place(out);
            let _ = write!(out, ",\"annotation_index\":{number},\"annotation\":");
            out.extend_from_slice(&json);
        });
    }

    /// Takes the log probabilities of the text before, in the shape of chat completions.
    pub(super) fn logprobs(&mut self, logprobs: &Json) {
        #[derive(Deserialize)]
        struct Tokens<'a> {
            #[serde(borrow)]
            content: Vec<&'a RawValue>,
        }

        let Open::Message(Message { open: Some(piece), .. }) = &mut self.open else { return };
        let Ok(Tokens { content }) = serde_json::from_str(logprobs.get()) else { return };
        for token in content {
            if !piece.logprobs.is_empty() {
                piece.logprobs.push(b',');
            }
            piece.logprobs.extend_from_slice(token.get().as_bytes());
        }
    }

    /// Tells a medium. A picture is an item of its own. A sound has no item here, so its words are told.
    pub(super) fn media(&mut self, media: &Media, out: &mut Vec<u8>) {
        let (MediaKind::Image, MediaSource::Base64(data)) = (media.kind, &media.source) else {
            if let Some(words) = &media.transcript {
                self.text(words, false, out);
            }
            return;
        };
        self.close(out);
        let (index, id) = self.next("ig");
        let format = media.mime.as_deref().and_then(|mime| mime.strip_prefix("image/")).unwrap_or("png");
        let begun = format!(
            "{{\"id\":\"{id}\",\"type\":\"image_generation_call\",\"status\":\"in_progress\",\"result\":null}}"
        );
        let mut item = Vec::with_capacity(data.len() + 160);
        let _ = write!(
            item,
            "{{\"id\":\"{id}\",\"type\":\"image_generation_call\",\"status\":\"completed\",\"output_format\":"
        );
        push(&mut item, format);
        item.extend_from_slice(b",\"result\":");
        push(&mut item, data);
        item.push(b'}');
        self.at_once(out, begun.as_bytes(), index, item);
    }

    /// Tells an item of OpenAI's own as it is.
    pub(super) fn opaque(&mut self, block: &Json, out: &mut Vec<u8>) {
        self.close(out);
        let (index, _) = self.next("");
        self.items[index] = block.get().as_bytes().to_vec();
    }

    /// The number of characters of text so far.
    pub(super) fn characters(&self) -> u64 {
        self.characters
    }

    pub(super) fn finish(&mut self, reason: Option<Finish>) {
        self.finish = reason;
    }

    pub(super) fn usage(&mut self, usage: Option<Usage>) {
        self.usage = usage.or(self.usage);
    }
}

impl StreamEncoder for Encoder {
    fn event(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        if !matches!(event, Event::Start(_) | Event::Error(_)) {
            self.begin(bytes);
        }
        match event {
            Event::Start(start) => self.start(start, bytes),
            Event::Text(text) => self.text(text, false, bytes),
            Event::Refusal(text) => self.text(text, true, bytes),
            Event::Thinking(text) => self.thought(text, bytes),
            Event::ThinkingSignature(signature) => self.signed(signature, Signs::Thought, bytes),
            Event::RedactedThinking(signature) => self.signed(signature, Signs::Redacted, bytes),
            Event::ToolStart { id, name, kind, signature, .. } => {
                self.call((id.clone(), name.clone(), *kind), signature.as_ref(), bytes);
            }
            Event::ToolArguments { call, text } => self.arguments(*call, text, bytes),
            Event::ToolEnd { call } => self.call_ended(*call, bytes),
            Event::Citation(citation) => self.citation(citation, bytes),
            Event::Media(media) => self.media(media, bytes),
            // The signature of a text may be left out. The format has no place for it that clients would send back.
            Event::TextSignature(_) => {}
            Event::Logprobs(logprobs) => self.logprobs(logprobs),
            Event::Usage(usage) => self.usage(Some(*usage)),
            Event::Finish { reason, .. } => self.finish(Some(*reason)),
            Event::Error(error) => self.failed(error, bytes),
        }
    }

    fn end(&mut self, bytes: &mut Vec<u8>) {
        self.begin(bytes);
        self.close(bytes);
        (0..self.calls.len()).for_each(|call| self.call_ended(call, bytes));
        let (status, incomplete) = status(self.finish, self.refused);
        let name = if status == "completed" { "response.completed" } else { "response.incomplete" };
        self.tell(bytes, name, |encoder, out| {
            out.extend_from_slice(b"\"response\":");
            encoder.write(out, status, incomplete, None);
        });
    }

    fn keep_alive(&self) -> &'static [u8] {
        crate::protocol::sse::KEEP_ALIVE
    }
}

impl Encoder {
    /// Tells the pair of events that makes every client raise an error (`docs/CONFORMANCE.md` section 5).
    fn failed(&mut self, error: &ProviderError, out: &mut Vec<u8>) {
        self.tell(out, "error", |_, out| {
            out.extend_from_slice(b"\"error\":");
            push(out, &StreamError::of(error));
        });
        self.tell(out, "response.failed", |encoder, out| {
            out.extend_from_slice(b"\"response\":");
            encoder.write(out, "failed", None, Some(error));
        });
    }
}

/// That pair of events for a stream that passes through, of which nothing is known here.
pub(super) fn failure(error: &ProviderError, request_id: &str) -> Vec<u8> {
    let id = request_id.chars().filter(char::is_ascii_alphanumeric).collect();
    let request = std::sync::Arc::new(crate::ir::Request::new(crate::format::Format::OpenAiResponses, ""));
    let mut out = Vec::new();
    Encoder::new(AnswerContext { id, created: 0, request }, false).failed(error, &mut out);
    out
}
