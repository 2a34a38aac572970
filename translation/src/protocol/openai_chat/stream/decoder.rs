//! Reads a provider's stream.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::super::answer::decode::{self, finish, logprobs, settled};
use super::super::answer::wire::{Answer, Audio, Choice, Image, Message, UrlCitation};
use super::super::soft::Soft;
use super::super::thoughts::{Block, Detail, Extra};
use super::calls::Calls;
use crate::ir::{DECLINED, ErrorKind, Event, Finish, Part, ProviderError, Start};
use crate::protocol::contract::StreamDecoder;
use crate::protocol::sse::{self, EVENT_TOO_LARGE, EventSplitter, LARGEST_EVENT};

/// Reads a stream. The end of the answer is held back until nothing but `[DONE]` can follow, since usage comes after
/// the reason to stop.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    splitter: EventSplitter,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    /// Whether an event has been seen.
    begun: bool,
    /// Whether `Start` has been given.
    started: bool,
    /// Whether something of the answer has been given.
    said: bool,
    /// Whether something besides thoughts has been given.
    spoken: bool,
    /// Whether a thought has been given and no signature after it.
    thinking: bool,
    calls: Calls,
    finish: Option<Finish>,
    /// Whether nothing more is given.
    over: bool,
}

impl Decoder {
    /// A decoder for a stream from its beginning.
    pub(in super::super) fn new() -> Self {
        Self { splitter: EventSplitter::new(LARGEST_EVENT), state: State::default() }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>) {
        if self.state.over {
            return;
        }
        let (whole, too_large) = match self.splitter.push(portion) {
            Ok(whole) => (whole, false),
            Err(sse::TooLarge { before, .. }) => (before, true),
        };
        for event in sse::events(whole) {
            self.state.event(&event, events);
        }
        if too_large {
            self.state
                .fail(ProviderError::new(ErrorKind::Server, EVENT_TOO_LARGE).code("bad_upstream_response"), events);
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        let rest = self.splitter.take_rest();
        self.state.last(&rest, events);
    }

    fn done(&self) -> bool {
        self.state.over
    }
}

impl State {
    fn event(&mut self, event: &Bytes, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let event = match event.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if !self.begun => event.slice_ref(rest),
            _ => event.clone(),
        };
        self.begun = true;
        // No field of an event has such a name.
        if matches!(event.trim_ascii_start().first(), Some(b'{' | b'[' | b'<')) {
            self.bare(event.trim_ascii(), events);
        } else if let Some(data) = sse::data(&event) {
            self.data(&data, &event, events);
        }
    }

    /// A JSON document or a page in an event's place: an error (`docs/TRANSLATION.md` section 8.9), or the whole answer
    /// of a vendor that does not stream.
    fn bare(&mut self, text: &[u8], events: &mut Vec<Event>) {
        let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
        let text = documents.next().and_then(Result::ok).map_or(text, |document| document.get().as_bytes());
        match serde_json::from_slice::<Soft<Answer<'_>>>(text) {
            Ok(Soft(Some(answer))) if !answer.fails() && answer.choices.0.is_some() => {
                self.answer(answer, text, events);
                self.done(events);
            }
            _ => self.fail(decode::failure(text), events),
        }
    }

    fn data(&mut self, data: &Bytes, event: &Bytes, events: &mut Vec<Event>) {
        let data = data.trim_ascii();
        if data.is_empty() {
            return;
        }
        if data == b"[DONE]" {
            return self.done(events);
        }
        match serde_json::from_slice::<Soft<Answer<'_>>>(data) {
            Ok(Soft(Some(answer))) => {
                let named = answer.choices.0.is_none() && sse::name(event).is_some_and(|name| name == "error");
                if named || answer.fails() {
                    return self.fail(decode::failure(data), events);
                }
                self.answer(answer, data, events);
            }
            Ok(Soft(None)) if data.starts_with(b"[") => self.fail(decode::failure(data), events),
            // A number or a text is a sign of life.
            Ok(Soft(None)) => {}
            Err(_) if sse::name(event).is_some_and(|name| name == "ping") => {}
            Err(_) => self.fail(decode::failure(data), events),
        }
    }

    fn answer(&mut self, mut answer: Answer<'_>, text: &[u8], events: &mut Vec<Event>) {
        let usage = answer.counts();
        // Azure's first event belongs to no answer and says nothing.
        let names =
            !answer.id.as_str().is_empty() || answer.choices.0.as_ref().is_some_and(|choices| !choices.is_empty());
        if names && !self.started {
            self.start(
                Start {
                    id: answer.id.filled().map(Cow::into_owned),
                    model: answer.model.filled().map(Cow::into_owned),
                    created: answer.created.0.filter(|created| *created > 0),
                    service_tier: answer.service_tier.filled().map(Cow::into_owned),
                    usage: None,
                },
                events,
            );
        }
        let mut none = true;
        for choice in answer.choices.items() {
            none = false;
            if choice.fails()
                || matches!(choice.finish_reason.as_str(), "network_error" | "insufficient_system_resource")
            {
                let error = choice.failure().unwrap_or_else(|| decode::failure(text));
                return self.fail(error, events);
            }
            // Streams carry one answer. Of several that were asked for, it is the first.
            if choice.index.0.unwrap_or_default() == 0 {
                self.choice(choice, events);
                if self.over {
                    return;
                }
            }
        }
        if let Some(usage) = usage {
            self.start(Start::default(), events);
            events.push(Event::Usage(usage.into()));
            if none && self.finish.is_some() {
                self.done(events);
            }
        }
    }

    fn choice(&mut self, choice: Choice<'_>, events: &mut Vec<Event>) {
        let before = events.len();
        if let Some(message) = choice.delta.0.or(choice.message.0) {
            self.message(message, events);
            if self.calls.too_many() {
                let words = "The provider called more tools than one answer may.";
                return self.fail(ProviderError::new(ErrorKind::Server, words).code("bad_upstream_response"), events);
            }
        }
        self.said |= events.len() > before;
        self.spoken |= events[before..].iter().any(|event| {
            matches!(event, Event::Text(_) | Event::Refusal(_) | Event::Media(_) | Event::ToolStart { .. })
        });
        events.extend(logprobs(choice.logprobs).map(Event::Logprobs));
        self.finish = self.finish.or(finish(choice.finish_reason.as_str()));
    }

    fn message(&mut self, message: Message<'_>, events: &mut Vec<Event>) {
        let (thoughts, said) = decode::content(message.content.0);
        let words = message.reasoning_content.filled().or(message.reasoning.filled());
        let spoken = words.is_some();
        if let Some(words) = words {
            self.think(words, events);
        }
        for thought in thoughts {
            self.thought(thought, false, events);
        }
        for thought in message.reasoning_details.items().filter_map(Detail::part) {
            self.thought(thought, spoken, events);
        }
        for thought in message.thinking_blocks.items().filter_map(Block::part) {
            // The block repeats what was told piece by piece.
            self.thought(thought, spoken || self.thinking, events);
        }
        for part in said {
            self.calls.end_whole(events);
            match part {
                Part::Text { text, .. } => events.push(Event::Text(text)),
                Part::Refusal(words) => events.push(Event::Refusal(words)),
                Part::Media(media) => events.push(Event::Media(media)),
                _ => {}
            }
        }
        events.extend(message.refusal.filled().map(Event::Refusal));
        let pages = message.annotations.items().filter_map(|annotation| annotation.url_citation.0);
        events.extend(pages.filter_map(UrlCitation::citation).map(Event::Citation));
        events.extend(message.audio.0.and_then(Audio::media).map(Event::Media));
        let images = message.images.items();
        events.extend(images.filter_map(Image::media).map(Event::Media));
        // With calls beside it, a signature of the whole message is that of the first.
        let mut signature = message.extra_content.0.and_then(Extra::signature);
        let mut called = false;
        for call in message.tool_calls.items() {
            called = true;
            self.calls.push(call, &mut signature, events);
        }
        if let Some(function) = message.function_call.0
            && !called
        {
            self.calls.push_function(function, events);
        }
        events.extend(signature.map(Event::TextSignature));
    }

    fn think(&mut self, words: String, events: &mut Vec<Event>) {
        self.thinking = true;
        events.push(Event::Thinking(words));
    }

    /// Gives a thought. `told` says that its words have been given before.
    fn thought(&mut self, thought: Part, told: bool, events: &mut Vec<Event>) {
        match thought {
            Part::Thinking { text, signature } => {
                if !text.is_empty() && !told {
                    self.think(text, events);
                }
                if let Some(signature) = signature {
                    self.thinking = false;
                    events.push(Event::ThinkingSignature(signature));
                }
            }
            Part::RedactedThinking(signature) => events.push(Event::RedactedThinking(signature)),
            _ => {}
        }
    }

    fn start(&mut self, start: Start, events: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            events.push(Event::Start(start));
        }
    }

    /// Ends a stream that says that it is complete.
    fn done(&mut self, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        // Some vendors give no reason, but do say that they are done.
        if self.finish.is_none() && !self.said {
            return self.fail(ProviderError::truncated(), events);
        }
        self.start(Start::default(), events);
        self.calls.end(events);
        let reason = settled(self.finish, self.calls.any());
        if reason == Finish::ContentFilter && !self.spoken {
            events.push(Event::Refusal(DECLINED.to_owned()));
        }
        self.over = true;
        events.push(Event::Finish { reason, stop_sequence: None });
    }

    /// Ends a stream whose connection ended with `rest` behind the last whole event.
    fn last(&mut self, rest: &Bytes, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        // The last line end may be missing, but not half an event.
        let whole = sse::data(rest).is_none_or(|data| {
            let data = data.trim_ascii();
            data == b"[DONE]" || crate::json::is_json(&String::from_utf8_lossy(data))
        });
        if whole {
            self.event(rest, events);
        }
        if self.over {
            return;
        }
        if self.finish.is_some() {
            self.done(events);
        } else {
            self.fail(ProviderError::truncated(), events);
        }
    }

    fn fail(&mut self, error: ProviderError, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.over, true) {
            events.push(Event::Error(error));
        }
    }
}
