//! Reads a provider's stream (API reference, "Streaming").

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{self, Answer, Said};
use super::lenient::{Count, Text, maybe};
use super::meter::Counts;
use super::streamed::{Items, Where};
use crate::ir::{DECLINED, ErrorKind, Event, Finish, ProviderError, Start};
use crate::protocol::contract::StreamDecoder;
use crate::protocol::sse::{self, EVENT_TOO_LARGE, EventSplitter, LARGEST_EVENT};

/// Reads a provider's stream.
#[derive(Debug)]
pub(super) struct Decoder {
    splitter: EventSplitter,
    items: Items,
    started: bool,
    /// Whether an event has come that is a step of the answer.
    stirred: bool,
    /// Whether nothing more is told.
    over: bool,
}

/// An event of any type, which has some of these fields.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    delta: Text<'a>,
    #[serde(borrow)]
    item_id: Text<'a>,
    output_index: Count,
    content_index: Count,
    summary_index: Count,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Text<'a>,
    #[serde(borrow)]
    refusal: Text<'a>,
    #[serde(borrow)]
    arguments: Text<'a>,
    #[serde(borrow)]
    input: Text<'a>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    annotation: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            splitter: EventSplitter::new(LARGEST_EVENT),
            items: Items::default(),
            started: false,
            stirred: false,
            over: false,
        }
    }

    fn events(&mut self, whole: Bytes, events: &mut Vec<Event>) {
        for event in sse::events(whole) {
            if self.over {
                return;
            }
            // A proxy on the way may have lost the framing of an error.
            let data = sse::data(&event).unwrap_or_else(|| event.slice_ref(event.trim_ascii()));
            let data = data.trim_ascii();
            if data.starts_with(b"{") {
                self.data(data, events);
            }
        }
    }

    fn data(&mut self, data: &[u8], events: &mut Vec<Event>) {
        let Ok(wire) = serde_json::from_slice::<Wire<'_>>(data) else {
            // No event of this API looks like that, so what follows cannot be relied on.
            if serde_json::from_slice::<serde::de::IgnoredAny>(data).is_err() {
                self.fail(bad("the provider's stream holds an event that is no JSON"), events);
            }
            return;
        };
        self.event(&wire, data, events);
        if self.items.too_many {
            self.fail(bad("the provider's answer has too many parts"), events);
        }
    }

    fn event(&mut self, wire: &Wire<'_>, data: &[u8], events: &mut Vec<Event>) {
        let r#type = wire.r#type.or_empty();
        if r#type == "error" || (r#type.is_empty() && wire.error.is_some()) {
            let error = match (wire.error, serde_json::from_slice::<&RawValue>(data)) {
                (Some(error), _) => answer::failure(error),
                // The documented shape has the words at its top level.
                (None, Ok(flat)) => flat_failure(flat),
                (None, Err(_)) => bad("the provider failed"),
            };
            return self.fail(error, events);
        }
        let Some(what) = r#type.strip_prefix("response.") else { return };
        let response = || wire.response.and_then(maybe::<Answer<'_>>);
        match what {
            "created" | "queued" | "in_progress" => {
                self.start(response().as_ref(), events);
                return;
            }
            "failed" => {
                let error = response().and_then(|answer| answer.failure());
                return self.fail(error.unwrap_or_else(|| bad("the provider failed")), events);
            }
            "completed" | "incomplete" | "cancelled" => return self.ended(what, response(), events),
            _ => {}
        }
        self.start(None, events);
        self.stirred |= wire.delta.given().is_some() || what.rsplit_once('.').is_none_or(|(_, last)| last != "delta");
        let piece = wire.content_index.0.or(wire.summary_index.0).unwrap_or_default();
        let at = Where::new(wire.output_index.0, wire.item_id.or_empty(), piece);
        let items = &mut self.items;
        match what {
            "output_text.delta" => {
                items.text(at, wire.delta.or_empty(), events);
                if let Some(tokens) = wire.logprobs.filter(|tokens| tokens.get().len() > 2) {
                    let tokens = maybe::<Vec<&RawValue>>(tokens).unwrap_or_default();
                    if !tokens.is_empty() {
                        events.push(Event::Logprobs(answer::logprobs(&tokens)));
                        items.noted_logprobs(at);
                    }
                }
            }
            "output_text.done" => items.text_done(at, wire.text.or_empty(), events),
            "output_text.annotation.added" => {
                if let Some(annotation) = wire.annotation {
                    items.annotation(at, annotation, events);
                }
            }
            "refusal.delta" => items.refusal(at, wire.delta.or_empty(), events),
            "refusal.done" => items.refusal_done(at, wire.refusal.or_empty(), events),
            "reasoning_summary_text.delta" => items.thought(at, true, wire.delta.or_empty(), events),
            "reasoning_summary_text.done" => items.thought_done(at, true, wire.text.or_empty(), events),
            "reasoning_text.delta" => items.thought(at, false, wire.delta.or_empty(), events),
            "reasoning_text.done" => items.thought_done(at, false, wire.text.or_empty(), events),
            "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
                items.arguments(at, wire.delta.or_empty(), events);
            }
            "function_call_arguments.done" => items.arguments_done(at, wire.arguments.or_empty(), events),
            "custom_tool_call_input.done" => items.arguments_done(at, wire.input.or_empty(), events),
            "output_item.added" => {
                if let Some(item) = wire.item {
                    items.added(at, item, events);
                }
            }
            "output_item.done" => {
                if let Some(item) = wire.item {
                    items.done(at, item, events);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, answer: Option<&Answer<'_>>, events: &mut Vec<Event>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let start = answer.map_or_else(Start::default, |answer| Start {
            id: answer.id.given().map(str::to_owned),
            model: answer.model.given().map(str::to_owned),
            created: answer.created_at.0,
            service_tier: answer.served_by(),
            usage: answer.usage.and_then(Counts::read),
        });
        events.push(Event::Start(start));
    }

    fn ended(&mut self, what: &str, answer: Option<Answer<'_>>, events: &mut Vec<Event>) {
        let answer = answer.unwrap_or_default();
        self.start(Some(&answer), events);
        if let Some(failure) = answer.failure() {
            return self.fail(failure, events);
        }
        if what == "cancelled" {
            let error = ProviderError::new(ErrorKind::Server, "the response was cancelled").code("cancelled");
            return self.fail(error, events);
        }
        self.items.rest(&answer.items(), events);
        if self.items.too_many {
            return;
        }
        events.extend(answer.usage.and_then(Counts::read).map(Event::Usage));
        let said: Said = self.items.said;
        let reason = answer.finish(said).unwrap_or_else(|| said.finish());
        if reason == Finish::ContentFilter && self.items.told_nothing() {
            events.push(Event::Refusal(DECLINED.to_owned()));
        }
        events.push(Event::Finish { reason, stop_sequence: None });
        self.over = true;
    }

    fn fail(&mut self, error: ProviderError, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.over, true) {
            events.push(Event::Error(error));
        }
    }
}

fn bad(message: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Server, message).code("bad_upstream_response")
}

/// An error event as documented: `{"type":"error","code","message","param"}`. Its type is the event's, and tells
/// nothing of the error.
fn flat_failure(flat: &RawValue) -> ProviderError {
    let mut error: serde_json::Value = maybe(flat).unwrap_or_default();
    if let Some(fields) = error.as_object_mut() {
        fields.remove("type");
    }
    serde_json::value::to_raw_value(&error).map_or_else(|_| bad("the provider failed"), |error| answer::failure(&error))
}

impl StreamDecoder for Decoder {
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>) {
        if self.over {
            return;
        }
        let (whole, too_large) = match self.splitter.push(portion) {
            Ok(whole) => (whole, false),
            Err(sse::TooLarge { before, .. }) => (before, true),
        };
        self.events(whole, events);
        if too_large {
            self.fail(bad(EVENT_TOO_LARGE), events);
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        let rest = self.splitter.take_rest();
        // An event that lost its end counts if it is whole otherwise.
        let whole = sse::data(&rest).is_some_and(|data| serde_json::from_slice::<&RawValue>(&data).is_ok())
            || serde_json::from_slice::<&RawValue>(&rest).is_ok();
        if whole {
            self.events(rest, events);
        }
        if !self.over {
            self.fail(ProviderError::truncated(), events);
        }
    }

    fn done(&self) -> bool {
        self.over
    }

    fn stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }
}
