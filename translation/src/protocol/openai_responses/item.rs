//! Items as both requests and answers hold them, and what they mean in the neutral form (API reference, "Responses":
//! input and output items).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Content, Count, Text, maybe};
use super::signature::{self, Signs};
use super::tools::qualified;
use crate::format::Family;
use crate::ir::{CallKind, Citation, Media, MediaKind, MediaSource, Part, Signature, ToolCall};
use crate::json::Json;
use crate::names::new_call_id;

/// The type of an item.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Kind<'a> {
    #[serde(borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow)]
    pub(super) role: Text<'a>,
}

/// An item of one of the kinds that have a neutral form.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) content: Content<'a>,
    #[serde(borrow)]
    pub(super) summary: Content<'a>,
    #[serde(borrow)]
    pub(super) encrypted_content: Text<'a>,
    #[serde(borrow)]
    pub(super) call_id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    namespace: Text<'a>,
    /// The arguments as a text, or as an object where a client or vendor did not write a text.
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) input: Text<'a>,
    #[serde(borrow)]
    pub(super) output: Content<'a>,
    /// The picture that the model made, in base64. The ending of its media type stands beside it.
    #[serde(borrow)]
    result: Text<'a>,
    #[serde(borrow)]
    output_format: Text<'a>,
}

/// A piece of an item's content.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Piece<'a> {
    #[serde(borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) refusal: Text<'a>,
    #[serde(borrow)]
    pub(super) annotations: Content<'a>,
    #[serde(borrow)]
    pub(super) logprobs: Content<'a>,
    #[serde(borrow)]
    pub(super) image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) detail: Text<'a>,
    #[serde(borrow)]
    pub(super) file_id: Text<'a>,
    #[serde(borrow)]
    pub(super) file_data: Text<'a>,
    #[serde(borrow)]
    pub(super) file_url: Text<'a>,
    #[serde(borrow)]
    pub(super) filename: Text<'a>,
    #[serde(borrow)]
    pub(super) input_audio: Option<&'a RawValue>,
}

/// An annotation of a text.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotation<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    title: Text<'a>,
    #[serde(borrow)]
    filename: Text<'a>,
    start_index: Count,
    end_index: Count,
}

impl Annotation<'_> {
    /// The citation, with offsets moved by `base` characters. None for kinds without a neutral form.
    pub(super) fn citation(&self, base: u64) -> Option<Citation> {
        let text = |text: &Text<'_>| text.given().map(str::to_owned);
        match self.r#type.or_empty() {
            "url_citation" => Some(Citation {
                url: text(&self.url),
                title: text(&self.title),
                start: self.start_index.0.map(|at| at + base),
                end: self.end_index.0.map(|at| at + base),
                quote: None,
            }),
            "file_citation" | "container_file_citation" if self.filename.given().is_some() => {
                Some(Citation { title: text(&self.filename), ..Citation::default() })
            }
            _ => None,
        }
    }
}

/// The kind of call that items of this type are.
pub(super) fn call_kind(r#type: &str) -> Option<CallKind> {
    match r#type {
        "function_call" => Some(CallKind::Function),
        "custom_tool_call" => Some(CallKind::Custom),
        _ => None,
    }
}

impl Item<'_> {
    /// The call that the item is. A function without arguments has `{}` (`docs/TRANSLATION.md` section 3).
    pub(super) fn call(self, kind: CallKind) -> ToolCall {
        let id = self.call_id.given().or(self.id.given()).map_or_else(new_call_id, str::to_owned);
        let arguments = match kind {
            CallKind::Function => {
                let written = self.arguments.map(|raw| maybe::<String>(raw).unwrap_or_else(|| raw.get().to_owned()));
                written.filter(|text| !text.is_empty()).unwrap_or_else(|| "{}".to_owned())
            }
            CallKind::Custom => self.input.or_empty().to_owned(),
        };
        let name = qualified(self.namespace.given(), self.name.or_empty());
        ToolCall { id, name, arguments, kind, signature: None, cache: None }
    }

    /// The words of a reasoning item: its summary, or else the thought itself (open models).
    pub(super) fn thought(&self) -> String {
        let summary = joined(&self.summary);
        if summary.is_empty() { joined(&self.content) } else { summary }
    }

    /// The picture that the model made.
    pub(super) fn picture(&self) -> Option<Media> {
        let data = self.result.given()?.to_owned();
        let format = self.output_format.given().unwrap_or("png");
        Some(Media::new(MediaKind::Image, MediaSource::Base64(data), Some(format!("image/{format}"))))
    }
}

/// What a reasoning item says.
pub(super) enum Thought {
    /// It is a thought, possibly without words.
    Part(Part),
    /// It is the signature of the call that follows.
    ForCall(Signature),
    /// It says nothing.
    Nothing,
}

impl Thought {
    /// Reads a reasoning item. `by_id` says whether the id alone counts: it is of use to a provider that stored the
    /// item.
    pub(super) fn of(item: &Item<'_>, by_id: bool) -> Self {
        let text = item.thought();
        let encrypted = item.encrypted_content.or_empty();
        if let Some((signature, signs)) = signature::unwrap(encrypted) {
            return match signs {
                Signs::Thought => Self::Part(Part::Thinking { text, signature: Some(signature) }),
                Signs::Redacted => Self::Part(Part::RedactedThinking(signature)),
                Signs::Call => Self::ForCall(signature),
            };
        }
        // A signature that the gateway made and that is damaged is of no use.
        let encrypted = if encrypted.starts_with(signature::PREFIX) { "" } else { encrypted };
        let id = item.id.given();
        let signed = !encrypted.is_empty() || (by_id && id.is_some());
        if text.is_empty() && !signed {
            return Self::Nothing;
        }
        Self::Part(Part::Thinking { text, signature: signed.then(|| signature::native(id, encrypted)) })
    }
}

fn joined(pieces: &Content<'_>) -> String {
    let texts = pieces.items().iter().filter_map(|piece| maybe::<Piece<'_>>(piece));
    let mut all = String::new();
    for piece in texts {
        let text = piece.text.or_empty();
        if !all.is_empty() && !text.is_empty() {
            all.push_str("\n\n");
        }
        all.push_str(text);
    }
    all
}

/// An item that only OpenAI knows.
pub(super) fn opaque(item: &RawValue) -> Part {
    Part::Opaque { family: Family::OpenAi, block: Json::of(item) }
}
