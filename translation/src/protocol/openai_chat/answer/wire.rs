//! An answer of a provider, or a piece of a streamed one. The two differ in the name of one field. A field that is not
//! of the documented type counts as absent.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::SeqAccess;
use serde_json::value::RawValue;

use super::super::soft::{FromJson, Soft, soft_object};
use super::super::thoughts::{Block, Detail, Extra, Words};
use super::usage::Counts;

/// An answer, or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Answer<'a> {
    #[serde(borrow)]
    pub(in super::super) id: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    pub(in super::super) object: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    pub(in super::super) model: Soft<Cow<'a, str>>,
    pub(in super::super) created: Soft<u64>,
    #[serde(borrow)]
    pub(in super::super) choices: Soft<Vec<Soft<Choice<'a>>>>,
    pub(in super::super) usage: Soft<Counts>,
    #[serde(borrow)]
    pub(in super::super) service_tier: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    pub(in super::super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(in super::super) message: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    pub(in super::super) detail: Option<&'a RawValue>,
    pub(in super::super) x_groq: Soft<Groq>,
}

/// Groq's own field: usage of streams stood there first.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Groq {
    pub(in super::super) usage: Soft<Counts>,
}

/// One of the answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Choice<'a> {
    pub(in super::super) index: Soft<u64>,
    #[serde(borrow)]
    pub(in super::super) message: Soft<Message<'a>>,
    #[serde(borrow)]
    pub(in super::super) delta: Soft<Message<'a>>,
    #[serde(borrow)]
    pub(in super::super) finish_reason: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    pub(in super::super) logprobs: Option<&'a RawValue>,
    /// Moonshot counts here.
    usage: Soft<Counts>,
    /// OpenRouter fails here.
    #[serde(borrow)]
    pub(in super::super) error: Option<&'a RawValue>,
}

/// What the model says, or more of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Message<'a> {
    pub(in super::super) content: Soft<Content>,
    pub(in super::super) refusal: Soft<String>,
    pub(in super::super) reasoning_content: Soft<String>,
    pub(in super::super) reasoning: Soft<String>,
    pub(in super::super) reasoning_details: Soft<Vec<Soft<Detail>>>,
    pub(in super::super) thinking_blocks: Soft<Vec<Soft<Block>>>,
    #[serde(borrow)]
    pub(in super::super) tool_calls: Soft<Vec<Soft<Call<'a>>>>,
    #[serde(borrow)]
    pub(in super::super) function_call: Soft<Function<'a>>,
    pub(in super::super) annotations: Soft<Vec<Soft<Annotation>>>,
    pub(in super::super) audio: Soft<Audio>,
    pub(in super::super) images: Soft<Vec<Soft<Image>>>,
    pub(in super::super) extra_content: Soft<Extra>,
}

/// `content`: text, or parts (Mistral).
#[derive(Debug)]
pub(in super::super) enum Content {
    Text(String),
    Parts(Vec<Soft<ContentPart>>),
}

/// One of Mistral's parts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct ContentPart {
    pub(in super::super) r#type: Soft<String>,
    pub(in super::super) text: Soft<String>,
    pub(in super::super) thinking: Soft<Words>,
    pub(in super::super) refusal: Soft<String>,
    pub(in super::super) image_url: Soft<Url>,
}

/// A tool call, or more of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Call<'a> {
    pub(in super::super) index: Soft<u64>,
    #[serde(borrow)]
    pub(in super::super) id: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    pub(in super::super) function: Soft<Function<'a>>,
    #[serde(borrow)]
    pub(in super::super) custom: Soft<Custom<'a>>,
    pub(in super::super) extra_content: Soft<Extra>,
}

/// The function that is called.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Function<'a> {
    #[serde(borrow)]
    pub(in super::super) name: Soft<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// The tool of free text that is called.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Custom<'a> {
    #[serde(borrow)]
    pub(in super::super) name: Soft<Cow<'a, str>>,
    pub(in super::super) input: Soft<String>,
}

/// What the text rests on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Annotation {
    pub(in super::super) url_citation: Soft<UrlCitation>,
}

/// A web page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct UrlCitation {
    pub(in super::super) url: Soft<String>,
    pub(in super::super) title: Soft<String>,
    pub(in super::super) start_index: Soft<u64>,
    pub(in super::super) end_index: Soft<u64>,
    /// OpenRouter: the words that are cited.
    pub(in super::super) content: Soft<String>,
}

/// Sound, or more of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Audio {
    pub(in super::super) id: Soft<String>,
    pub(in super::super) data: Soft<String>,
    pub(in super::super) transcript: Soft<String>,
}

/// A picture that the model made (OpenRouter, LiteLLM).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Image {
    pub(in super::super) image_url: Soft<Url>,
}

/// Where the picture is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct UrlObject {
    url: Soft<String>,
}

/// A URL, bare or in an object.
#[derive(Debug)]
pub(in super::super) struct Url(pub(in super::super) String);

soft_object!(Groq, ContentPart, Annotation, UrlCitation, Audio, Image, UrlObject);
soft_object!(borrowed Answer, Choice, Message, Call, Function, Custom);

impl<'de> FromJson<'de> for Content {
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self::Text(text.into_owned()))
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Option<Self>, A::Error> {
        Ok(Vec::list(list)?.map(Self::Parts))
    }
}

impl<'de> FromJson<'de> for Url {
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(text.into_owned()))
    }

    fn object<A: serde::de::MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        Ok(UrlObject::object(object)?.and_then(|object| object.url.filled()).map(Self))
    }
}

impl Answer<'_> {
    /// Whether an error stands in the answer's place.
    pub(in super::super) fn fails(&self) -> bool {
        is_some(self.error)
            || self.object.as_str() == "error"
            || (self.choices.0.is_none()
                && self.usage.0.is_none()
                && (self.message.0.is_some() || self.detail.is_some()))
    }

    /// The token counts, wherever they stand.
    pub(in super::super) fn counts(&mut self) -> Option<Counts> {
        let of_choices = || {
            let choices = self.choices.0.iter_mut().flatten();
            choices.filter_map(|choice| choice.0.as_mut()).find_map(|choice| choice.usage.0.take())
        };
        self.usage.0.take().or_else(of_choices).or_else(|| self.x_groq.0.take().and_then(|groq| groq.usage.0))
    }
}

impl Choice<'_> {
    /// Whether the choice says that the provider failed.
    pub(in super::super) fn fails(&self) -> bool {
        is_some(self.error) || self.finish_reason.as_str() == "error"
    }
}

/// Whether a field says something. Some vendors write `""` or `{}` where there is no error.
fn is_some(field: Option<&RawValue>) -> bool {
    field.is_some_and(|field| !matches!(field.get(), "\"\"" | "{}" | "false" | "0" | "[]"))
}

impl Function<'_> {
    /// The text of the arguments, or more of it. Some vendors give the object itself, and `null` for none.
    pub(in super::super) fn arguments(&self) -> String {
        match self.arguments.map(RawValue::get) {
            Some(text) if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
            Some(text) if text.starts_with(['{', '[']) => text.to_owned(),
            _ => String::new(),
        }
    }
}
