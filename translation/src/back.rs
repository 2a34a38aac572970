//! Undoes on an answer what was done to its request for the target to take it.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use self::tags::Tags;
use crate::ir::{CallKind, Choice, Event, Finish, Part, Response};

mod tags;

/// The one property of a function that stands in for a tool of free text.
pub const CUSTOM_INPUT: &str = "input";

/// What was done to a request. Names are the target's, unless a field says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Back {
    /// The names of tools that were changed: the target's name → the client's.
    pub tool_names: HashMap<String, String>,
    /// A tool that was added for the model to answer through. The arguments of its call are the text of the answer.
    pub answer_tool: Option<String>,
    /// Tools of free text that were declared as functions with one string, [`CUSTOM_INPUT`].
    pub custom_tools: HashSet<String>,
    /// The beginning of the answer that the request gave as the model's own words. The model goes on from it and does
    /// not repeat it.
    pub prefill: Option<String>,
    /// The answer is to be JSON. If it is nothing but one fenced block, the fences are taken off.
    pub unfence: bool,
    /// The client wanted one tool call at most, and the target has no switch for that.
    pub first_call_only: bool,
    /// The target may leave thoughts in the text, between `<think>` and `</think>` at its beginning.
    pub think_tags: bool,
}

impl Back {
    /// Undoes on a whole answer what was done to its request.
    pub fn response(&self, response: &mut Response) {
        for choice in &mut response.choices {
            self.choice(choice);
        }
    }

    fn choice(&self, choice: &mut Choice) {
        if self.think_tags {
            tags::split(&mut choice.parts);
        }
        let mut seen_call = false;
        let mut answer = None;
        let parts = std::mem::take(&mut choice.parts).into_iter().filter_map(|part| match part {
            Part::ToolCall(call) if self.answer_tool.as_deref() == Some(&call.name) => {
                answer.get_or_insert(call.arguments);
                None
            }
            Part::ToolCall(_) if seen_call && self.first_call_only => None,
            Part::ToolCall(mut call) => {
                seen_call = true;
                if self.custom_tools.contains(&call.name) {
                    call.kind = CallKind::Custom;
                    call.arguments = free_text(call.arguments);
                }
                if let Some(name) = self.tool_names.get(&call.name) {
                    call.name.clone_from(name);
                }
                Some(Part::ToolCall(call))
            }
            other => Some(other),
        });
        choice.parts = parts.collect();
        if let Some(answer) = answer {
            // Words around the answer would spoil its shape.
            choice.parts.retain(|part| !matches!(part, Part::Text { .. }));
            choice.parts.push(Part::text(answer));
            if !seen_call && choice.finish == Some(Finish::ToolCalls) {
                choice.finish = Some(Finish::Stop);
            }
        }
        if let Some(prefill) = &self.prefill {
            match choice.parts.iter_mut().find(|part| matches!(part, Part::Text { .. })) {
                Some(Part::Text { text, .. }) => text.insert_str(0, prefill),
                _ => choice.parts.insert(0, Part::text(prefill.as_str())),
            }
        }
        if self.unfence {
            let mut texts = choice.parts.iter_mut().filter_map(|part| match part {
                Part::Text { text, .. } => Some(text),
                _ => None,
            });
            if let (Some(text), None) = (texts.next(), texts.next())
                && let Some(inner) = fenced(text)
            {
                *text = inner.to_owned();
            }
        }
    }

    /// Begins to undo on a stream what was done to its request.
    pub fn stream(self) -> Undo {
        Undo {
            unfence: self.unfence.then(Unfence::default),
            tags: self.think_tags.then(Tags::default),
            back: self,
            calls: Vec::new(),
            told: 0,
            answered: false,
            around: String::new(),
        }
    }

    /// Whether there is nothing to undo.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What stands within the fences, if `text` is one fenced block and nothing else.
fn fenced(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("```")?.strip_suffix("```")?;
    let (language, inner) = inner.split_once('\n')?;
    (language.trim().bytes().all(|byte| byte.is_ascii_alphanumeric()) && !inner.contains("\n```")).then(|| inner.trim())
}

/// The free text in the arguments of a function that stands in for a tool of free text. Arguments that do not keep to
/// the schema are returned as they are.
fn free_text(arguments: String) -> String {
    #[derive(Deserialize)]
    struct Arguments {
        input: String,
    }
    serde_json::from_str::<Arguments>(&arguments).map_or(arguments, |arguments| arguments.input)
}

/// Undoes on a stream what was done to its request.
#[derive(Debug)]
pub struct Undo {
    back: Back,
    calls: Vec<Call>,
    /// The number of calls that the client is told of.
    told: usize,
    answered: bool,
    unfence: Option<Unfence>,
    tags: Option<Tags>,
    /// Text that waits until it is known whether the answer comes through the tool for it. If it does, this text is no
    /// part of the answer.
    around: String,
}

/// The most text that waits, in bytes.
const MOST_AROUND: usize = 1024 * 1024;

#[derive(Debug)]
enum Call {
    /// The client is told of the call under this number.
    Told(usize),
    /// A call of a tool of free text. Its arguments are an escaped string within JSON, so they are kept until they are
    /// whole.
    Custom(usize, String),
    /// A call whose arguments are the answer.
    Answer,
    /// A call that the client did not want.
    Left,
}

impl Undo {
    /// Undoes on `events` what was done to the request.
    pub fn events(&mut self, events: &mut Vec<Event>) {
        for event in std::mem::take(events) {
            self.event(event, events);
        }
    }

    fn event(&mut self, event: Event, events: &mut Vec<Event>) {
        let Some(tags) = &mut self.tags else { return self.tell(event, events) };
        match event {
            Event::Text(text) => {
                let text = tags.push(text, events);
                if !text.is_empty() {
                    self.tell(Event::Text(text), events);
                }
            }
            Event::ToolStart { .. } | Event::Finish { .. } | Event::Error(_) => {
                let held = tags.end(events);
                if !held.is_empty() {
                    self.tell(Event::Text(held), events);
                }
                self.tell(event, events);
            }
            other => self.tell(other, events),
        }
    }

    fn tell(&mut self, event: Event, events: &mut Vec<Event>) {
        match event {
            Event::Start(_) => {
                events.push(event);
                if let Some(prefill) = self.back.prefill.take() {
                    self.text(prefill, events);
                }
            }
            Event::Text(_) if self.answered => {}
            Event::Text(text) if self.back.answer_tool.is_some() => {
                self.around.push_str(&text);
                if self.around.len() > MOST_AROUND {
                    self.tell_around(events);
                }
            }
            Event::Text(text) => self.text(text, events),
            Event::ToolStart { id, name, kind, signature, .. } => {
                let call = if self.back.answer_tool.as_deref() == Some(&name) {
                    self.around.clear();
                    if std::mem::replace(&mut self.answered, true) { Call::Left } else { Call::Answer }
                } else if self.back.first_call_only && self.told > 0 {
                    Call::Left
                } else {
                    self.tell_around(events);
                    self.told += 1;
                    let custom = self.back.custom_tools.contains(&name);
                    let kind = if custom { CallKind::Custom } else { kind };
                    let name = self.back.tool_names.get(&name).cloned().unwrap_or(name);
                    events.push(Event::ToolStart { call: self.told - 1, id, name, kind, signature });
                    if custom { Call::Custom(self.told - 1, String::new()) } else { Call::Told(self.told - 1) }
                };
                self.calls.push(call);
            }
            Event::ToolArguments { call, text } => match self.calls.get_mut(call) {
                Some(Call::Told(call)) => events.push(Event::ToolArguments { call: *call, text }),
                Some(Call::Custom(_, held)) => held.push_str(&text),
                Some(Call::Answer) => self.text(text, events),
                Some(Call::Left) | None => {}
            },
            Event::ToolEnd { call } => match self.calls.get_mut(call) {
                Some(Call::Told(call)) => events.push(Event::ToolEnd { call: *call }),
                Some(Call::Custom(call, held)) => {
                    let text = free_text(std::mem::take(held));
                    if !text.is_empty() {
                        events.push(Event::ToolArguments { call: *call, text });
                    }
                    events.push(Event::ToolEnd { call: *call });
                }
                Some(Call::Answer | Call::Left) | None => {}
            },
            Event::Finish { reason, stop_sequence } => {
                self.tell_around(events);
                if let Some(rest) = self.unfence.take().and_then(Unfence::end) {
                    events.push(Event::Text(rest));
                }
                let only_answer = self.answered && self.told == 0 && reason == Finish::ToolCalls;
                let reason = if only_answer { Finish::Stop } else { reason };
                events.push(Event::Finish { reason, stop_sequence });
            }
            Event::Error(_) => {
                self.tell_around(events);
                events.push(event);
            }
            other => events.push(other),
        }
    }

    fn tell_around(&mut self, events: &mut Vec<Event>) {
        let around = std::mem::take(&mut self.around);
        if !around.is_empty() {
            self.text(around, events);
        }
    }

    fn text(&mut self, text: String, events: &mut Vec<Event>) {
        let text = match &mut self.unfence {
            Some(unfence) => unfence.push(text),
            None => text,
        };
        if !text.is_empty() {
            events.push(Event::Text(text));
        }
    }
}

/// Takes fences off a text that comes in pieces. It holds back the first line until it is known to be no fence, and
/// what may be the last fence.
#[derive(Debug, Default)]
struct Unfence {
    held: String,
    state: Fence,
}

#[derive(Debug, Default, PartialEq)]
enum Fence {
    /// So far the text may be the beginning of a fence.
    #[default]
    Unknown,
    /// The text began with a fence.
    Fenced,
    /// The text began with something else.
    Plain,
}

/// The longest first line that may be a fence, in bytes.
const LONGEST_FENCE: usize = 32;

impl Unfence {
    fn push(&mut self, text: String) -> String {
        if self.state == Fence::Plain {
            return text;
        }
        self.held.push_str(&text);
        if self.state == Fence::Unknown {
            let start = self.held.trim_start();
            let fence_may_come = start.len() < 3 && "```".starts_with(start);
            if fence_may_come {
                return String::new();
            }
            let Some(rest) = start.strip_prefix("```") else {
                self.state = Fence::Plain;
                return std::mem::take(&mut self.held);
            };
            match rest.split_once('\n') {
                Some((language, body)) if language.trim().bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                    self.held = body.to_owned();
                    self.state = Fence::Fenced;
                }
                None if rest.len() <= LONGEST_FENCE => return String::new(),
                _ => {
                    self.state = Fence::Plain;
                    return std::mem::take(&mut self.held);
                }
            }
        }
        // White space and backticks at the end may belong to the closing fence, so they are held.
        let body = self.held.trim_end();
        let body = body.trim_end_matches('`').trim_end();
        let told = self.held[..body.len()].to_owned();
        self.held.drain(..body.len());
        told
    }

    fn end(self) -> Option<String> {
        let rest = match self.state {
            Fence::Fenced => {
                let rest = self.held.trim_end();
                rest.strip_suffix("```").map_or(rest, str::trim_end).to_owned()
            }
            Fence::Unknown | Fence::Plain => self.held,
        };
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests;
