//! Events of other blocks that come while the block of a tool call is open.

use crate::ir::Event;
use crate::protocol::sse::LARGEST_EVENT;

/// The most events that are held.
const MOST_EVENTS: usize = 4_096;

/// Events that wait for the end of a block.
#[derive(Debug, Default)]
pub(super) struct Held {
    events: Vec<Event>,
    /// The size of their texts, in bytes.
    size: usize,
}

impl Held {
    /// Whether there is room for `event`.
    pub(super) fn fits(&self, event: &Event) -> bool {
        self.events.len() < MOST_EVENTS && self.size + size(event) <= LARGEST_EVENT
    }

    /// Holds `event`. Neighbouring pieces of one thing become one.
    pub(super) fn hold(&mut self, event: &Event) {
        self.size += size(event);
        if !self.joined(event) {
            self.events.push(event.clone());
        }
    }

    /// Holds `event` again, which was held before.
    pub(super) fn again(&mut self, event: Event) {
        self.size += size(&event);
        self.events.push(event);
    }

    fn joined(&mut self, event: &Event) -> bool {
        match (event, self.events.last_mut()) {
            (Event::Text(more), Some(Event::Text(text)))
            | (Event::Thinking(more), Some(Event::Thinking(text)))
            | (Event::Refusal(more), Some(Event::Refusal(text))) => {
                text.push_str(more);
                return true;
            }
            _ => {}
        }
        let Event::ToolArguments { call: wanted, text: more } = event else { return false };
        let before = self.events.iter_mut().rev().find_map(|held| match held {
            Event::ToolArguments { call, text } if call == wanted => Some(text),
            _ => None,
        });
        before.is_some_and(|text| {
            text.push_str(more);
            true
        })
    }

    /// Takes all events, in their order.
    pub(super) fn take(&mut self) -> Vec<Event> {
        self.size = 0;
        std::mem::take(&mut self.events)
    }
}

fn size(event: &Event) -> usize {
    match event {
        Event::Text(text) | Event::Thinking(text) | Event::Refusal(text) | Event::ToolArguments { text, .. } => {
            text.len()
        }
        _ => 0,
    }
}
