//! A conversation and how the model is to go on.

use serde::Deserialize;

use super::part::{CacheControl, Part};
use super::reasoning::Reasoning;
use crate::json::Json;
use crate::protocol::Format;

/// A request in the neutral form. Absent and `null` are the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The format it was read from: decides how its fields are called when one is refused or dropped.
    pub origin: Format,
    /// As the client named it.
    pub model: String,
    /// The answer is to be a stream.
    pub stream: bool,
    /// OpenAI chat: the stream is to end with a count of tokens.
    pub include_usage: bool,
    /// OpenAI chat: tools came as `functions`, and calls are to be answered as `function_call`.
    pub legacy_functions: bool,
    /// The conversation, system messages in their places.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must, and what.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// Longest answer, in tokens.
    pub max_output_tokens: Option<u64>,
    /// 0..2 (OpenAI, Gemini), 0..1 (Anthropic): unclamped here.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sampling among the first k.
    pub top_k: Option<u64>,
    /// For repeatable sampling.
    pub seed: Option<i64>,
    /// -2..2.
    pub presence_penalty: Option<f64>,
    /// -2..2.
    pub frequency_penalty: Option<f64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Answers wanted (`n`, `candidateCount`).
    pub candidates: Option<u32>,
    /// Log probabilities wanted.
    pub logprobs: Option<bool>,
    /// How many alternatives for each token.
    pub top_logprobs: Option<u32>,
    /// Shape of the answer.
    pub output: Output,
    /// How much to think.
    pub reasoning: Option<Reasoning>,
    /// OpenAI's `verbosity`: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// Kinds of answer wanted, lower case: `text`, `audio`, `image`. Empty: the default.
    pub modalities: Vec<String>,
    /// Who the user is, to the provider's abuse detection.
    pub user: Option<String>,
    /// How urgent, in the client's word: see [`ServiceTier`].
    pub service_tier: Option<ServiceTier>,
    /// A cache breakpoint for the whole prompt (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheControl>,
    /// Fields that have no neutral form, by the client's name (a dotted path below the top level), with their values.
    /// An encoder takes those that it knows from [`origin`](Self::origin), and reports the others as dropped.
    pub extensions: Vec<(String, Json)>,
}

impl Request {
    /// A request without anything in it.
    pub fn new(origin: Format, model: impl Into<String>) -> Self {
        Self {
            origin,
            model: model.into(),
            stream: false,
            include_usage: false,
            legacy_functions: false,
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            max_output_tokens: None,
            temperature: None,
            top_p: None,
            top_k: None,
            seed: None,
            presence_penalty: None,
            frequency_penalty: None,
            stop: Vec::new(),
            candidates: None,
            logprobs: None,
            top_logprobs: None,
            output: Output::Text,
            reasoning: None,
            verbosity: None,
            modalities: Vec::new(),
            user: None,
            service_tier: None,
            cache: None,
            extensions: Vec::new(),
        }
    }

    /// Where a message, or a part of it, stands in the client's request: `messages[2].content[0]`.
    pub fn path(&self, message: &Message, part: Option<usize>) -> String {
        let at = message.origin;
        let (list, content) = match self.origin {
            Format::OpenAiChat | Format::AnthropicMessages | Format::BedrockConverse => ("messages", "content"),
            Format::OpenAiResponses => ("input", "content"),
            Format::GeminiGenerate => ("contents", "parts"),
        };
        match part {
            Some(part) => format!("{list}[{at}].{content}[{part}]"),
            None => format!("{list}[{at}]"),
        }
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator, above the user.
    System,
    /// OpenAI's newer word for the same.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool: its message holds [`Part::ToolResult`]s only.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What.
    pub parts: Vec<Part>,
    /// OpenAI chat: a name for the speaker.
    pub name: Option<String>,
    /// Index in the client's list of messages, for error texts. Messages that were top-level fields (Anthropic's
    /// `system`) have 0.
    pub origin: usize,
}

impl Message {
    /// A message without a name.
    pub fn new(role: Role, parts: Vec<Part>, origin: usize) -> Self {
        Self { role, parts, name: None, origin }
    }
}

/// What the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name, in the client's alphabet.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What kind.
    pub kind: ToolKind,
    /// A cache breakpoint behind it.
    pub cache: Option<CacheControl>,
}

/// What kind of tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// Called with a JSON object.
    Function {
        /// JSON schema of the object, as the client wrote it. None: no parameters.
        parameters: Option<Json>,
        /// The arguments must fit the schema.
        strict: Option<bool>,
    },
    /// Called with free text (OpenAI's custom tools).
    Custom {
        /// Grammar of the text.
        format: Option<Json>,
    },
    /// Runs at the provider (web search …): the client's whole declaration, of use only to a provider that has the
    /// like.
    Builtin(Json),
}

/// Whether a tool must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// No tool.
    None,
    /// Some tool.
    Required,
    /// This one.
    Named(String),
    /// One of these, or none unless `required`.
    Allowed {
        /// Some tool of the list must be called.
        required: bool,
        /// Names.
        names: Vec<String>,
    },
}

/// Shape of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Text.
    #[default]
    Text,
    /// One JSON object, any.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema(Schema),
}

/// A schema for the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// Its name, where the client gave one.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The schema, as the client wrote it.
    pub schema: Json,
    /// The answer must fit it exactly.
    pub strict: Option<bool>,
}

impl Schema {
    /// Whether it says at its top that the answer is an object: OpenAI takes no other (structured outputs guide).
    pub fn is_of_object(&self) -> bool {
        #[derive(Deserialize)]
        struct Top {
            r#type: Option<String>,
        }

        self.schema.read::<Top>().is_ok_and(|top| top.r#type.as_deref() == Some("object"))
    }

    /// What to say to a model that is not held to the schema.
    pub fn in_words(&self) -> String {
        let what = if self.is_of_object() { "one JSON object" } else { "JSON" };
        format!("Answer with {what} and nothing else. It must fit this JSON schema:\n{}", self.schema.get())
    }
}

/// How urgent a request is: what the formats share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceTier {
    /// The provider decides.
    Auto,
    /// Standard capacity only (OpenAI `default`, Anthropic `standard_only`).
    Standard,
    /// OpenAI's `priority`.
    Priority,
    /// OpenAI's `flex`.
    Flex,
    /// Any other word of the client's.
    Other(String),
}

/// A field that has a neutral form, for naming it in the client's own words when a target cannot express it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the request's fields")]
pub enum Field {
    MaxOutputTokens,
    Temperature,
    TopP,
    TopK,
    Seed,
    PresencePenalty,
    FrequencyPenalty,
    Stop,
    Candidates,
    Logprobs,
    TopLogprobs,
    Output,
    Reasoning,
    Verbosity,
    Modalities,
    User,
    ServiceTier,
    Cache,
    Tools,
    ToolChoice,
    ParallelToolCalls,
    Messages,
    System,
    Detail,
    Name,
    StrictTools,
}

impl Field {
    /// What a client of `format` calls it.
    pub fn name(self, format: Format) -> &'static str {
        use Format::{AnthropicMessages, BedrockConverse, GeminiGenerate, OpenAiChat, OpenAiResponses};
        match (self, format) {
            (Self::MaxOutputTokens, OpenAiChat) => "max_completion_tokens",
            (Self::MaxOutputTokens, OpenAiResponses) => "max_output_tokens",
            (Self::MaxOutputTokens, AnthropicMessages) => "max_tokens",
            (Self::MaxOutputTokens, GeminiGenerate) => "generationConfig.maxOutputTokens",
            (Self::MaxOutputTokens, BedrockConverse) => "inferenceConfig.maxTokens",
            (Self::Temperature, GeminiGenerate) => "generationConfig.temperature",
            (Self::Temperature, BedrockConverse) => "inferenceConfig.temperature",
            (Self::Temperature, _) => "temperature",
            (Self::TopP, GeminiGenerate) => "generationConfig.topP",
            (Self::TopP, BedrockConverse) => "inferenceConfig.topP",
            (Self::TopP, _) => "top_p",
            (Self::TopK, GeminiGenerate) => "generationConfig.topK",
            (Self::TopK, _) => "top_k",
            (Self::Seed, GeminiGenerate) => "generationConfig.seed",
            (Self::Seed, _) => "seed",
            (Self::PresencePenalty, GeminiGenerate) => "generationConfig.presencePenalty",
            (Self::PresencePenalty, _) => "presence_penalty",
            (Self::FrequencyPenalty, GeminiGenerate) => "generationConfig.frequencyPenalty",
            (Self::FrequencyPenalty, _) => "frequency_penalty",
            (Self::Stop, GeminiGenerate) => "generationConfig.stopSequences",
            (Self::Stop, AnthropicMessages) => "stop_sequences",
            (Self::Stop, BedrockConverse) => "inferenceConfig.stopSequences",
            (Self::Stop, _) => "stop",
            (Self::Candidates, GeminiGenerate) => "generationConfig.candidateCount",
            (Self::Candidates, _) => "n",
            (Self::Logprobs, GeminiGenerate) => "generationConfig.responseLogprobs",
            (Self::Logprobs, OpenAiResponses) => "include",
            (Self::Logprobs, _) => "logprobs",
            (Self::TopLogprobs, GeminiGenerate) => "generationConfig.logprobs",
            (Self::TopLogprobs, _) => "top_logprobs",
            (Self::Output, OpenAiChat) => "response_format",
            (Self::Output, OpenAiResponses) => "text.format",
            (Self::Output, AnthropicMessages | BedrockConverse) => "output_config.format",
            (Self::Output, GeminiGenerate) => "generationConfig.responseSchema",
            (Self::Reasoning, OpenAiChat) => "reasoning_effort",
            (Self::Reasoning, OpenAiResponses) => "reasoning",
            (Self::Reasoning, AnthropicMessages | BedrockConverse) => "thinking",
            (Self::Reasoning, GeminiGenerate) => "generationConfig.thinkingConfig",
            (Self::Verbosity, OpenAiResponses) => "text.verbosity",
            (Self::Verbosity, _) => "verbosity",
            (Self::Modalities, GeminiGenerate) => "generationConfig.responseModalities",
            (Self::Modalities, _) => "modalities",
            (Self::User, AnthropicMessages) => "metadata.user_id",
            (Self::User, _) => "user",
            (Self::ServiceTier, GeminiGenerate) => "serviceTier",
            (Self::ServiceTier, _) => "service_tier",
            (Self::Cache, _) => "cache_control",
            (Self::Tools, BedrockConverse) => "toolConfig.tools",
            (Self::Tools, _) => "tools",
            (Self::ToolChoice, GeminiGenerate) => "toolConfig.functionCallingConfig",
            (Self::ToolChoice, BedrockConverse) => "toolConfig.toolChoice",
            (Self::ToolChoice, _) => "tool_choice",
            (Self::ParallelToolCalls, AnthropicMessages) => "tool_choice.disable_parallel_tool_use",
            (Self::ParallelToolCalls, _) => "parallel_tool_calls",
            (Self::Messages, GeminiGenerate) => "contents",
            (Self::Messages, OpenAiResponses) => "input",
            (Self::Messages, _) | (Self::System, OpenAiChat) => "messages",
            (Self::System, GeminiGenerate) => "systemInstruction",
            (Self::System, OpenAiResponses) => "instructions",
            (Self::System, _) => "system",
            (Self::Detail, _) => "detail",
            (Self::Name, _) => "name",
            (Self::StrictTools, _) => "tools.strict",
        }
    }
}
