//! The wire formats for chat, and the constant facts of each: what other code would otherwise ask with a `match`.
//!
//! A new format is a variant of [`Format`], a row of [`FormatFacts`] here, and a folder in
//! [`protocol`](crate::protocol).

use std::fmt;

mod field_names;
mod optional_fields;

pub use field_names::FieldNames;
pub use optional_fields::OptionalField;

/// A wire format for chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `POST /v1/chat/completions`.
    OpenAiChat,
    /// `POST /v1/responses`.
    OpenAiResponses,
    /// `POST /v1/messages`.
    AnthropicMessages,
    /// `POST /v1beta/models/{model}:generateContent`.
    GeminiGenerate,
    /// `POST /model/{model}/converse` of Amazon Bedrock. No client speaks it here.
    BedrockConverse,
}

/// Whose models a format was made for. A signature, an encrypted thought, a file id or a built-in tool of one family
/// means nothing to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// OpenAI, and vendors compatible with it.
    OpenAi,
    /// Anthropic, also on Bedrock and Vertex.
    Anthropic,
    /// Gemini, also on Vertex.
    Gemini,
}

/// Where a client puts its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialPlace {
    /// `Authorization: Bearer`.
    Bearer,
    /// `x-api-key`.
    XApiKey,
    /// `x-goog-api-key`.
    GoogApiKey,
    /// `?key=`.
    Query,
}

/// Whether a client is shown the model's thoughts where its request says nothing of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaskedThoughts {
    /// It is shown them, wherever the target can show them.
    Shown,
    /// It is shown what the model shows by itself.
    LeftToModel,
    /// It is shown none.
    Hidden,
}

/// The field that names the tool call to which a result belongs.
#[derive(Clone, Copy, Debug)]
pub struct CallIdField {
    /// The field's name.
    pub name: &'static str,
    /// Whether the field stands in a part of the message, and not in the message itself.
    pub in_part: bool,
}

/// Paths of an endpoint below the base URL. `{model}` is the place of the model's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// For an answer in one piece.
    pub whole: &'static str,
    /// For a stream.
    pub stream: &'static str,
}

/// Errors of one shape. Where the client's format and the provider's share it, an error document passes as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// OpenAI's, of both of its APIs.
    OpenAi,
    /// Anthropic's.
    Anthropic,
    /// Google's.
    Google,
    /// Amazon's.
    Amazon,
}

/// Which URLs of media a provider fetches by itself.
#[derive(Clone, Copy, Debug)]
pub struct MediaUrls {
    /// Whether the provider fetches URLs that begin with `https://`.
    pub https: bool,
    /// Whether the provider fetches URLs that begin with `http://`.
    pub http: bool,
    /// How URLs begin of what the provider has at hand, and so reads in any case.
    pub at_hand: &'static [&'static str],
}

/// What is constant of a format.
#[derive(Clone, Copy, Debug)]
pub struct FormatFacts {
    /// Name in usage records and error texts.
    pub name: &'static str,
    /// Whose models the format was made for.
    pub family: Family,
    /// Whose signatures a provider reads that is given them back in this format. None where it takes none, or has a
    /// place of its own for them.
    pub reads_signatures: Option<Family>,
    /// Where its clients put their credential. The first place that holds one counts.
    pub credentials: &'static [CredentialPlace],

    /// What its clients call the fields of a request.
    pub fields: FieldNames,
    /// What its clients call the parts of a message.
    pub parts: &'static str,
    /// Where its clients say to which tool call a result belongs.
    pub call_id: CallIdField,
    /// Fields without a neutral form that refer to what only a provider of this format keeps.
    pub stateful_fields: &'static [&'static str],
    /// The type of an item of the conversation that the client names and does not give, because the provider keeps it.
    pub reference_item: Option<&'static str>,
    /// A field without a neutral form that asks for a shape of the answer which no other format has.
    pub own_answer_shape: Option<&'static str>,
    /// Fields without a neutral form that change what the answer is. Where the target has nothing like one of them, the
    /// request is refused.
    pub decisive_fields: &'static [&'static str],
    /// Whether an effort in words makes the model think. In Anthropic's words only `thinking` does.
    pub effort_starts_thinking: bool,
    /// Whether its clients give the model's thoughts back in their places, between tool calls too. Of other clients it
    /// is known only that thoughts come first.
    pub thoughts_in_place: bool,
    /// Whether its clients are shown thoughts that they did not ask for.
    pub unasked_thoughts: UnaskedThoughts,

    /// The path below the base URL at the owner of the format.
    pub path: Path,
    /// The end of that path, beside which the other endpoints of the API stand. None where there are none.
    pub endpoint: Option<&'static str>,
    /// The formats beside whose endpoint the others of this API may stand, the preferred one first.
    pub beside: &'static [Format],
    /// Whether the other endpoints may answer with what is not JSON, such as sound.
    pub any_answer_beside: bool,
    /// The field of a body that names the version of the API, where a vendor wants it there.
    pub version_field: Option<&'static str>,
    /// What its errors look like.
    pub error_shape: ErrorShape,
    /// Whether the provider keeps answers under their ids, so that later requests can refer to them.
    pub keeps_answers: bool,
    /// Whether a stream ends with a count of tokens only where `stream_options` asks for it.
    pub usage_if_asked: bool,
    /// The fields of a stream's events that hold pieces of a text, as they stand in JSON.
    pub delta_fields: &'static [&'static str],
    /// Fields that a provider's request can go without, where the provider refuses them.
    pub optional_fields: &'static [OptionalField],
    /// The `Content-Type` of a provider's stream.
    pub stream_type: &'static str,
    /// Headers of a client's request that mean something to a provider of the same format, in lower case.
    pub request_headers: &'static [&'static str],
    /// The parameter by which the owner's list of models has its longest pages, and its value. None where the list is
    /// one page.
    pub models_page: Option<(&'static str, &'static str)>,
    /// A header besides `x-request-id` in which its clients look for the id of their request.
    pub request_id_header: Option<&'static str>,
    /// Which URLs of media a provider fetches by itself.
    pub media_urls: MediaUrls,
}

/// OpenAI chat completions. The other rows start from it.
const OPENAI_CHAT: FormatFacts = FormatFacts {
    name: "openai_chat",
    family: Family::OpenAi,
    reads_signatures: None,
    credentials: &[CredentialPlace::Bearer],
    fields: FieldNames::OPENAI_CHAT,
    parts: "content",
    call_id: CallIdField { name: "tool_call_id", in_part: false },
    stateful_fields: &[],
    reference_item: None,
    own_answer_shape: None,
    decisive_fields: &["web_search_options", "audio"],
    effort_starts_thinking: true,
    thoughts_in_place: false,
    unasked_thoughts: UnaskedThoughts::Shown,
    path: Path::one("/chat/completions"),
    endpoint: Some("/chat/completions"),
    // What stands beside chat at OpenAI does not depend on which of its chat formats a vendor has.
    beside: &[Format::OpenAiChat, Format::OpenAiResponses],
    any_answer_beside: true,
    version_field: None,
    error_shape: ErrorShape::OpenAi,
    keeps_answers: false,
    usage_if_asked: true,
    delta_fields: &[
        r#""content""#,
        r#""reasoning_content""#,
        r#""reasoning""#,
        r#""arguments""#,
        r#""refusal""#,
        r#""text""#,
    ],
    optional_fields: optional_fields::OPENAI_CHAT,
    stream_type: "text/event-stream",
    request_headers: &["openai-organization", "openai-project", "openai-beta"],
    models_page: None,
    request_id_header: None,
    media_urls: MediaUrls { https: true, http: true, at_hand: &[] },
};

const OPENAI_RESPONSES: FormatFacts = FormatFacts {
    name: "openai_responses",
    fields: FieldNames::OPENAI_RESPONSES,
    call_id: CallIdField { name: "call_id", in_part: false },
    stateful_fields: &["previous_response_id", "conversation", "prompt", "background"],
    reference_item: Some("item_reference"),
    decisive_fields: &[],
    path: Path::one("/responses"),
    endpoint: Some("/responses"),
    beside: &[Format::OpenAiResponses],
    any_answer_beside: false,
    keeps_answers: true,
    usage_if_asked: false,
    delta_fields: &[r#""delta""#],
    optional_fields: optional_fields::OPENAI_RESPONSES,
    ..OPENAI_CHAT
};

const ANTHROPIC_MESSAGES: FormatFacts = FormatFacts {
    name: "anthropic_messages",
    family: Family::Anthropic,
    reads_signatures: Some(Family::Anthropic),
    // Anthropic's SDKs send one of the two.
    credentials: &[CredentialPlace::XApiKey, CredentialPlace::Bearer],
    fields: FieldNames::ANTHROPIC_MESSAGES,
    call_id: CallIdField { name: "tool_use_id", in_part: true },
    decisive_fields: &[],
    effort_starts_thinking: false,
    thoughts_in_place: true,
    unasked_thoughts: UnaskedThoughts::LeftToModel,
    path: Path::one("/v1/messages"),
    endpoint: Some("/messages"),
    beside: &[Format::AnthropicMessages],
    any_answer_beside: false,
    version_field: Some("anthropic_version"),
    error_shape: ErrorShape::Anthropic,
    usage_if_asked: false,
    delta_fields: &[r#""text""#, r#""thinking""#, r#""partial_json""#],
    optional_fields: optional_fields::ANTHROPIC_MESSAGES,
    request_headers: &["anthropic-version", "anthropic-beta"],
    // Claude API documentation, "List Models".
    models_page: Some(("limit", "1000")),
    // Claude API documentation, "Errors".
    request_id_header: Some("request-id"),
    media_urls: MediaUrls { https: true, http: false, at_hand: &[] },
    ..OPENAI_CHAT
};

const GEMINI_GENERATE: FormatFacts = FormatFacts {
    name: "gemini_generate",
    family: Family::Gemini,
    reads_signatures: Some(Family::Gemini),
    // Google's SDKs know three ways.
    credentials: &[CredentialPlace::GoogApiKey, CredentialPlace::Query, CredentialPlace::Bearer],
    fields: FieldNames::GEMINI_GENERATE,
    parts: "parts",
    call_id: CallIdField { name: "functionResponse.id", in_part: true },
    stateful_fields: &["cachedContent"],
    own_answer_shape: Some("generationConfig.responseMimeType"),
    decisive_fields: &[],
    unasked_thoughts: UnaskedThoughts::Hidden,
    path: Path {
        whole: "/v1beta/models/{model}:generateContent",
        stream: "/v1beta/models/{model}:streamGenerateContent?alt=sse",
    },
    endpoint: Some(":generateContent"),
    beside: &[Format::GeminiGenerate],
    any_answer_beside: false,
    error_shape: ErrorShape::Google,
    usage_if_asked: false,
    delta_fields: &[r#""text""#],
    optional_fields: optional_fields::GEMINI_GENERATE,
    request_headers: &[],
    // Gemini API reference, `models.list`.
    models_page: Some(("pageSize", "1000")),
    media_urls: MediaUrls {
        https: false,
        http: false,
        // Gemini's files, and videos that it looks up itself ("Video understanding").
        at_hand: &[
            "https://generativelanguage.googleapis.com/",
            "https://www.youtube.com/",
            "https://youtube.com/",
            "https://youtu.be/",
            "https://m.youtube.com/",
        ],
    },
    ..OPENAI_CHAT
};

const BEDROCK_CONVERSE: FormatFacts = FormatFacts {
    name: "bedrock_converse",
    family: Family::Anthropic,
    reads_signatures: Some(Family::Anthropic),
    fields: FieldNames::BEDROCK_CONVERSE,
    call_id: CallIdField { name: "tool_use_id", in_part: true },
    decisive_fields: &[],
    path: Path { whole: "/model/{model}/converse", stream: "/model/{model}/converse-stream" },
    endpoint: None,
    beside: &[],
    any_answer_beside: false,
    error_shape: ErrorShape::Amazon,
    usage_if_asked: false,
    delta_fields: &[],
    optional_fields: optional_fields::BEDROCK_CONVERSE,
    stream_type: "application/vnd.amazon.eventstream",
    request_headers: &[],
    media_urls: MediaUrls { https: false, http: false, at_hand: &[] },
    ..OPENAI_CHAT
};

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] =
        [Self::OpenAiChat, Self::OpenAiResponses, Self::AnthropicMessages, Self::GeminiGenerate, Self::BedrockConverse];

    /// What is constant of the format.
    pub fn facts(self) -> &'static FormatFacts {
        match self {
            Self::OpenAiChat => &OPENAI_CHAT,
            Self::OpenAiResponses => &OPENAI_RESPONSES,
            Self::AnthropicMessages => &ANTHROPIC_MESSAGES,
            Self::GeminiGenerate => &GEMINI_GENERATE,
            Self::BedrockConverse => &BEDROCK_CONVERSE,
        }
    }

    /// Its name in usage records and error texts.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Whose models it was made for.
    pub fn family(self) -> Family {
        self.facts().family
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Path {
    /// The same path for an answer in one piece and for a stream.
    pub const fn one(path: &'static str) -> Self {
        Self { whole: path, stream: path }
    }
}

impl CredentialPlace {
    /// What a client is told to send.
    pub fn example(self) -> &'static str {
        match self {
            Self::Bearer => "Authorization: Bearer <key>",
            Self::XApiKey => "x-api-key: <key>",
            Self::GoogApiKey => "x-goog-api-key: <key>",
            Self::Query => "?key=<key>",
        }
    }
}
