//! A stream as a whole answer, and a whole answer as a stream.

use super::error::ProviderError;
use super::event::{Event, Start};
use super::part::{Part, Signature, ToolCall};
use super::response::{Choice, Response};
use crate::json::Json;

/// Puts the events of a stream together.
#[derive(Debug, Default)]
pub struct Collector {
    response: Response,
    choice: Choice,
    /// The index in the parts of each tool call.
    calls: Vec<usize>,
    /// The index in the parts of each text, and how many characters of text stand before it.
    texts: Vec<(usize, u64)>,
    /// The number of characters of all texts.
    characters: u64,
    logprobs: Vec<serde_json::Value>,
}

impl Collector {
    /// Takes the next event.
    ///
    /// # Errors
    /// The error that the stream ends with.
    pub fn event(&mut self, event: Event) -> Result<(), ProviderError> {
        let parts = &mut self.choice.parts;
        match event {
            Event::Start(start) => {
                self.response.id = start.id;
                self.response.model = start.model;
                self.response.created = start.created;
                self.response.service_tier = start.service_tier;
                self.response.usage = start.usage;
            }
            Event::Text(more) => {
                let characters = more.chars().count() as u64;
                if let Some(Part::Text { text, signature: None, .. }) = parts.last_mut() {
                    text.push_str(&more);
                } else {
                    self.texts.push((parts.len(), self.characters));
                    parts.push(Part::text(more));
                }
                self.characters += characters;
            }
            Event::Thinking(more) => match parts.last_mut() {
                Some(Part::Thinking { text, signature: None }) => text.push_str(&more),
                _ => parts.push(Part::Thinking { text: more, signature: None }),
            },
            Event::ThinkingSignature(signed) => match parts.last_mut() {
                Some(Part::Thinking { signature: signature @ None, .. }) => *signature = Some(signed),
                _ => parts.push(Part::Thinking { text: String::new(), signature: Some(signed) }),
            },
            Event::RedactedThinking(signature) => parts.push(Part::RedactedThinking(signature)),
            Event::Refusal(more) => match parts.last_mut() {
                Some(Part::Refusal(text)) => text.push_str(&more),
                _ => parts.push(Part::Refusal(more)),
            },
            Event::ToolStart { id, name, kind, signature, .. } => {
                self.calls.push(parts.len());
                parts.push(Part::ToolCall(ToolCall {
                    id,
                    name,
                    arguments: String::new(),
                    kind,
                    signature,
                    cache: None,
                }));
            }
            Event::ToolArguments { call, text } => {
                let part = self.calls.get(call).and_then(|at| parts.get_mut(*at));
                if let Some(Part::ToolCall(call)) = part {
                    call.arguments.push_str(&text);
                }
            }
            Event::ToolEnd { .. } => {}
            Event::Citation(mut citation) => {
                // A citation may come when the text after its own has begun.
                let start = citation.start.or(citation.end).unwrap_or(u64::MAX);
                let text = self.texts.partition_point(|(_, before)| *before <= start).saturating_sub(1);
                if let Some((at, before)) = self.texts.get(text)
                    && let Some(Part::Text { citations, .. }) = parts.get_mut(*at)
                {
                    citation.start = citation.start.map(|at| at.saturating_sub(*before));
                    citation.end = citation.end.map(|at| at.saturating_sub(*before));
                    citations.push(citation);
                }
            }
            Event::Media(media) => parts.push(Part::Media(media)),
            Event::TextSignature(signed) => sign_text(parts, signed),
            Event::Logprobs(logprobs) => {
                let mut logprobs: serde_json::Value = logprobs.read().unwrap_or_default();
                if let Some(content) = logprobs["content"].as_array_mut() {
                    self.logprobs.append(content);
                }
            }
            Event::Usage(usage) => self.response.usage = Some(usage),
            Event::Finish { reason, stop_sequence } => {
                self.choice.finish = Some(reason);
                self.choice.stop_sequence = stop_sequence;
            }
            Event::Error(error) => return Err(error),
        }
        Ok(())
    }

    /// The whole answer.
    ///
    /// # Errors
    /// [`ProviderError::truncated`]: the stream did not say why the model stopped.
    pub fn finish(mut self) -> Result<Response, ProviderError> {
        if self.choice.finish.is_none() {
            return Err(ProviderError::truncated());
        }
        if !self.logprobs.is_empty() {
            self.choice.logprobs = Some(Json::of(&serde_json::json!({ "content": self.logprobs })));
        }
        self.response.choices.push(self.choice);
        Ok(self.response)
    }
}

fn sign_text(parts: &mut Vec<Part>, signed: Signature) {
    if let Some(Part::Text { signature: signature @ None, .. }) = parts.last_mut() {
        *signature = Some(signed);
    } else {
        parts.push(Part::Text { text: String::new(), cache: None, citations: Vec::new(), signature: Some(signed) });
    }
}

impl Response {
    /// The first answer as a stream.
    pub fn into_events(mut self) -> Vec<Event> {
        let choice = if self.choices.is_empty() { Choice::default() } else { self.choices.swap_remove(0) };
        let (id, model, created, service_tier) = (self.id, self.model, self.created, self.service_tier);
        let mut events = vec![Event::Start(Start { id, model, created, service_tier, usage: self.usage })];
        let (mut calls, mut before) = (0, 0);
        for part in choice.parts {
            match part {
                Part::Text { text, citations, signature, .. } => {
                    let length = text.chars().count() as u64;
                    if !text.is_empty() {
                        events.push(Event::Text(text));
                    }
                    events.extend(citations.into_iter().map(|mut citation| {
                        citation.start = citation.start.map(|at| at + before);
                        citation.end = citation.end.map(|at| at + before);
                        Event::Citation(citation)
                    }));
                    events.extend(signature.map(Event::TextSignature));
                    before += length;
                }
                Part::Media(media) => events.push(Event::Media(media)),
                Part::Thinking { text, signature } => {
                    if !text.is_empty() {
                        events.push(Event::Thinking(text));
                    }
                    events.extend(signature.map(Event::ThinkingSignature));
                }
                Part::RedactedThinking(signature) => events.push(Event::RedactedThinking(signature)),
                Part::ToolCall(call) => {
                    let (id, name, kind, signature) = (call.id, call.name, call.kind, call.signature);
                    events.push(Event::ToolStart { call: calls, id, name, kind, signature });
                    if !call.arguments.is_empty() {
                        events.push(Event::ToolArguments { call: calls, text: call.arguments });
                    }
                    events.push(Event::ToolEnd { call: calls });
                    calls += 1;
                }
                Part::Refusal(text) => events.push(Event::Refusal(text)),
                Part::ToolResult(_) | Part::Opaque { .. } => {}
            }
        }
        events.extend(choice.logprobs.map(Event::Logprobs));
        events.extend(self.usage.map(Event::Usage));
        let reason = choice.finish.unwrap_or(super::response::Finish::Stop);
        events.push(Event::Finish { reason, stop_sequence: choice.stop_sequence });
        events
    }
}

#[cfg(test)]
mod tests;
