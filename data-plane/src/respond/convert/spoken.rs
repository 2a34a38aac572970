//! Takes secrets out of the texts of a stream that is converted, where they may stand across several deltas.

use translation::ir::Event;

use crate::provider::redact::{Leak, TextRedactor};

/// The texts of a stream.
#[derive(Debug, Default)]
pub(super) struct SpokenTexts {
    redactor: TextRedactor,
    /// The text that is under way.
    text: Option<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Said,
    Thought,
    Refusal,
    Arguments(usize),
}

impl Text {
    fn event(self, text: String) -> Event {
        match self {
            Self::Said => Event::Text(text),
            Self::Thought => Event::Thinking(text),
            Self::Refusal => Event::Refusal(text),
            Self::Arguments(call) => Event::ToolArguments { call, text },
        }
    }

    /// The text that `event` has more of.
    fn of(event: &Event) -> Option<(Self, &str)> {
        match event {
            Event::Text(text) => Some((Self::Said, text)),
            Event::Thinking(text) => Some((Self::Thought, text)),
            Event::Refusal(text) => Some((Self::Refusal, text)),
            Event::ToolArguments { call, text } => Some((Self::Arguments(*call), text)),
            _ => None,
        }
    }
}

impl SpokenTexts {
    /// Takes the next event. Gives the event that goes before it, and the event itself, without secrets.
    pub(super) fn push(&mut self, leak: &Leak, event: Event) -> (Option<Event>, Option<Event>) {
        let Some((kind, text)) = Text::of(&event) else {
            // Token counts may come within a text.
            let before = if matches!(event, Event::Usage(_)) { None } else { self.finish() };
            return (before, Some(event));
        };
        let before = if self.text == Some(kind) { None } else { self.finish() };
        self.text = Some(kind);
        let event = match self.redactor.push(leak, text.as_bytes()) {
            None => Some(event),
            Some(clean) if clean.is_empty() => None,
            Some(clean) => Some(kind.event(String::from_utf8_lossy(&clean).into_owned())),
        };
        (before, event)
    }

    /// What was held back of the text, which is at its end.
    fn finish(&mut self) -> Option<Event> {
        let rest = self.redactor.finish();
        let text = self.text.take()?;
        (!rest.is_empty()).then(|| text.event(String::from_utf8_lossy(&rest).into_owned()))
    }
}
