//! Thoughts and signatures. OpenAI's own format has no fields for them, so compatible vendors, gateways and Google have
//! their own:
//!
//! - `reasoning_content` (DeepSeek and many), `reasoning` (OpenRouter, Groq): text.
//! - `reasoning_details` (OpenRouter): text with signatures.
//! - `thinking_blocks` (LiteLLM): Anthropic's blocks.
//! - `extra_content.google.thought_signature` (Google): on tool calls, and on messages.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::SeqAccess;

use super::soft::{FromJson, Soft, soft_object};
use crate::format::Family;
use crate::ir::{Part, Signature};

/// One of OpenRouter's `reasoning_details`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    r#type: Soft<String>,
    text: Soft<String>,
    summary: Soft<String>,
    data: Soft<String>,
    signature: Soft<String>,
    format: Soft<String>,
}

/// One of LiteLLM's `thinking_blocks`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Block {
    r#type: Soft<String>,
    thinking: Soft<String>,
    signature: Soft<String>,
    data: Soft<String>,
}

/// Google's `extra_content`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extra {
    google: Soft<Google>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Google {
    thought_signature: Soft<String>,
}

soft_object!(Detail, Block, Extra, Google);

/// A text, or Mistral's list of texts.
#[derive(Debug, Default)]
pub(super) struct Words(pub(super) String);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Word {
    text: Soft<String>,
}

soft_object!(Word);

impl<'de> FromJson<'de> for Words {
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(text.into_owned()))
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Option<Self>, A::Error> {
        let words = Soft(Vec::<Soft<Word>>::list(list)?);
        Ok(Some(Self(words.items().filter_map(|word| word.text.0).collect())))
    }
}

impl Extra {
    /// Gemini's signature.
    pub(super) fn signature(self) -> Option<Signature> {
        let data = self.google.0.and_then(|google| google.thought_signature.filled())?;
        Some(Signature { family: Family::Gemini, data })
    }
}

/// A thought, unless it is empty.
pub(super) fn thought(text: String, signature: Option<Signature>) -> Option<Part> {
    (!text.is_empty() || signature.is_some()).then_some(Part::Thinking { text, signature })
}

/// The family whose signatures go with OpenRouter's name of a format.
fn family(format: Option<String>) -> Option<Family> {
    let format = format?;
    [("anthropic", Family::Anthropic), ("google", Family::Gemini), ("openai", Family::OpenAi)]
        .into_iter()
        .find_map(|(start, family)| format.starts_with(start).then_some(family))
}

impl Detail {
    /// The part of the message. None where the maker of a signature is not known, since nobody can use that.
    pub(super) fn part(self) -> Option<Part> {
        let family = family(self.format.0);
        let signed = |data: Option<String>| Some(Signature { family: family?, data: data? });
        if self.r#type.0.as_deref() == Some("reasoning.encrypted") {
            return signed(self.data.filled()).map(Part::RedactedThinking);
        }
        let text = self.text.filled().or(self.summary.filled()).unwrap_or_default();
        thought(text, signed(self.signature.filled()))
    }
}

impl Block {
    /// The part of the message.
    pub(super) fn part(self) -> Option<Part> {
        let signed = |data| Signature { family: Family::Anthropic, data };
        if self.r#type.0.as_deref() == Some("redacted_thinking") {
            return self.data.filled().map(|data| Part::RedactedThinking(signed(data)));
        }
        thought(self.thinking.0.unwrap_or_default(), self.signature.filled().map(signed))
    }
}

/// All thoughts of a message, from the place that holds most of them.
pub(super) fn all(
    blocks: Soft<Vec<Soft<Block>>>,
    details: Soft<Vec<Soft<Detail>>>,
    words: Option<String>,
) -> Vec<Part> {
    let mut parts: Vec<Part> = blocks.items().filter_map(Block::part).collect();
    if parts.is_empty() {
        parts = details.items().filter_map(Detail::part).collect();
    }
    let told = parts.iter().any(|part| matches!(part, Part::Thinking { text, .. } if !text.is_empty()));
    match words {
        Some(words) if !told => {
            // A signature without its thought belongs to these words.
            match parts.iter_mut().find_map(|part| match part {
                Part::Thinking { text, .. } => Some(text),
                _ => None,
            }) {
                Some(text) => *text = words,
                None => parts.insert(0, Part::Thinking { text: words, signature: None }),
            }
        }
        _ => {}
    }
    parts
}
