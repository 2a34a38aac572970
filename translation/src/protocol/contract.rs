//! The contract of a wire format: the trait [`Protocol`], and what it speaks of.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;

use super::openai_error;
use super::thinking_rules::ThinkingRules;
use crate::back::Back;
use crate::facts::ModelFacts;
use crate::format::Format;
use crate::ir::{self, Dropped, Event, ProviderError, TranslateError, Usage};

/// A wire format. Its methods are pure: they do no I/O.
pub trait Protocol: Debug + Send + Sync {
    /// The format that this implements.
    fn format(&self) -> Format;

    /// Reads a client's request. Fields that are not known are no error. The caller sets what stands in the URL
    /// (Gemini's model, and whether it streams).
    ///
    /// # Errors
    /// [`TranslateError`]: the request is malformed.
    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError>;

    /// Whether a client's request holds signatures of another family that this gateway wrapped. A provider of this
    /// format would refuse them, so the request is translated even where the provider speaks the client's format. The
    /// check is a search, and cheap.
    fn holds_foreign_signatures(&self, _body: &[u8]) -> bool {
        false
    }

    /// A provider's request with each signature replaced by the word for one that is not known. It is for a provider
    /// that could not read a signature, such as one that another of its keys or places made. None where there is no
    /// signature to replace, or the format has no such word.
    fn unsigned(&self, _body: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// The client's history, which is the text of its field of messages, without what other families left in it and the
    /// provider refuses: fields that only others know, and ids of calls beyond its bounds. None where nothing has to be
    /// changed.
    fn without_foreign(&self, _messages: &str, _quirks: &Quirks) -> Option<String> {
        None
    }

    /// What has to change in a request that passes for the target to understand how much the client wants it to think.
    /// `given` has the fields of the body that are not `null`. None where nothing has to.
    fn thinking_edits<'b>(
        &self,
        _given: &dyn Fn(&str) -> Option<&'b str>,
        _target: &Target<'_>,
    ) -> Option<ThinkingEdits> {
        None
    }

    /// Writes a request for a provider.
    ///
    /// # Errors
    /// [`TranslateError`]: the request asks for what the target cannot do, and would mean something else without it.
    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError>;

    /// Reads a provider's whole answer.
    ///
    /// # Errors
    /// [`ProviderError`]: the body is no answer, or it is an error that came as one.
    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError>;

    /// Writes an answer for a client.
    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8>;

    /// Reads a provider's error answer. It may have any status and any body, such as HTML or none. `retry_after` is
    /// read from the body only.
    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError;

    /// Writes an error for a client: the status that it has in this format, and its document.
    fn encode_error(&self, error: &ProviderError, request_id: &str) -> (u16, Vec<u8>);

    /// Whether `body` is an error document of this format, to be passed on as it stands.
    fn is_error_document(&self, body: &[u8]) -> bool {
        openai_error::is_document(body)
    }

    /// Writes an error as the last event of a client's stream that has begun.
    fn error_event(&self, error: &ProviderError, request_id: &str) -> Vec<u8> {
        let (_, document) = self.encode_error(error, request_id);
        [b"data: ", &*document, b"\n\n"].concat()
    }

    /// The error that `data` reports, which is the data of one wire event of a provider's stream.
    fn error_in(&self, data: &[u8]) -> ProviderError {
        // On one line, as it would stand in an event.
        let line = serde_json::from_slice::<serde_json::Value>(data).map(|document| document.to_string());
        let line = line.as_deref().map_or(data, str::as_bytes);
        let mut events = Vec::new();
        self.decoder().push([b"data: ", line, b"\n\n"].concat().into(), &mut events);
        let told =
            events.into_iter().find_map(|event| if let Event::Error(error) = event { Some(error) } else { None });
        told.unwrap_or_else(|| self.decode_error(502, data))
    }

    /// Whether a client of the format takes `event`, which reports an error, for the error that it is. Otherwise the
    /// gateway says it in an event of its own.
    fn tells_error(&self, _event: &Bytes) -> bool {
        true
    }

    /// How much `data` says, which is the data of one wire event of a provider's stream.
    fn life(&self, _data: &[u8]) -> Life {
        Life::Says
    }

    /// Bytes that keep a client's connection alive between two events, and that clients of the format skip. Empty where
    /// the format has none.
    fn keep_alive(&self) -> &'static [u8] {
        b""
    }

    /// What completes a client's stream that passes through, where the provider closed it after the reason why the
    /// model stopped and before the format's own end. None where the format has no such end: the stream is then cut.
    fn end_marker(&self) -> Option<&'static [u8]> {
        Some(b"")
    }

    /// The event that tells how many tokens were used, for a client that asked for it and a provider that has counted
    /// nothing: zeros. `last` is the data of the event before. Empty where the format has no such event.
    fn usage_event(&self, _last: &[u8]) -> Vec<u8> {
        Vec::new()
    }

    /// Reads a provider's stream.
    fn decoder(&self) -> Box<dyn StreamDecoder>;

    /// Writes a stream for a client, which asked in the context of `asked`.
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
    /// When the body is not JSON. A usage of another shape counts as none.
    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error>;

    /// The usage in the tail of an answer too large to hold: the last object in a field of that name.
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

/// The provider, the model and the manner that a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The model, as the vendor calls it.
    pub model: &'t str,
    /// What is known of the model.
    pub facts: &'t ModelFacts,
    /// Where the vendor differs from the format's owner.
    pub quirks: &'t Quirks,
    /// Whether the provider is asked for a stream, which need not be what the client asked for.
    pub stream: bool,
}

/// Fields of messages, of their parts and of their calls that OpenAI does not know: thoughts and signatures in the
/// words of other vendors and gateways, and Anthropic's breakpoints of the prompt cache.
pub const FOREIGN_FIELDS: &[&str] = &[
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "reasoning_text",
    "thinking",
    "thinking_blocks",
    "signature",
    "thought_signature",
    "provider_specific_fields",
    "extra_content",
    "cache_control",
];

/// [`FOREIGN_FIELDS`] without `reasoning`, which some vendors have themselves.
pub const FOREIGN_BUT_REASONING: &[&str] = match FOREIGN_FIELDS {
    [_, others @ ..] => others,
    [] => &[],
};

/// Where a vendor differs from the owner of the format that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// OpenAI chat: the API is the owner's own, in whatever version, so that its first fields and its bounds hold.
    pub owner: bool,
    /// OpenAI chat: the vendor takes `max_completion_tokens`; otherwise the older `max_tokens`.
    pub max_completion_tokens: bool,
    /// OpenAI chat: the vendor takes the role `developer`; otherwise `system`.
    pub developer_role: bool,
    /// OpenAI chat: the vendor takes `response_format` of type `json_schema`; otherwise it is asked for `json_object`
    /// and told the schema in words.
    pub json_schema: bool,
    /// OpenAI chat: the vendor takes `reasoning_effort`.
    pub reasoning_effort: bool,
    /// OpenAI chat: the vendor ends a stream with usage where `stream_options` asks for it; otherwise it is not asked.
    pub stream_usage: bool,
    /// OpenAI chat: the vendor takes `parallel_tool_calls`.
    pub parallel_tool_calls: bool,
    /// OpenAI chat: the vendor's word for `tool_choice` `required`; Mistral's is `any`.
    pub required_word: &'static str,
    /// OpenAI chat: how the vendor's models are made to think, and what that forbids. The first row with the model's
    /// name counts; for models without a row, `reasoning_effort` does.
    pub thinking: &'static [ThinkingRules],
    /// OpenAI chat: the vendor may leave thoughts in the content, between `<think>` and `</think>`.
    pub think_tags: bool,
    /// How many letters and digits an id of a tool call has (Mistral: 9). None where the length is free.
    pub call_id_length: Option<usize>,
    /// OpenAI chat: fields of messages that other vendors have and this one refuses.
    pub foreign_fields: &'static [&'static str],
    /// The vendor takes `models`, with which a request names further models that may answer it. Others do not get it.
    pub model_lists: bool,
    /// The provider fetches URLs of media. Where Anthropic's or Gemini's models run at another place (Bedrock, Vertex)
    /// it does not, and media must be given as data.
    pub media_urls: bool,
}

impl Quirks {
    /// No differences: the owner of the format itself.
    pub const NONE: Self = Self {
        owner: true,
        max_completion_tokens: true,
        developer_role: true,
        json_schema: true,
        reasoning_effort: true,
        stream_usage: true,
        parallel_tool_calls: true,
        required_word: "required",
        thinking: &[],
        think_tags: false,
        call_id_length: None,
        foreign_fields: FOREIGN_FIELDS,
        model_lists: false,
        media_urls: true,
    };

    /// A vendor that is compatible with OpenAI and of which nothing else is known. It is told the older words, which
    /// are wider spread.
    pub const COMPATIBLE: Self =
        Self { owner: false, max_completion_tokens: false, developer_role: false, foreign_fields: &[], ..Self::NONE };

    /// Whether the owner's newer fields are taken, such as `store` and `service_tier`. Other vendors refuse fields that
    /// they do not know, and so do versions of the owner's API from before the role `developer`.
    pub fn take_newer_fields(&self) -> bool {
        self.owner && self.developer_role
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::NONE
    }
}

/// Changes to the fields of a request that passes.
#[derive(Clone, Debug, Default)]
pub struct ThinkingEdits {
    /// The fields to set, and their JSON texts.
    pub set: Vec<(&'static str, String)>,
    /// The fields to remove.
    pub removed: Vec<&'static str>,
    /// The fields of the client's that say what the provider cannot be told.
    pub dropped: Dropped,
}

/// A request, written for a provider.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The body of the request.
    pub body: Bytes,
    /// The fields that were left out.
    pub dropped: Dropped,
    /// How to undo on the answer what was done to the request.
    pub back: Back,
}

/// What the writing of an answer needs to know of the client's request.
#[derive(Clone, Debug)]
pub struct AnswerContext {
    /// The gateway's own id for the answer: letters and digits, without a prefix.
    pub id: String,
    /// When the answer is made, in epoch seconds.
    pub created: u64,
    /// The client's request.
    pub request: Arc<ir::Request>,
}

/// Reads a provider's stream, in whatever portions it comes.
///
/// Any split of the same bytes gives the same events. No byte sequence makes a decoder panic or hang. A decoder holds
/// no more than one wire event of at most [`LARGEST_EVENT`](super::sse::LARGEST_EVENT) bytes, and what its format
/// demands of the tool calls that are under way.
pub trait StreamDecoder: Debug + Send {
    /// Takes the next portion, and appends the events that are complete now.
    fn push(&mut self, portion: Bytes, events: &mut Vec<Event>);

    /// Tells the decoder that the stream has ended. It appends what is missing, such as an error where the stream broke
    /// off.
    fn end(&mut self, events: &mut Vec<Event>);

    /// Whether the format's own end has come. Nothing of use follows, though the connection may stay open.
    fn done(&self) -> bool {
        false
    }

    /// Whether something has come, since this was last asked, that has no event of its own and is more than a sign of
    /// life: a step of a tool that runs at the provider, for one.
    fn stirred(&mut self) -> bool {
        false
    }
}

/// How much one wire event of a provider's stream says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// The event is a mere sign of life: a ping, or a piece of the answer with nothing in it.
    Nothing,
    /// The event belongs to the frame of the answer, which begins.
    Begins,
    /// The event is a part of the answer, its end, or an error.
    Says,
}

/// Writes a client's stream.
pub trait StreamEncoder: Debug + Send {
    /// Appends the bytes that say `event`.
    fn event(&mut self, event: &Event, bytes: &mut Vec<u8>);

    /// Completes the answer: appends the end that the format demands, such as `[DONE]`. It is not called after
    /// [`Event::Error`].
    fn end(&mut self, bytes: &mut Vec<u8>);

    /// The `content-type` of the stream.
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// Bytes that keep the connection alive and that clients of the format skip. Empty where the format has none.
    fn keep_alive(&self) -> &'static [u8] {
        b""
    }
}

/// Reads what metering needs of a stream that passes through as it is.
pub trait StreamWatcher: Debug + Send {
    /// Reads the data of one wire event.
    fn event(&mut self, data: &Bytes) -> Seen;
}

/// What the gateway has to know of one wire event of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The usage so far, where the event tells it.
    pub usage: Option<Usage>,
    /// The event reports usage and nothing else. A client of OpenAI chat gets such an event only if it asked for it.
    pub only_usage: bool,
    /// The event gives the reason why the model stopped.
    pub finishes: bool,
    /// Nothing follows the event.
    pub done: bool,
    /// The event is an error in place of the rest of the stream.
    pub error: bool,
}
