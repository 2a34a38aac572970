//! What a client asked: the texts of a request's body, whichever of the formats it is in.
//!
//! The formats use the same few names for what is no text (ids, kinds, signatures, media), so one walk serves them all.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::text::Sample;

/// The largest body that is held whole for an estimate.
const HELD: usize = 1024 * 1024;

/// The bytes that are held of a larger body, which is mostly media: its beginning.
const BEGINNING: usize = 256 * 1024;

/// The tokens that vendors wrap around a message: its role, and marks before and behind it.
const PER_MESSAGE: u64 = 4;

/// About the tokens of an image, which between vendors, models and sizes are anything from 85 to 1,600.
const PER_MEDIUM: u64 = 800;

/// A string of this length without white space is no prose.
const LONGEST_WORD: usize = 512;

/// A request's body, held in case that its tokens have to be estimated.
#[derive(Clone, Debug, Default)]
pub struct HeldRequest(Bytes);

impl HeldRequest {
    /// Holds `body`, without a copy. Of a large one only the beginning is copied and held, so that long answers do not
    /// keep many megabytes each.
    pub fn new(body: &Bytes) -> Self {
        Self(if body.len() <= HELD { body.clone() } else { Bytes::copy_from_slice(&body[..BEGINNING]) })
    }

    /// The bytes that are held.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }

    /// The tokens of what is held.
    pub fn tokens(&self) -> u64 {
        tokens_of_request(&self.0)
    }
}

/// About the tokens of the prompt in `body`: messages, system prompt, tools and schemas. A body that is no JSON counts
/// up to where it can be read.
pub fn tokens_of_request(body: &[u8]) -> u64 {
    let mut prompt = Prompt::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    // An error is the end of what can be read; what came before it is counted.
    let _ = Walk { prompt: &mut prompt, place: Place::Top }.deserialize(&mut deserializer);
    prompt.sample.tokens() + prompt.messages * PER_MESSAGE + prompt.media * PER_MEDIUM
}

#[derive(Debug, Default)]
struct Prompt {
    sample: Sample,
    messages: u64,
    media: u64,
}

/// What stands at a place of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The whole body.
    Top,
    /// A list of messages, or one.
    Messages,
    /// Text, and whatever holds it.
    Text,
    /// JSON that the model reads as such: schemas, arguments.
    Json,
    /// The address of a medium, or its data, or an object that holds one of them.
    Medium,
    /// Nothing that the model reads.
    Nothing,
}

impl Place {
    /// What stands below a field of this name.
    fn below(self, name: &str) -> Self {
        if self == Self::Top {
            return match name {
                "messages" | "input" | "contents" | "content" => Self::Messages,
                "system" | "instructions" | "prompt" | "systemInstruction" | "system_instruction" | "query"
                | "documents" => Self::Text,
                // Gemini's embeddings, and its counts: whole requests within another.
                "requests" | "generateContentRequest" | "generate_content_request" => Self::Top,
                "tools" | "functions" | "response_format" => Self::Json,
                _ => Self::Nothing,
            };
        }
        match name {
            "role" | "type" | "id" | "call_id" | "tool_call_id" | "tool_use_id" | "status" | "detail" | "filename"
            | "signature" | "thoughtSignature" | "thought_signature" | "encrypted_content" | "extra_content"
            | "cache_control" | "cacheControl" | "media_type" | "mimeType" | "mime_type" | "format" | "logprobs" => {
                Self::Nothing
            }
            "url" | "image_url" | "file_url" | "fileUri" | "file_uri" | "file_id" | "file_data" | "data" => {
                Self::Medium
            }
            "arguments" | "args" | "input" | "response" => Self::Json,
            _ => Self::Text,
        }
    }
}

impl Prompt {
    fn string(&mut self, text: &str, place: Place) {
        match place {
            Place::Messages => {
                self.messages += 1;
                self.sample.add(text);
            }
            _ if is_data(text) => self.media += 1,
            Place::Medium if !text.trim_ascii().contains([' ', '\n']) => self.media += 1,
            Place::Text | Place::Json | Place::Medium => self.sample.add(text),
            Place::Top | Place::Nothing => {}
        }
    }
}

/// A `data:` URL, or base64.
fn is_data(text: &str) -> bool {
    let start = &text.as_bytes()[..text.len().min(LONGEST_WORD)];
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=');
    start.starts_with(b"data:") || (start.len() == LONGEST_WORD && start.iter().all(base64))
}

/// Reads one value.
struct Walk<'p> {
    prompt: &'p mut Prompt,
    place: Place,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.place {
            Place::Nothing => IgnoredAny::deserialize(deserializer).map(drop),
            Place::Json => {
                let text = <&RawValue>::deserialize(deserializer)?.get();
                match serde_json::from_str::<Name<'_>>(text) {
                    Ok(Name(string)) => self.prompt.string(&string, Place::Json),
                    Err(_) => self.prompt.sample.add(text),
                }
                Ok(())
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.prompt.string(text, self.place);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.place == Place::Messages {
            self.prompt.messages += 1;
        }
        while let Some(Name(name)) = map.next_key()? {
            let place = self.place.below(&name);
            map.next_value_seed(Walk { prompt: &mut *self.prompt, place })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Walk { prompt: &mut *self.prompt, place: self.place })?.is_some() {}
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

/// A string that borrows where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'n>(#[serde(borrow)] Cow<'n, str>);
