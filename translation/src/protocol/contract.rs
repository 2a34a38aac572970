//! The contract of a wire format: the trait [`Protocol`], and what it speaks of.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::openai_error;
use crate::back::Back;
use crate::facts::ModelFacts;
use crate::format::Format;
use crate::ir::{self, Dropped, Event, ProviderError, TranslateError, Usage};

/// A wire format: pure, no I/O.
pub trait Protocol: Debug + Send + Sync {
    /// Which.
    fn format(&self) -> Format;

    /// Reads a client's request. Fields that it does not know are no error. What stands in the URL (Gemini's model,
    /// whether it streams) is for the caller to set.
    ///
    /// # Errors
    /// [`TranslateError`]: it is malformed.
    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError>;

    /// Whether a client's request holds signatures that this gateway wrapped because they are another family's: a
    /// provider of this format would refuse them, so the request has to be translated even where its format is the
    /// provider's own. Cheap: a search.
    fn holds_foreign_signatures(&self, _body: &[u8]) -> bool {
        false
    }

    /// A provider's request with the word for a signature that is not known in the place of each, for a provider that
    /// could not read one of them: what another of its keys or places signed may be closed to it. None where there is
    /// none to replace, or no such word.
    fn unsigned(&self, _body: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// `messages`, the field of a client's request of that name, without what other families signed: for the owner of
    /// the format, which refuses it. None where there is none, or where the owner takes it.
    fn without_foreign(&self, _messages: &str) -> Option<String> {
        None
    }

    /// Writes a request for a provider.
    ///
    /// # Errors
    /// [`TranslateError`]: it asks for what the target cannot do, and leaving that out would change what it means.
    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError>;

    /// Reads a provider's whole answer.
    ///
    /// # Errors
    /// [`ProviderError`]: it is no answer, or an error in the guise of one.
    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError>;

    /// Writes an answer for a client.
    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8>;

    /// Reads a provider's error answer: any status, any body, also HTML or none. `retry_after` is read from the body
    /// only.
    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError;

    /// Writes an error for a client: its status in this format, and its document.
    fn encode_error(&self, error: &ProviderError, request_id: &str) -> (u16, Vec<u8>);

    /// Whether `body` is an error document of this format, to be passed on as it stands.
    fn is_error_document(&self, body: &[u8]) -> bool {
        openai_error::is_document(body)
    }

    /// Writes an error as the last of a client's stream that passes through and has begun.
    fn error_event(&self, error: &ProviderError, request_id: &str) -> Vec<u8> {
        let (_, document) = self.encode_error(error, request_id);
        [b"data: ", &*document, b"\n\n"].concat()
    }

    /// What a stream that passes through still needs, when the provider closed it after the reason why the model
    /// stopped and before the format's own end. None where the format has no such place: then the stream is cut.
    fn end_marker(&self) -> Option<&'static [u8]> {
        Some(b"")
    }

    /// Reads a provider's stream.
    fn decoder(&self) -> Box<dyn StreamDecoder>;

    /// Writes a stream for a client.
    fn encoder(&self, asked: AnswerContext) -> Box<dyn StreamEncoder>;

    /// Writes the list of the models that a client may ask for.
    fn encode_models(&self, models: &[ListedModel<'_>]) -> Vec<u8>;

    /// Writes what a client may know of one model.
    fn encode_model(&self, model: &ListedModel<'_>) -> Vec<u8>;

    /// Writes how many tokens a request holds, for a client that asks for nothing else.
    fn encode_count(&self, tokens: u64) -> Vec<u8> {
        format!(r#"{{"input_tokens":{tokens}}}"#).into_bytes()
    }

    /// Reads what metering needs of a stream that passes through as it is.
    fn watcher(&self) -> Box<dyn StreamWatcher>;

    /// Reads what metering needs of a whole answer that passes through as it is.
    ///
    /// # Errors
    /// When it is not JSON. A usage of another shape counts as none.
    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error>;

    /// The usage in the tail of an answer too large to hold: the last object that is a field of that name.
    fn usage_in_tail(&self, tail: &[u8]) -> Option<Usage>;
}

/// A model that a client may ask for.
#[derive(Clone, Copy, Debug)]
pub struct ListedModel<'m> {
    /// The name that the client asks for.
    pub id: &'m str,
    /// Who serves it.
    pub owner: &'m str,
    /// The longest answer, in tokens.
    pub output_limit: Option<u64>,
}

/// What a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The vendor's name of the model.
    pub model: &'t str,
    /// What is known of it.
    pub facts: &'t ModelFacts,
    /// Where the vendor differs from the format's owner.
    pub quirks: &'t Quirks,
    /// Whether the provider is asked for a stream, which need not be what the client asked for.
    pub stream: bool,
}

/// Where a vendor differs from the owner of the format it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// OpenAI chat: takes `max_completion_tokens`; otherwise the older `max_tokens`.
    pub max_completion_tokens: bool,
    /// OpenAI chat: takes the role `developer`; otherwise `system`.
    pub developer_role: bool,
    /// OpenAI chat: takes `response_format` of type `json_schema`; otherwise `json_object` and the schema in words.
    pub json_schema: bool,
    /// OpenAI chat: takes `reasoning_effort`.
    pub reasoning_effort: bool,
    /// OpenAI chat: ends a stream with usage where `stream_options` asks, and does not mind being asked.
    pub stream_usage: bool,
    /// OpenAI chat: takes `parallel_tool_calls`.
    pub parallel_tool_calls: bool,
    /// OpenAI chat: takes `tool_choice` `required`; Mistral says `any`.
    pub required_word: &'static str,
    /// OpenAI chat: wants thoughts of earlier turns back as `reasoning_content` within a tool loop (DeepSeek, Moonshot,
    /// Zhipu …).
    pub reasoning_history: bool,
    /// Tool-call ids: none, or exactly so many letters and digits (Mistral: 9).
    pub call_id_length: Option<usize>,
    /// Anthropic and Gemini formats at a place that does not fetch URLs (Bedrock, Vertex): media must be given as data.
    pub media_urls: bool,
}

impl Quirks {
    /// Those of the owner itself: none.
    pub const NONE: Self = Self {
        max_completion_tokens: true,
        developer_role: true,
        json_schema: true,
        reasoning_effort: true,
        stream_usage: true,
        parallel_tool_calls: true,
        required_word: "required",
        reasoning_history: false,
        call_id_length: None,
        media_urls: true,
    };

    /// Of a vendor that is compatible with OpenAI and of which nothing else is known: the older, wider spread words.
    pub const COMPATIBLE: Self = Self { max_completion_tokens: false, developer_role: false, ..Self::NONE };
}

impl Default for Quirks {
    fn default() -> Self {
        Self::NONE
    }
}

/// A request, written for a provider.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The body.
    pub body: Bytes,
    /// What was left out.
    pub dropped: Dropped,
    /// How to undo on the answer what was done to the request.
    pub back: Back,
}

/// What the client asked for, as far as its answer depends on it.
#[derive(Clone, Debug)]
pub struct AnswerContext {
    /// The gateway's own id for the answer, without a prefix: letters and digits.
    pub id: String,
    /// Epoch seconds.
    pub created: u64,
    /// The request.
    pub request: Arc<ir::Request>,
}

/// Reads a provider's stream, in whatever portions it comes.
///
/// Any split of the same bytes gives the same events. No byte sequence panics or hangs it, and it holds no more than
/// one wire event of at most [`sse::LARGEST_EVENT`](super::sse::LARGEST_EVENT) bytes, and what its format demands of
/// the tool calls that are under way.
pub trait StreamDecoder: Debug + Send {
    /// Takes the next portion, and appends the events that are complete now.
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>);

    /// The stream has ended: appends what is missing, an error where it broke off.
    fn end(&mut self, events: &mut Vec<Event>);

    /// Whether the format's own end has come: nothing of use follows, though the connection may stay open.
    fn done(&self) -> bool {
        false
    }
}

/// Writes a client's stream.
pub trait StreamEncoder: Debug + Send {
    /// Appends the bytes that say `event`.
    fn event(&mut self, event: &Event, bytes: &mut Vec<u8>);

    /// The answer is whole: appends the end that the format demands, such as `[DONE]`. Not called after
    /// [`Event::Error`].
    fn end(&mut self, bytes: &mut Vec<u8>);

    /// The `content-type` of the stream.
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// Bytes that keep the connection alive and that clients of the format skip; none where there is nothing such.
    fn keep_alive(&self) -> &'static [u8] {
        b""
    }
}

/// Reads what metering needs of a stream that passes through as it is.
pub trait StreamWatcher: Debug + Send {
    /// Reads one wire event, by its data.
    fn event(&mut self, data: &Bytes) -> Seen;
}

/// What one wire event of a stream is, as far as the gateway has to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The usage so far, where the event says something of it.
    pub usage: Option<Usage>,
    /// It reports usage and nothing else: the event that a client of OpenAI chat gets only if it asked.
    pub only_usage: bool,
    /// It gives the reason why the model stopped.
    pub finishes: bool,
    /// Nothing follows.
    pub done: bool,
    /// It is an error in place of the rest.
    pub error: bool,
}
