//! Writes a conversation as items of input.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::given::is_own;
use super::signature;
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CallKind, Dropped, Field, Media, MediaKind, MediaSource, Message, Part, Request, Role, ToolCall, ToolResult,
    TranslateError,
};
use crate::json::Json;
use crate::names::{Mapping, RESPONSES_IDS};
use crate::protocol::{builtin, openai_limits};

/// What stands for a tool's result that says only that the tool failed.
const FAILED: &str = "The tool failed.";

/// An item of input.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Item<'a> {
    Message {
        r#type: &'static str,
        role: &'static str,
        content: Content<'a>,
    },
    Reasoning {
        r#type: &'static str,
        #[serde(skip_serializing_if = "str::is_empty")]
        id: &'a str,
        summary: Vec<Piece<'a>>,
        #[serde(skip_serializing_if = "str::is_empty")]
        encrypted_content: &'a str,
    },
    Call {
        r#type: &'static str,
        call_id: String,
        name: String,
        arguments: &'a str,
    },
    CustomCall {
        r#type: &'static str,
        call_id: String,
        name: String,
        input: &'a str,
    },
    Output {
        r#type: &'static str,
        call_id: String,
        output: Content<'a>,
    },
    Opaque(&'a Json),
}

/// The content of a message, or what a tool gave.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(&'a str),
    Owned(String),
    Pieces(Vec<Piece<'a>>),
}

/// A piece of the content.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Piece<'a> {
    Text {
        r#type: &'static str,
        text: &'a str,
    },
    Refusal {
        r#type: &'static str,
        refusal: &'a str,
    },
    Image {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
        detail: &'a str,
    },
    File {
        r#type: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<&'a str>,
    },
    Audio {
        r#type: &'static str,
        input_audio: Audio<'a>,
    },
    OwnedText {
        r#type: &'static str,
        text: String,
    },
}

/// A sound.
#[derive(Serialize)]
pub(super) struct Audio<'a> {
    data: &'a str,
    format: &'static str,
}

/// Writes messages, and what it takes to write them.
pub(super) struct Writer<'a, 'n> {
    request: &'a Request,
    names: &'n mut Mapping,
    dropped: &'n mut Dropped,
    ids: Mapping,
    /// The ids of calls of tools of free text, whose results are items of another type.
    custom: HashSet<&'a str>,
    items: Vec<Item<'a>>,
}

impl<'a, 'n> Writer<'a, 'n> {
    pub(super) fn new(request: &'a Request, names: &'n mut Mapping, dropped: &'n mut Dropped) -> Self {
        let mut ids = Mapping::new(RESPONSES_IDS);
        let calls = request.messages.iter().flat_map(|message| &message.parts).filter_map(|part| match part {
            Part::ToolCall(call) => Some(call),
            _ => None,
        });
        ids.reserve(calls.clone().map(|call| call.id.as_str()));
        let custom = calls.filter(|call| call.kind == CallKind::Custom).map(|call| call.id.as_str()).collect();
        Self { request, names, dropped, ids, custom, items: Vec::new() }
    }

    /// The items of `messages`.
    pub(super) fn write(mut self, messages: &'a [Message]) -> Result<Vec<Item<'a>>, TranslateError> {
        for message in messages {
            if message.name.is_some() {
                self.dropped.field(self.request, Field::Name);
            }
            match message.role {
                Role::System => self.said("system", message)?,
                Role::Developer => self.said("developer", message)?,
                Role::User | Role::Tool => self.user(message)?,
                Role::Assistant => self.assistant(message),
            }
        }
        Ok(self.items)
    }

    fn said(&mut self, role: &'static str, message: &'a Message) -> Result<(), TranslateError> {
        let content = self.content(message, &message.parts)?;
        if !matches!(&content, Content::Pieces(pieces) if pieces.is_empty()) {
            self.items.push(Item::Message { r#type: "message", role, content });
        }
        Ok(())
    }

    /// Results and foreign items stand alone, and what is between them is a message.
    fn user(&mut self, message: &'a Message) -> Result<(), TranslateError> {
        let alone = |part: &Part| matches!(part, Part::ToolResult(_) | Part::Opaque { .. });
        if message.parts.iter().any(alone) {
            for (at, part) in message.parts.iter().enumerate() {
                match part {
                    Part::ToolResult(result) => self.result(message, result)?,
                    Part::Opaque { .. } => self.opaque(message, at, part),
                    _ => {}
                }
            }
        }
        let spoken = message.parts.iter().filter(|part| !alone(part));
        if spoken.clone().next().is_none() {
            return Ok(());
        }
        let content = self.content(message, spoken)?;
        self.items.push(Item::Message { r#type: "message", role: "user", content });
        Ok(())
    }

    fn result(&mut self, message: &'a Message, result: &'a ToolResult) -> Result<(), TranslateError> {
        let r#type = if self.custom.contains(result.call_id.as_str()) {
            "custom_tool_call_output"
        } else {
            "function_call_output"
        };
        if result.cache.is_some() {
            self.dropped.field(self.request, Field::Cache);
        }
        let failed = result.is_error == Some(true);
        let output = match self.content(message, &result.content)? {
            Content::Pieces(pieces) if pieces.is_empty() => Content::Text(if failed { FAILED } else { "" }),
            Content::Text("") if failed => Content::Text(FAILED),
            content => {
                if failed {
                    self.dropped.named("is_error");
                }
                content
            }
        };
        self.items.push(Item::Output { r#type, call_id: self.ids.map(&result.call_id), output });
        Ok(())
    }

    /// The content of a message: one text as it is, or else pieces.
    fn content(
        &mut self,
        message: &Message,
        parts: impl IntoIterator<Item = &'a Part>,
    ) -> Result<Content<'a>, TranslateError> {
        let mut parts = parts.into_iter().enumerate().peekable();
        let mut pieces = Vec::new();
        let mut first = None;
        while let Some((at, part)) = parts.next() {
            match part {
                Part::Text { text, cache, .. } => {
                    if cache.is_some() {
                        self.dropped.field(self.request, Field::Cache);
                    }
                    if at == 0 && parts.peek().is_none() {
                        first = Some(text.as_str());
                    } else {
                        pieces.push(Piece::Text { r#type: "input_text", text });
                    }
                }
                Part::Refusal(text) => pieces.push(Piece::Text { r#type: "input_text", text }),
                Part::Media(media) => pieces.push(self.media(&self.request.path(message, Some(at)), media)?),
                // Users and tools say none of these.
                Part::Thinking { .. } | Part::RedactedThinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => {}
                Part::Opaque { .. } => match builtin::in_words(part) {
                    Some(text) => pieces.push(Piece::OwnedText { r#type: "input_text", text }),
                    None => self.dropped.named(self.request.path(message, Some(at))),
                },
            }
        }
        Ok(first.map_or(Content::Pieces(pieces), Content::Text))
    }

    fn assistant(&mut self, message: &'a Message) {
        let mut spoken = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => {
                    if cache.is_some() {
                        self.dropped.field(self.request, Field::Cache);
                    }
                    if !text.is_empty() {
                        spoken.push(Piece::Text { r#type: "output_text", text });
                    }
                    continue;
                }
                Part::Refusal(refusal) => {
                    spoken.push(Piece::Refusal { r#type: "refusal", refusal });
                    continue;
                }
                // The provider takes its own pictures only by the ids of their items.
                Part::Media(_) => {
                    self.dropped.named(self.request.path(message, Some(at)));
                    continue;
                }
                _ => self.flush(&mut spoken),
            }
            match part {
                Part::ToolCall(call) => self.call(call),
                Part::Thinking { text, signature: Some(signature) } => {
                    if let Some((id, encrypted_content)) = signature::native_parts(signature)
                        && self.replays(encrypted_content)
                    {
                        let piece = Piece::Text { r#type: "summary_text", text };
                        let summary = if text.is_empty() { Vec::new() } else { vec![piece] };
                        self.items.push(Item::Reasoning { r#type: "reasoning", id, summary, encrypted_content });
                    }
                }
                Part::Opaque { .. } => self.opaque(message, at, part),
                // Thoughts without OpenAI's own proof, and what only other families know, are left out
                // (`docs/TRANSLATION.md` section 11).
                _ => {}
            }
        }
        self.flush(&mut spoken);
    }

    /// Writes an item that only OpenAI knows, if OpenAI's own client gives it.
    fn opaque(&mut self, message: &Message, at: usize, part: &'a Part) {
        match part {
            Part::Opaque { family: Family::OpenAi, block } if self.request.origin == Format::OpenAiResponses => {
                self.items.push(Item::Opaque(block));
            }
            _ => self.dropped.named(self.request.path(message, Some(at))),
        }
    }

    /// Whether a thought is sent back. It has to say something to the provider: encrypted, or by the id under which the
    /// provider stored it for this very client.
    fn replays(&self, encrypted: &str) -> bool {
        !encrypted.is_empty() || self.request.origin == Format::OpenAiResponses
    }

    fn flush(&mut self, spoken: &mut Vec<Piece<'a>>) {
        if !spoken.is_empty() {
            let content = Content::Pieces(std::mem::take(spoken));
            self.items.push(Item::Message { r#type: "message", role: "assistant", content });
        }
    }

    fn call(&mut self, call: &'a ToolCall) {
        if call.cache.is_some() {
            self.dropped.field(self.request, Field::Cache);
        }
        let (call_id, name) = (self.ids.map(&call.id), self.names.map(&call.name));
        self.items.push(match call.kind {
            CallKind::Function => Item::Call { r#type: "function_call", call_id, name, arguments: &call.arguments },
            CallKind::Custom => Item::CustomCall { r#type: "custom_tool_call", call_id, name, input: &call.arguments },
        });
    }

    fn media(&mut self, path: &str, media: &'a Media) -> Result<Piece<'a>, TranslateError> {
        if media.cache.is_some() {
            self.dropped.field(self.request, Field::Cache);
        }
        let unsupported =
            |what: &str| TranslateError::unsupported(path, format!("OpenAI's Responses API takes no {what}"));
        let own_files = is_own(self.request);
        let file_id = match &media.source {
            MediaSource::FileId(id) if own_files => Some(id.as_str()),
            MediaSource::FileId(_) => return Err(unsupported("file ids of other providers")),
            _ => None,
        };
        if let MediaSource::Url(url) = &media.source
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return Err(unsupported("URL of this kind"));
        }
        let mime = media.mime.as_deref();
        match media.kind {
            MediaKind::Image => Ok(Piece::Image {
                r#type: "input_image",
                image_url: match &media.source {
                    MediaSource::Url(url) => Some(url.clone()),
                    MediaSource::Base64(data) => Some(data_url(mime.unwrap_or("image/png"), data)),
                    MediaSource::FileId(_) | MediaSource::Text(_) => None,
                },
                file_id,
                detail: media.detail.as_deref().unwrap_or("auto"),
            }),
            MediaKind::Document => Ok(document(media, file_id)),
            MediaKind::Audio => {
                let format = match mime {
                    Some("audio/wav") | None => "wav",
                    Some("audio/mpeg") => "mp3",
                    Some(_) => return Err(unsupported("sound of this format")),
                };
                match &media.source {
                    MediaSource::Base64(data) => {
                        Ok(Piece::Audio { r#type: "input_audio", input_audio: Audio { data, format } })
                    }
                    _ => Err(unsupported("sound that is not given as data")),
                }
            }
            MediaKind::Video => Err(unsupported("video")),
        }
    }
}

fn document<'a>(media: &'a Media, file_id: Option<&'a str>) -> Piece<'a> {
    let mime = media.mime.as_deref().unwrap_or("application/pdf");
    match &media.source {
        MediaSource::Text(text) => Piece::OwnedText { r#type: "input_text", text: media.titled(text).into_owned() },
        MediaSource::Base64(data) if mime.starts_with("text/") => {
            let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            match text {
                Some(text) => Piece::OwnedText { r#type: "input_text", text: media.titled(&text).into_owned() },
                None => file(Some(openai_limits::file_name(media)), Some(data_url(mime, data)), None, None),
            }
        }
        MediaSource::Base64(data) => {
            file(Some(openai_limits::file_name(media)), Some(data_url(mime, data)), None, None)
        }
        MediaSource::Url(url) => file(None, None, Some(url), None),
        MediaSource::FileId(_) => file(None, None, None, file_id),
    }
}

fn file<'a>(
    filename: Option<Cow<'a, str>>,
    file_data: Option<String>,
    file_url: Option<&'a str>,
    file_id: Option<&'a str>,
) -> Piece<'a> {
    Piece::File { r#type: "input_file", filename, file_data, file_url, file_id }
}

fn data_url(mime: &str, data: &str) -> String {
    format!("data:{mime};base64,{data}")
}
