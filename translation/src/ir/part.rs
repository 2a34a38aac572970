//! What messages and answers are made of.

use std::borrow::Cow;

use crate::format::Family;
use crate::json::Json;

/// A piece of a message or of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text.
    Text {
        /// The words.
        text: String,
        /// A cache breakpoint behind the part.
        cache: Option<CacheControl>,
        /// What the text rests on. Offsets count characters of this text.
        citations: Vec<Citation>,
        /// Gemini's signature of the last text of an answer.
        signature: Option<Signature>,
    },
    /// An image, a sound, a video or a document.
    Media(Media),
    /// What the model thought. An empty `text` with a signature is a thought that the model does not show.
    Thinking {
        /// The thought, or its summary.
        text: String,
        /// Proves to the model's family that the thought is its own.
        signature: Option<Signature>,
    },
    /// A thought that only its family can read.
    RedactedThinking(Signature),
    /// The model wants a tool called.
    ToolCall(ToolCall),
    /// What a tool gave. It stands only in messages of [`Role::Tool`](super::Role::Tool).
    ToolResult(ToolResult),
    /// The model declines, in these words.
    Refusal(String),
    /// A block that only the family that it comes from knows, such as that of a server-side tool, as JSON in the
    /// family's format. Other families leave it out.
    Opaque {
        /// The family that knows it.
        family: Family,
        /// The block.
        block: Json,
    },
}

impl Part {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: None, citations: Vec::new(), signature: None }
    }

    /// The words, if the part is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// Proves to a family that a thought is its own. Nothing else reads it, and it is passed on byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The family that can check it.
    pub family: Family,
    /// The signature, as the family writes it (base64 text).
    pub data: String,
}

/// A prompt-cache breakpoint, Anthropic's `cache_control`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// The time to live as the client wrote it: `5m`, `1h`. None is the provider's default.
    pub ttl: Option<String>,
}

/// The kind of a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A video.
    Video,
    /// A PDF, a text file, and the like.
    Document,
}

/// An image, a sound, a video or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// The kind of the medium.
    pub kind: MediaKind,
    /// Where the medium is.
    pub source: MediaSource,
    /// The media type, such as `image/png`: in lower case, without parameters. None where the client did not say.
    pub mime: Option<String>,
    /// The file name or title.
    pub name: Option<String>,
    /// OpenAI's `detail` of an image: `low`, `high`, `auto`.
    pub detail: Option<String>,
    /// A cache breakpoint behind the part.
    pub cache: Option<CacheControl>,
    /// The words of a sound, such as one that the model spoke.
    pub transcript: Option<String>,
}

/// Where a medium is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// In the request, as base64 (standard alphabet, without white space).
    Base64(String),
    /// At a URL: `https://`, `http://`, `gs://`.
    Url(String),
    /// At the provider, under this id of its file API.
    FileId(String),
    /// In the request, as plain text: the content of a text file.
    Text(String),
}

impl Media {
    /// A medium of which only the source, and perhaps the type, is known.
    pub fn new(kind: MediaKind, source: MediaSource, mime: Option<String>) -> Self {
        Self { kind, source, mime, name: None, detail: None, cache: None, transcript: None }
    }

    /// `text`, the content of the medium, under its name: for targets that take text files as text.
    pub fn titled<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.name {
            Some(name) => Cow::Owned(format!("{name}:\n{text}")),
            None => Cow::Borrowed(text),
        }
    }
}

/// Whether a tool takes JSON or free text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// The arguments are a JSON object.
    #[default]
    Function,
    /// The arguments are free text (OpenAI's custom tools).
    Custom,
}

/// The model wants a tool called.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The id of the call, which is never empty: where a format has none, its decoder makes one up with
    /// [`new_call_id`](crate::names::new_call_id).
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// For a function, the JSON text as the model or client wrote it, or `{}` where there was none. For a custom tool,
    /// the free text.
    pub arguments: String,
    /// Whether the arguments are JSON or free text.
    pub kind: CallKind,
    /// Gemini's signature of the first call of a step.
    pub signature: Option<Signature>,
    /// A cache breakpoint behind the part.
    pub cache: Option<CacheControl>,
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The id of the call.
    pub call_id: String,
    /// The name of the tool, where the format says it.
    pub name: Option<String>,
    /// What the tool gave: text and media.
    pub content: Vec<Part>,
    /// Whether the tool failed. None where the client did not say.
    pub is_error: Option<bool>,
    /// A cache breakpoint behind the part.
    pub cache: Option<CacheControl>,
}

/// What a text rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// The URL of a web page.
    pub url: Option<String>,
    /// The title of the page or document.
    pub title: Option<String>,
    /// The first character of the text that rests on it, counted in Unicode scalar values.
    pub start: Option<u64>,
    /// The character behind the last one.
    pub end: Option<u64>,
    /// The words that are cited.
    pub quote: Option<String>,
}
