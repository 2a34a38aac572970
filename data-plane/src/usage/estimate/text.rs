//! Counts the tokens of texts. A long text is counted in parts, so that none takes long.

use std::sync::LazyLock;

use tiktoken::CoreBpe;
use translation::ir::{Event, Part, Response};

static VOCABULARY: LazyLock<Option<&'static CoreBpe>> = LazyLock::new(|| tiktoken::get_encoding("o200k_base"));

/// The most bytes of a text that are counted token by token. Of a longer text, so many are looked at, in [`PIECES`].
pub(super) const COUNTED: usize = 64 * 1024;

/// The number of places, evenly spread, in which a longer text is looked at.
const PIECES: usize = 8;

/// The tokens of `text`. Counting takes under 2 ms for prose of any length, and 10 ms for a text made to be slow.
pub fn tokens_of_text(text: &str) -> u64 {
    let mut sample = Sample::default();
    sample.look_at(text, COUNTED);
    sample.tokens()
}

/// The tokens that the model wrote for `response`.
pub fn tokens_of_response(response: &Response) -> u64 {
    let mut sample = Sample::default();
    for part in response.choices.iter().flat_map(|choice| &choice.parts) {
        match part {
            Part::Text { text, .. } | Part::Thinking { text, .. } | Part::Refusal(text) => sample.add(text),
            Part::ToolCall(call) => {
                sample.add(&call.name);
                sample.add(&call.arguments);
            }
            Part::Media(_) | Part::RedactedThinking(_) | Part::ToolResult(_) | Part::Opaque { .. } => {}
        }
    }
    sample.tokens()
}

/// What the model wrote in `event`.
pub(super) fn words(event: &Event) -> &str {
    match event {
        Event::Text(text)
        | Event::Thinking(text)
        | Event::Refusal(text)
        | Event::ToolArguments { text, .. }
        | Event::ToolStart { name: text, .. } => text,
        _ => "",
    }
}

/// Texts of which not more than [`COUNTED`] bytes are counted, however many and long they are.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// The bytes of all texts.
    bytes: u64,
    /// The bytes that were counted.
    seen: usize,
    /// The tokens in the bytes that were counted.
    tokens: u64,
}

impl Sample {
    /// Adds a text: all of it, or pieces of it where it takes more than half of what may still be counted. So there is
    /// always room for the next.
    pub(super) fn add(&mut self, text: &str) {
        self.look_at(text, (COUNTED - self.seen.min(COUNTED)) / 2);
    }

    fn look_at(&mut self, text: &str, room: usize) {
        self.bytes += text.len() as u64;
        if text.len() <= room {
            self.count(text);
            return;
        }
        let (piece, stride) = (room / PIECES, text.len() / PIECES);
        for at in 0..PIECES {
            let start = text.floor_char_boundary(at * stride);
            let end = text.floor_char_boundary(start + piece);
            self.count(&text[start..end]);
        }
    }

    fn count(&mut self, text: &str) {
        self.seen += text.len();
        self.tokens += match *VOCABULARY {
            Some(vocabulary) => vocabulary.count(text) as u64,
            // Not reached: the vocabulary is part of the build.
            None => text.len().div_ceil(4) as u64,
        };
    }

    /// The tokens of all texts.
    pub(super) fn tokens(&self) -> u64 {
        scaled(self.tokens, self.bytes, self.seen as u64)
    }
}

/// The tokens of `bytes` bytes, where `seen` of them are `tokens`.
pub(super) fn scaled(tokens: u64, bytes: u64, seen: u64) -> u64 {
    if seen == 0 || bytes <= seen {
        return tokens;
    }
    let scaled = u128::from(tokens) * u128::from(bytes) / u128::from(seen);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
