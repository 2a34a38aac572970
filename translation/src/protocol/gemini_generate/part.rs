//! `Part` (Gemini API reference, "Caching: Content") as it is written, to a provider or to a client.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::signature::{self, Of};
use crate::back::CUSTOM_INPUT;
use crate::format::Family;
use crate::ir::{CallKind, Media, MediaSource, Part, Signature, ToolCall};
use crate::json::Json;

/// A part that is written.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Written<'a> {
    Fields(Box<Fields<'a>>),
    /// A block of Gemini's own, as it came.
    Own(&'a Json),
}

/// The fields of a part, of which one is there, and a signature.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inline_data: Option<InlineData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_resolution: Option<MediaResolution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InlineData<'a> {
    pub(super) mime_type: Cow<'a, str>,
    pub(super) data: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    pub(super) mime_type: Cow<'a, str>,
    pub(super) file_uri: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct MediaResolution {
    pub(super) level: &'static str,
}

#[derive(Serialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) args: Object<'a>,
}

#[derive(Serialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) response: Object<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) parts: Vec<Written<'a>>,
}

/// A JSON object: a text that is one, or one that the gateway made.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Object<'a> {
    Text(&'a RawValue),
    Made(Json),
}

impl<'a> Object<'a> {
    /// `text`, if it is an object.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        if !text.trim_start().starts_with('{') {
            return None;
        }
        serde_json::from_str(text).ok().map(Self::Text)
    }

    /// An object of one field.
    pub(super) fn field(name: &str, value: &Json) -> Self {
        Self::Made(Json::of(&std::collections::HashMap::from([(name, value)])))
    }

    /// The arguments of a call. Arguments that are no object, which a model that broke off may have left, become one.
    fn arguments(call: &'a ToolCall) -> Self {
        let free = || Self::field(CUSTOM_INPUT, &Json::of(call.arguments.as_str()));
        match call.kind {
            CallKind::Custom => free(),
            CallKind::Function if call.arguments.trim().is_empty() => {
                Self::Made(Json::of(&serde_json::Map::<String, serde_json::Value>::new()))
            }
            CallKind::Function => Self::of(&call.arguments).unwrap_or_else(free),
        }
    }
}

impl<'a> From<Fields<'a>> for Written<'a> {
    fn from(fields: Fields<'a>) -> Self {
        Self::Fields(Box::new(fields))
    }
}

impl<'a> Fields<'a> {
    /// Text.
    pub(super) fn text(text: &'a str) -> Self {
        Self { text: Some(text), ..Self::default() }
    }

    /// A thought.
    pub(super) fn thought(text: &'a str) -> Self {
        Self { text: Some(text), thought: Some(true), ..Self::default() }
    }

    /// A call under `name`, which may not be the call's own.
    pub(super) fn call(call: &'a ToolCall, id: Option<&'a str>, name: Cow<'a, str>) -> Self {
        Self { function_call: Some(FunctionCall { id, name, args: Object::arguments(call) }), ..Self::default() }
    }

    /// The part with a signature, if there is one.
    pub(super) fn signed(self, signature: Option<Cow<'a, str>>) -> Self {
        Self { thought_signature: signature, ..self }
    }

    /// A medium that is given in the part or at a URL.
    pub(super) fn medium(media: &'a Media, mime: Cow<'a, str>) -> Option<Self> {
        let inline = |data| Some(InlineData { mime_type: mime.clone(), data });
        Some(match &media.source {
            MediaSource::Base64(data) => Self { inline_data: inline(Cow::Borrowed(data.as_str())), ..Self::default() },
            MediaSource::Text(text) => {
                Self { inline_data: inline(Cow::Owned(STANDARD.encode(text))), ..Self::default() }
            }
            MediaSource::Url(url) => {
                let file_uri = Cow::Borrowed(url.as_str());
                Self { file_data: Some(FileData { mime_type: mime, file_uri }), ..Self::default() }
            }
            MediaSource::FileId(_) => return None,
        })
    }
}

/// The media type of `media`: what the client or the model said, or else what is likeliest.
pub(super) fn mime(media: &Media) -> Cow<'_, str> {
    use crate::ir::MediaKind::{Audio, Document, Image, Video};
    if let Some(mime) = &media.mime {
        return Cow::Borrowed(mime);
    }
    let of_url = match &media.source {
        MediaSource::Url(url) => crate::ir::media::mime_of_name(url),
        // Chat completions do not say the type of a sound that a model spoke.
        MediaSource::Base64(data) => crate::ir::media::mime_of_start(data),
        _ => None,
    };
    let of_name = || media.name.as_deref().and_then(crate::ir::media::mime_of_name);
    Cow::Borrowed(of_url.or_else(of_name).unwrap_or(match (&media.source, media.kind) {
        (MediaSource::Text(_), _) => "text/plain",
        (_, Image) => "image/jpeg",
        (_, Audio) => "audio/mpeg",
        (_, Video) => "video/mp4",
        (_, Document) => "application/pdf",
    }))
}

/// A part of an answer, for a client. Blocks of other families have no form here.
pub(super) fn for_client(part: &Part) -> Option<Written<'_>> {
    let shown = |signature: &'_ Option<Signature>| {
        signature.as_ref().map(|signature| Cow::Owned(signature::write(signature, Of::Shown).into_owned()))
    };
    Some(match part {
        Part::Text { text, signature, .. } => Fields::text(text).signed(shown(signature)).into(),
        Part::Thinking { text, signature } => Fields::thought(text).signed(shown(signature)).into(),
        Part::RedactedThinking(signature) => {
            Fields::thought("").signed(Some(signature::write(signature, Of::Redacted))).into()
        }
        Part::ToolCall(call) => {
            Fields::call(call, Some(&call.id), Cow::Borrowed(&call.name)).signed(shown(&call.signature)).into()
        }
        Part::Media(media) => {
            // A reader of text gets the words of a sound.
            match Fields::medium(media, mime(media)) {
                Some(fields) => fields.into(),
                None => Fields::text(media.transcript.as_deref()?).into(),
            }
        }
        Part::Opaque { family: Family::Gemini, block } => Written::Own(block),
        Part::Opaque { .. } | Part::Refusal(_) | Part::ToolResult(_) => return None,
    })
}
