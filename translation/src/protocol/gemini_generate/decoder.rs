//! A provider's stream (`docs/TRANSLATION.md` section 8).

use bytes::Bytes;

use super::answer::{Answer, Candidate, FunctionCall, Part as AnswerPart, UsageMetadata};
use super::citations::{self, Counter};
use super::decode_response::{arguments, media, no_answer, no_candidates, signature};
use super::finish::{self, Reason};
use super::frames::{Frame, Frames};
use super::partial::Arguments;
use super::{error, logprobs};
use crate::ir::{CallKind, ErrorKind, Event, Finish, ProviderError, Signature, Start, Usage};
use crate::names::CallIds;
use crate::protocol::contract::StreamDecoder;
use crate::protocol::sse::{EVENT_TOO_LARGE, LARGEST_EVENT};

/// Reads a provider's stream.
#[derive(Debug)]
pub(super) struct Decoder {
    frames: Frames,
    found: Vec<Frame>,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    /// Whether an error or the end has been told.
    over: bool,
    /// The number of calls so far. Calls are numbered over the whole stream, whatever chunk they come in.
    calls: usize,
    ids: CallIds,
    /// The call whose arguments are coming in pieces.
    open: Option<OpenCall>,
    /// Whether something besides thoughts has come.
    content: bool,
    text: Counter,
    usage: Option<Usage>,
    /// Why the model stopped. A chunk may tell it before, with or after the last part, so it is told at the end.
    reason: Option<Reason>,
    message: Option<String>,
    blocked: bool,
    /// Whether a part has come that has no event.
    stirred: bool,
}

#[derive(Debug)]
struct OpenCall {
    id: Option<String>,
    name: String,
    signature: Option<Signature>,
    arguments: Arguments,
    size: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { frames: Frames::Unknown, found: Vec::new(), state: State::default() }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>) {
        if self.state.over {
            return;
        }
        let mut found = std::mem::take(&mut self.found);
        self.frames.push(portion, &mut found);
        for frame in found.drain(..) {
            self.state.frame(frame, events);
        }
        self.found = found;
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        if self.state.over {
            return;
        }
        if let Some(rest) = self.frames.end() {
            self.state.frame(rest, events);
        }
        if !self.state.over {
            self.state.end(events);
        }
    }

    fn stirred(&mut self) -> bool {
        std::mem::take(&mut self.state.stirred)
    }
}

impl State {
    fn fail(&mut self, error: ProviderError, events: &mut Vec<Event>) {
        if !self.over {
            self.over = true;
            events.push(Event::Error(error));
        }
    }

    fn frame(&mut self, frame: Frame, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let (json, rest) = match frame {
            Frame::Json(json) => (json, false),
            Frame::Rest(json) => (json, true),
            Frame::Junk(junk) => return self.fail(no_answer(&junk), events),
            Frame::TooLarge => {
                let error = ProviderError::new(ErrorKind::Server, EVENT_TOO_LARGE).code("bad_upstream_response");
                return self.fail(error, events);
            }
        };
        if json.starts_with(b"[") {
            match serde_json::from_slice::<Vec<Answer<'_>>>(&json) {
                Ok(chunks) => chunks.into_iter().for_each(|chunk| self.chunk(chunk, events)),
                Err(_) => self.unreadable(&json, rest, events),
            }
            return;
        }
        // There are several chunks where the empty lines between events are missing.
        for chunk in serde_json::Deserializer::from_slice(&json).into_iter::<Answer<'_>>() {
            match chunk {
                Ok(chunk) => self.chunk(chunk, events),
                Err(_) => return self.unreadable(&json, rest, events),
            }
        }
    }

    fn unreadable(&mut self, json: &[u8], rest: bool, events: &mut Vec<Event>) {
        // The stream ended within something, so it broke off.
        self.fail(if rest { ProviderError::truncated() } else { no_answer(json) }, events);
    }

    fn chunk(&mut self, chunk: Answer<'_>, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        if let Some(error) = chunk.error {
            return self.fail(error::in_answer(error), events);
        }
        let usage = chunk.usage_metadata.as_ref().and_then(UsageMetadata::usage);
        if !self.started {
            self.started = true;
            let service_tier = chunk.usage_metadata.as_ref().and_then(UsageMetadata::service_tier);
            let (id, model) = (chunk.response_id, chunk.model_version);
            events.push(Event::Start(Start { id, model, created: None, service_tier, usage }));
        }
        // Streams carry one answer.
        let first = |candidate: &Candidate<'_>| candidate.index.unwrap_or_default() == 0;
        if let Some(candidate) = chunk.candidates.into_iter().find(first) {
            self.candidate(candidate, events);
        } else if let Some(reason) = chunk.prompt_feedback.and_then(|feedback| feedback.block_reason)
            && !self.blocked
        {
            self.blocked = true;
            events.push(Event::Refusal(finish::blocked(&reason)));
        }
        // Every chunk tells the totals so far.
        if let Some(usage) = usage
            && !self.over
            && self.usage.replace(usage) != Some(usage)
        {
            events.push(Event::Usage(usage));
        }
    }

    fn candidate(&mut self, candidate: Candidate<'_>, events: &mut Vec<Event>) {
        let found = citations::found(&candidate);
        for part in candidate.content.map(|content| content.parts).unwrap_or_default() {
            self.part(part, events);
            if self.over {
                return;
            }
        }
        for found in found {
            let citation = found.counted(|offset| self.text.characters(offset));
            events.extend(citation.map(Event::Citation));
        }
        let logprobs = candidate.logprobs_result.as_ref().and_then(logprobs::read);
        events.extend(logprobs.map(Event::Logprobs));
        if let Some(reason) = candidate.finish_reason.as_ref().and_then(Reason::of) {
            self.reason = Some(reason);
            self.message = candidate.finish_message;
        }
    }

    /// Tells what `part` says. A chunk may mix all kinds of parts.
    fn part(&mut self, mut part: AnswerPart<'_>, events: &mut Vec<Event>) {
        let signature = part.thought_signature.take().map(signature);
        if let Some(call) = part.function_call.take() {
            return self.call(call, signature, events);
        }
        if part.own_block().is_some() {
            // Blocks of the provider's own tools have no event. The text that they lead to has.
            self.content = true;
            self.stirred = true;
        } else if let Some(media) = media(&mut part) {
            self.content = true;
            events.push(Event::Media(media));
        } else if part.thought {
            events.extend(part.text.filter(|text| !text.is_empty()).map(Event::Thinking));
            events.extend(signature.map(Event::ThinkingSignature));
        } else {
            if let Some(text) = part.text.filter(|text| !text.is_empty()) {
                self.content = true;
                self.text.push(&text);
                events.push(Event::Text(text));
            }
            events.extend(signature.map(Event::TextSignature));
        }
    }

    /// Tells a call, or a piece of one. A name begins a call, and the piece that announces no other ends it.
    fn call(&mut self, call: FunctionCall<'_>, signature: Option<Signature>, events: &mut Vec<Event>) {
        if let Some(name) = call.name.filter(|name| !name.is_empty()) {
            self.close(events);
            if !call.will_continue && call.partial_args.is_empty() {
                return self.whole_call(call.id, name, signature, arguments(call.args), events);
            }
            let arguments = Arguments::default();
            self.open = Some(OpenCall { id: call.id, name, signature, arguments, size: 0 });
        }
        let Some(open) = &mut self.open else { return };
        if let Some(args) = call.args {
            open.arguments.begin(args);
        }
        for piece in call.partial_args {
            open.size += piece.string_value.as_ref().map_or(0, String::len) + 32;
            open.arguments.add(piece);
        }
        if open.size > LARGEST_EVENT {
            let message = format!("the arguments of a call are larger than {LARGEST_EVENT} bytes");
            return self.fail(ProviderError::new(ErrorKind::Server, message).code("bad_upstream_response"), events);
        }
        if !call.will_continue {
            self.close(events);
        }
    }

    /// Ends the call whose arguments came in pieces.
    fn close(&mut self, events: &mut Vec<Event>) {
        if let Some(open) = self.open.take() {
            self.whole_call(open.id, open.name, open.signature, open.arguments.text(), events);
        }
    }

    fn whole_call(
        &mut self,
        id: Option<String>,
        name: String,
        signature: Option<Signature>,
        arguments: String,
        events: &mut Vec<Event>,
    ) {
        let call = self.calls;
        self.calls += 1;
        self.content = true;
        let id = self.ids.unlike_others(id);
        events.push(Event::ToolStart { call, id, name, kind: CallKind::Function, signature });
        events.push(Event::ToolArguments { call, text: arguments });
        events.push(Event::ToolEnd { call });
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        if self.blocked && self.reason.is_none() {
            self.over = true;
            events.push(Event::Finish { reason: Finish::ContentFilter, stop_sequence: None });
            return;
        }
        let Some(reason) = self.reason.take() else {
            let error = if self.started { ProviderError::truncated() } else { no_candidates() };
            return self.fail(error, events);
        };
        self.close(events);
        let message = self.message.take();
        match reason.finish(self.calls > 0, self.content, message.as_deref()) {
            Ok(finish) => {
                if !self.content {
                    events.extend(reason.refusal(message.as_deref()).map(Event::Refusal));
                }
                self.over = true;
                events.push(Event::Finish { reason: finish, stop_sequence: None });
            }
            Err(error) => self.fail(error, events),
        }
    }
}
