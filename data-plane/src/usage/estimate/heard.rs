//! What has come of an answer, for the case that its provider does not say how many tokens it was. Of an answer in
//! parts two KiB are held, however long it is: its beginning, and how much followed.

use bytes::Bytes;
use translation::Format;
use translation::ir::Event;
use translation::protocol::sse;

use super::text::{scaled, tokens_of_response, tokens_of_text, words};

/// The bytes of an answer that are looked at; the rest is taken to be like them.
const BEGINNING: usize = 2 * 1024;

/// What has come of an answer.
#[derive(Debug, Default)]
pub enum Heard {
    /// Nothing, or nothing that could be counted.
    #[default]
    Nothing,
    /// A provider's stream, as it came.
    Stream {
        /// The format of the stream.
        format: Format,
        /// The first of its events, whole.
        beginning: Vec<u8>,
        /// The bytes of all events.
        bytes: u64,
    },
    /// What the model wrote.
    Words {
        /// The first of the text.
        beginning: String,
        /// The bytes of the whole text.
        bytes: u64,
    },
    /// A whole answer, as it came.
    Whole {
        /// The format of the answer.
        format: Format,
        /// The body of the answer.
        body: Bytes,
    },
    /// A whole answer, of so many tokens.
    Counted(u64),
}

impl Heard {
    /// Takes one event of a provider's stream, with the blank line at its end.
    pub fn wire_event(&mut self, format: Format, event: &[u8]) {
        if let Self::Nothing = self {
            *self = Self::Stream { format, beginning: Vec::with_capacity(BEGINNING), bytes: 0 };
        }
        let Self::Stream { beginning, bytes, .. } = self else { return };
        if event.len() <= BEGINNING - beginning.len() {
            beginning.extend_from_slice(event);
        } else if beginning.is_empty() {
            // OpenAI's responses begin with an event that repeats the request, and that may be of any size.
            return;
        }
        *bytes += event.len() as u64;
    }

    /// Takes one event of an answer that is converted.
    pub fn event(&mut self, event: &Event) {
        let words = words(event);
        if words.is_empty() {
            return;
        }
        if let Self::Nothing = self {
            *self = Self::Words { beginning: String::new(), bytes: 0 };
        }
        let Self::Words { beginning, bytes } = self else { return };
        let room = BEGINNING - beginning.len();
        beginning.push_str(&words[..words.floor_char_boundary(room)]);
        *bytes += words.len() as u64;
    }

    /// The bytes that are held.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Nothing | Self::Counted(_) => 0,
            Self::Stream { beginning, .. } => beginning.len(),
            Self::Words { beginning, .. } => beginning.len(),
            Self::Whole { body, .. } => body.len(),
        }
    }

    /// The tokens that the model wrote, about.
    pub fn tokens(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Counted(tokens) => *tokens,
            Self::Stream { format, beginning, bytes } => tokens_of_stream(*format, beginning, *bytes),
            Self::Words { beginning, bytes } => extrapolated(beginning, *bytes, beginning.len() as u64),
            Self::Whole { format, body } => {
                format.protocol().decode_response(body).map_or(0, |response| tokens_of_response(&response))
            }
        }
    }
}

fn tokens_of_stream(format: Format, beginning: &[u8], bytes: u64) -> u64 {
    let mut decoder = format.protocol().decoder();
    let (mut text, mut events) = (String::new(), Vec::new());
    // Events before the first word are the frame, which does not grow with the answer.
    let mut frame = 0;
    for wire in sse::events(Bytes::copy_from_slice(beginning)) {
        let length = wire.len() as u64;
        decoder.push(wire, &mut events);
        for event in events.drain(..) {
            text.push_str(words(&event));
        }
        if text.is_empty() {
            frame += length;
        }
    }
    extrapolated(&text, bytes - frame, beginning.len() as u64 - frame)
}

/// The tokens of an answer of which `text`, `seen` of its `bytes`, is the beginning.
fn extrapolated(text: &str, bytes: u64, seen: u64) -> u64 {
    if bytes <= seen {
        return tokens_of_text(text);
    }
    // A space at the end belongs to the word that follows. Alone it would be a token more, which is much where little
    // is looked at.
    scaled(tokens_of_text(text.trim_end()), bytes, seen)
}
