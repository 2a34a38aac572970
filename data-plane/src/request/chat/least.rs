//! The least number of tokens that a chat request is for any model.
//!
//! No vocabulary in use has a token that reaches over white space from one word into another: those of OpenAI, Llama,
//! Qwen, DeepSeek, Mistral and Kimi cut text into words first (`tiktoken`'s patterns, and the like), and those of
//! Google are made with SentencePiece, which does so by itself. So each word is one token at least. In English a token
//! is about three quarters of a word, so a request that has more words than a model reads tokens is a third too long,
//! and one that is hardly too long is left to its provider. Text without spaces, such as Chinese, is never found too
//! long.
//!
//! Only words count that every provider reads: the texts of messages and the system prompt. Thoughts of earlier turns,
//! tools, arguments and media do not.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The least number of tokens of the conversation in `body`.
pub(super) fn least_tokens(body: &[u8]) -> u64 {
    let mut words = 0;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    // A body that cannot be read is refused elsewhere.
    let _ = Walk { words: &mut words, place: Place::Top }.deserialize(&mut deserializer);
    words
}

/// The words of `text`: what stands between white space and is not only punctuation.
fn words(text: &str) -> u64 {
    let (mut words, mut within) = (0, false);
    for byte in text.bytes() {
        if byte.is_ascii_whitespace() {
            within = false;
        } else if !within && (byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
            within = true;
            words += 1;
        }
    }
    words
}

/// What stands at a place of the body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The whole body.
    Top,
    /// Text that the model reads, and what holds it.
    Read,
    /// All else.
    Other,
}

impl Place {
    /// What stands below a field of this name.
    fn below(self, name: &str) -> Self {
        let read = match self {
            Self::Top => matches!(
                name,
                "messages"
                    | "input"
                    | "contents"
                    | "system"
                    | "instructions"
                    | "systemInstruction"
                    | "system_instruction"
            ),
            Self::Read => matches!(name, "content" | "parts" | "text" | "output"),
            Self::Other => false,
        };
        if read { Self::Read } else { Self::Other }
    }
}

/// Reads one value, and counts the words in it.
struct Walk<'w> {
    words: &'w mut u64,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.place == Place::Other {
            return IgnoredAny::deserialize(deserializer).map(drop);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        *self.words += words(text);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut words, mut thought) = (0, false);
        while let Some(Name(name)) = map.next_key()? {
            if name == "thought" {
                // Gemini's mark of a part that was thought.
                thought |= map.next_value::<serde_json::Value>()? == true;
                continue;
            }
            map.next_value_seed(Walk { words: &mut words, place: self.place.below(&name) })?;
        }
        if !thought {
            *self.words += words;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk { words: &mut *self.words, place: self.place })?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A name that borrows where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);

#[cfg(test)]
mod tests;
