//! A conversation and how the model is to go on.

use serde::Deserialize;

use super::part::{CacheControl, Part};
use super::reasoning::Reasoning;
use crate::format::Format;
use crate::json::Json;

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
        let facts = self.origin.facts();
        let (list, content) = (facts.fields.messages, facts.parts);
        match part {
            Some(part) => format!("{list}[{at}].{content}[{part}]"),
            None => format!("{list}[{at}]"),
        }
    }

    /// Where the client's request says to which tool call the result in `part` of `message` belongs.
    pub fn call_id_path(&self, message: &Message, part: usize) -> String {
        let field = self.origin.facts().call_id;
        format!("{}.{}", self.path(message, field.in_part.then_some(part)), field.name)
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
        let names = &format.facts().fields;
        match self {
            Self::MaxOutputTokens => names.max_output_tokens,
            Self::Temperature => names.temperature,
            Self::TopP => names.top_p,
            Self::TopK => names.top_k,
            Self::Seed => names.seed,
            Self::PresencePenalty => names.presence_penalty,
            Self::FrequencyPenalty => names.frequency_penalty,
            Self::Stop => names.stop,
            Self::Candidates => names.candidates,
            Self::Logprobs => names.logprobs,
            Self::TopLogprobs => names.top_logprobs,
            Self::Output => names.output,
            Self::Reasoning => names.reasoning,
            Self::Verbosity => names.verbosity,
            Self::Modalities => names.modalities,
            Self::User => names.user,
            Self::ServiceTier => names.service_tier,
            Self::Cache => names.cache,
            Self::Tools => names.tools,
            Self::ToolChoice => names.tool_choice,
            Self::ParallelToolCalls => names.parallel_tool_calls,
            Self::Messages => names.messages,
            Self::System => names.system,
            Self::Detail => names.detail,
            Self::Name => names.name,
            Self::StrictTools => names.strict_tools,
        }
    }
}
