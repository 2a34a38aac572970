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
        /// A cache breakpoint behind it.
        cache: Option<CacheControl>,
        /// What the text rests on. Offsets are characters into this text.
        citations: Vec<Citation>,
        /// Gemini signs the last text of an answer.
        signature: Option<Signature>,
    },
    /// An image, a sound, a video or a document.
    Media(Media),
    /// What the model thought. Empty `text` with a signature: it thought and does not show it.
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
    /// What a tool gave. Only in messages of [`Role::Tool`](super::Role::Tool).
    ToolResult(ToolResult),
    /// The model declines, in these words.
    Refusal(String),
    /// A block that only the family it comes from knows, such as a server-side tool's, as JSON in that family's format.
    /// Others leave it out.
    Opaque {
        /// Whose.
        family: Family,
        /// The block.
        block: Json,
    },
}

impl Part {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), cache: None, citations: Vec::new(), signature: None }
    }

    /// The words, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// Proves a thought to the family that had it. Opaque, and passed on byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who can check it.
    pub family: Family,
    /// The signature, as the family writes it (base64 text).
    pub data: String,
}

/// A prompt-cache breakpoint, Anthropic's `cache_control`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// As the client wrote it: `5m`, `1h`. None is the provider's default.
    pub ttl: Option<String>,
}

/// What kind of medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// A film.
    Video,
    /// A PDF, a text file …
    Document,
}

/// An image, a sound, a video or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Media {
    /// What kind.
    pub kind: MediaKind,
    /// Where it is.
    pub source: MediaSource,
    /// Media type, such as `image/png`: lower case, without parameters. None where the client did not say.
    pub mime: Option<String>,
    /// File name or title.
    pub name: Option<String>,
    /// OpenAI's `detail` of an image: `low`, `high`, `auto`.
    pub detail: Option<String>,
    /// A cache breakpoint behind it.
    pub cache: Option<CacheControl>,
    /// The words of a sound that the model spoke, and the like.
    pub transcript: Option<String>,
}

/// Where a medium is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// Here, as base64 (standard alphabet, without white space).
    Base64(String),
    /// At a URL: `https://`, `http://`, `gs://` …
    Url(String),
    /// At the provider, under this id of its file API.
    FileId(String),
    /// Here, as plain text: the content of a text file.
    Text(String),
}

impl Media {
    /// A medium of which nothing but its source is known.
    pub fn new(kind: MediaKind, source: MediaSource, mime: Option<String>) -> Self {
        Self { kind, source, mime, name: None, detail: None, cache: None, transcript: None }
    }

    /// Its content, `text`, under its name: for targets that take text files as text.
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
    /// Arguments are a JSON object.
    #[default]
    Function,
    /// Arguments are free text (OpenAI's custom tools).
    Custom,
}

/// The model wants a tool called.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Names the call. Never empty: a decoder makes one up where the format has none, see
    /// [`new_call_id`](crate::names::new_call_id).
    pub id: String,
    /// Which tool.
    pub name: String,
    /// Function: the JSON text as the model or client wrote it, `{}` where there was none. Custom: the free text.
    pub arguments: String,
    /// Which of the two.
    pub kind: CallKind,
    /// Gemini signs the first call of a step.
    pub signature: Option<Signature>,
    /// A cache breakpoint behind it.
    pub cache: Option<CacheControl>,
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub call_id: String,
    /// Which tool, where the format says.
    pub name: Option<String>,
    /// Text and media.
    pub content: Vec<Part>,
    /// The tool failed. None where the client did not say.
    pub is_error: Option<bool>,
    /// A cache breakpoint behind it.
    pub cache: Option<CacheControl>,
}

/// What a text rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Citation {
    /// A web page.
    pub url: Option<String>,
    /// Its title, or that of the document.
    pub title: Option<String>,
    /// First character of the text that rests on it, counted in Unicode scalar values.
    pub start: Option<u64>,
    /// Behind the last.
    pub end: Option<u64>,
    /// The words that are cited.
    pub quote: Option<String>,
}
