//! Counts tokens where a provider did not: because an answer was cut, or because the vendor reports no usage.
//!
//! It counts with `o200k_base`, the vocabulary of OpenAI's models since GPT-4o, whatever the model is. For those it is
//! exact, but for what the vendor wraps around messages and tools. Other families cut text into other pieces: Claude
//! into more, Gemini and most open models into about as many, and scripts other than Latin differ more than English
//! does. So an estimate tells what a request was worth, and not what a bill will say.
//!
//! The vocabulary is 0.8 MB of the program. It is unpacked at the first estimate, which takes about 60 ms once and 36
//! MB from then on: a node that never estimates never pays.
//!
//! - [`request`]: what a client asked.
//! - [`heard`]: what has come of an answer.

pub mod heard;
pub mod request;

use std::sync::LazyLock;

use shared::pb::UsageRecord;
use tiktoken::CoreBpe;
use translation::ir::{Event, Part, Response};

use heard::Heard;
use request::Asked;

static VOCABULARY: LazyLock<Option<&'static CoreBpe>> = LazyLock::new(|| tiktoken::get_encoding("o200k_base"));

/// As much text as is counted token by token. Of longer ones, so much is looked at, in [`PIECES`].
const COUNTED: usize = 64 * 1024;

/// A longer text is looked at in so many places, evenly spread.
const PIECES: usize = 8;

/// How many tokens `text` is. Takes under 2 ms for prose of any length; a text made to be slow takes ten.
pub fn tokens_of_text(text: &str) -> u64 {
    let mut sample = Sample::default();
    sample.look_at(text, COUNTED);
    sample.tokens()
}

/// How many tokens the model wrote for `response`.
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

/// What the tokens of a request are estimated from.
#[derive(Debug)]
pub struct Unreported {
    /// What the client asked. None where the provider has said how many tokens that was.
    pub asked: Option<Asked>,
    /// What has come of the answer.
    pub heard: Heard,
}

impl Unreported {
    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.asked.as_ref().map_or(0, Asked::bytes) + self.heard.bytes()
    }

    /// Writes the counts into `record`. A provider that has reported more of the output is right.
    pub fn count_in(self, record: &mut UsageRecord) {
        if let Some(asked) = self.asked {
            record.input_tokens = asked.tokens();
        }
        record.output_tokens = record.output_tokens.max(self.heard.tokens());
    }

    /// The same by the length alone: four bytes are a token of English text.
    pub fn count_roughly_in(&self, record: &mut UsageRecord) {
        const BYTES: usize = 4;
        if let Some(asked) = &self.asked {
            record.input_tokens = asked.bytes().div_ceil(BYTES) as u64;
        }
        record.output_tokens = record.output_tokens.max(self.heard.bytes().div_ceil(BYTES) as u64);
    }
}

/// What the model wrote in `event`.
fn words(event: &Event) -> &str {
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
struct Sample {
    /// Bytes of all texts.
    bytes: u64,
    /// Bytes that were counted.
    seen: usize,
    /// Tokens of these.
    tokens: u64,
}

impl Sample {
    /// Adds a text: all of it, or where it takes more than half of what may still be counted, pieces of it. So there is
    /// always room for the next.
    fn add(&mut self, text: &str) {
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

    /// Tokens of all texts.
    fn tokens(&self) -> u64 {
        scaled(self.tokens, self.bytes, self.seen as u64)
    }
}

/// `tokens` of `seen` bytes, as of `bytes`.
fn scaled(tokens: u64, bytes: u64, seen: u64) -> u64 {
    if seen == 0 || bytes <= seen {
        return tokens;
    }
    let scaled = u128::from(tokens) * u128::from(bytes) / u128::from(seen);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
