//! Thoughts that a vendor leaves in the content, between `<think>` and `</think>` at the beginning of the answer.

use crate::ir::{Event, Part};

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes thoughts out of a text that comes in pieces. It holds back what may be a part of a tag.
#[derive(Debug, Default)]
pub(super) struct Tags {
    held: String,
    state: State,
    /// Whether something of the thought has been told.
    begun: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    /// So far the text may begin with a thought.
    #[default]
    Before,
    /// The text is a thought.
    Inside,
    /// The thought is over, and nothing but white space has followed.
    Behind,
    /// What comes is the answer.
    Plain,
}

impl Tags {
    /// Takes the next piece, and appends the thoughts in it. Returns what belongs to the answer.
    pub(super) fn push(&mut self, text: String, events: &mut Vec<Event>) -> String {
        if self.state == State::Plain {
            return text;
        }
        self.held.push_str(&text);
        if self.state == State::Before {
            let start = self.held.trim_start();
            if start.len() < OPEN.len() && OPEN.starts_with(start) {
                return String::new();
            }
            let Some(rest) = start.strip_prefix(OPEN) else {
                self.state = State::Plain;
                return std::mem::take(&mut self.held);
            };
            self.held = rest.to_owned();
            self.state = State::Inside;
        }
        if self.state == State::Inside {
            if !self.begun {
                let rest = self.held.trim_start().len();
                self.held.drain(..self.held.len() - rest);
                self.begun = rest > 0;
            }
            let Some(at) = self.held.find(CLOSE) else {
                // White space at the end may belong to the closing tag, and so may the beginning of one.
                let open = (0..CLOSE.len()).rev().find(|end| self.held.ends_with(&CLOSE[..*end])).unwrap_or_default();
                let told = self.held[..self.held.len() - open].trim_end().len();
                think(self.held.drain(..told).collect(), events);
                return String::new();
            };
            think(self.held[..at].trim_end().to_owned(), events);
            self.held.drain(..at + CLOSE.len());
            self.state = State::Behind;
        }
        let rest = self.held.trim_start();
        if rest.is_empty() {
            self.held.clear();
            return String::new();
        }
        self.state = State::Plain;
        let rest = rest.to_owned();
        self.held.clear();
        rest
    }

    /// Ends the text. Returns what belongs to the answer and was held back.
    pub(super) fn end(&mut self, events: &mut Vec<Event>) -> String {
        let held = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.state, State::Plain) {
            State::Inside => {
                think(held.trim_end().to_owned(), events);
                String::new()
            }
            State::Before => held,
            State::Behind | State::Plain => String::new(),
        }
    }
}

fn think(thought: String, events: &mut Vec<Event>) {
    if !thought.is_empty() {
        events.push(Event::Thinking(thought));
    }
}

/// Takes the thought out of the first text of a whole answer.
pub(super) fn split(parts: &mut Vec<Part>) {
    let Some(at) = parts.iter().position(|part| matches!(part, Part::Text { .. })) else { return };
    let Part::Text { text, .. } = &mut parts[at] else { return };
    let (mut tags, mut events) = (Tags::default(), Vec::new());
    let mut rest = tags.push(std::mem::take(text), &mut events);
    rest.push_str(&tags.end(&mut events));
    if rest.is_empty() && !events.is_empty() {
        parts.remove(at);
    } else if let Part::Text { text, .. } = &mut parts[at] {
        *text = rest;
    }
    let thought: String = events
        .into_iter()
        .filter_map(|event| match event {
            Event::Thinking(text) => Some(text),
            _ => None,
        })
        .collect();
    if !thought.is_empty() {
        parts.insert(at, Part::Thinking { text: thought, signature: None });
    }
}
