//! A conversation and how the model is to go on.

use serde::Deserialize;

use super::part::{CacheControl, Part};
use super::reasoning::Reasoning;
use crate::format::Format;
use crate::json::Json;

/// A request in the neutral form. An absent field and a field with `null` are the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The format that the request was read from. It decides how a field is called when it is refused or dropped.
    pub origin: Format,
    /// The model, as the client named it.
    pub model: String,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// Whether the stream is to end with a count of tokens (OpenAI chat).
    pub include_usage: bool,
    /// Whether tools came as `functions`, so that calls are answered as `function_call` (OpenAI chat).
    pub legacy_functions: bool,
    /// The conversation, with system messages in their places.
    pub messages: Vec<Message>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether the model must call a tool, and which.
    pub tool_choice: Option<ToolChoice>,
    /// Whether the model may call several tools at once.
    pub parallel_tool_calls: Option<bool>,
    /// The longest answer, in tokens.
    pub max_output_tokens: Option<u64>,
    /// The temperature as the client gave it: 0 to 2 (OpenAI, Gemini), 0 to 1 (Anthropic).
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sampling among the k most likely tokens.
    pub top_k: Option<u64>,
    /// The seed of repeatable sampling.
    pub seed: Option<i64>,
    /// From -2 to 2.
    pub presence_penalty: Option<f64>,
    /// From -2 to 2.
    pub frequency_penalty: Option<f64>,
    /// The texts that end the answer.
    pub stop: Vec<String>,
    /// How many answers are wanted (`n`, `candidateCount`).
    pub candidates: Option<u32>,
    /// Whether log probabilities are wanted.
    pub logprobs: Option<bool>,
    /// How many alternatives are wanted for each token.
    pub top_logprobs: Option<u32>,
    /// The shape of the answer.
    pub output: Output,
    /// How much the model is to think.
    pub reasoning: Option<Reasoning>,
    /// OpenAI's `verbosity`: `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    /// The kinds of answer that are wanted, in lower case: `text`, `audio`, `image`. Empty is the default.
    pub modalities: Vec<String>,
    /// Who the user is, for the provider's detection of abuse.
    pub user: Option<String>,
    /// How urgent the request is, in the client's word.
    pub service_tier: Option<ServiceTier>,
    /// A cache breakpoint for the whole prompt (Anthropic's top-level `cache_control`).
    pub cache: Option<CacheControl>,
    /// Fields that have no neutral form: the client's name (a dotted path below the top level) and the value. An
    /// encoder takes those that it knows from [`origin`](Self::origin), and reports the others as dropped.
    pub extensions: Vec<(String, Json)>,
}

impl Request {
    /// The request without its conversation, but for instructions in front of it: all that the writing of an answer
    /// looks at. Media and long histories are not kept as long as the answer takes.
    #[must_use]
    pub fn without_conversation(mut self) -> Self {
        self.messages.truncate(1);
        self.messages.retain(|first| matches!(first.role, Role::System | Role::Developer));
        self.messages.shrink_to_fit();
        self
    }

    /// How many bytes the texts of all messages have.
    pub fn text_bytes(&self) -> usize {
        self.messages.iter().flat_map(|message| &message.parts).filter_map(Part::as_text).map(str::len).sum()
    }

    /// A request with no more than a model.
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

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator, whose word goes above the user's.
    System,
    /// The operator, in OpenAI's newer word.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool. Its messages hold only [`Part::ToolResult`]s.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who speaks in a message.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
    /// A name for the speaker (OpenAI chat).
    pub name: Option<String>,
    /// The index in the client's list of messages, for error texts. A message that was a top-level field (Anthropic's
    /// `system`) has 0.
    pub origin: usize,
}

impl Message {
    /// A message without a name.
    pub fn new(role: Role, parts: Vec<Part>, origin: usize) -> Self {
        Self { role, parts, name: None, origin }
    }
}

/// The tools that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// The tool's name, as the client wrote it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Which kind of tool it is.
    pub kind: ToolKind,
    /// A cache breakpoint behind the tool.
    pub cache: Option<CacheControl>,
}

/// The kind of a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolKind {
    /// Called with a JSON object.
    Function {
        /// The JSON schema of the object, as the client wrote it. None: the tool takes no parameters.
        parameters: Option<Json>,
        /// Whether the arguments must fit the schema.
        strict: Option<bool>,
    },
    /// Called with free text (OpenAI's custom tools).
    Custom {
        /// The grammar of the text.
        format: Option<Json>,
    },
    /// Runs at the provider, such as a web search. It holds the client's whole declaration, which only a provider with
    /// a tool like it can use.
    Builtin(Json),
}

/// Whether the model must call a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// The model decides.
    Auto,
    /// The model calls no tool.
    None,
    /// The model calls some tool.
    Required,
    /// The model calls this tool.
    Named(String),
    /// The model calls one of these tools, or none unless `required`.
    Allowed {
        /// Whether some tool of the list must be called.
        required: bool,
        /// The names of the tools.
        names: Vec<String>,
    },
}

impl ToolChoice {
    /// Whether the model must call a tool.
    pub fn forces(&self) -> bool {
        match self {
            Self::Auto | Self::None => false,
            Self::Required | Self::Named(_) => true,
            Self::Allowed { required, .. } => *required,
        }
    }
}

/// The shape of the answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Output {
    /// Text.
    #[default]
    Text,
    /// One JSON object of any shape.
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
    /// Whether the answer must fit the schema exactly.
    pub strict: Option<bool>,
}

impl Schema {
    /// Whether the schema says at its top that the answer is an object. OpenAI takes no other (structured outputs
    /// guide).
    pub fn is_of_object(&self) -> bool {
        #[derive(Deserialize)]
        struct Top {
            r#type: Option<String>,
        }

        self.schema.read::<Top>().is_ok_and(|top| top.r#type.as_deref() == Some("object"))
    }

    /// What a model is told that is not held to the schema.
    pub fn in_words(&self) -> String {
        let what = if self.is_of_object() { "one JSON object" } else { "JSON" };
        format!("Answer with {what} and nothing else. It must fit this JSON schema:\n{}", self.schema.get())
    }
}

/// How urgent a request is, in what the formats share.
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
    /// Any other word that the client used.
    Other(String),
}

/// A field that has a neutral form. It is named in the client's own words when a target cannot express it.
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
    /// What a client of `format` calls the field.
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
