//! A request as it is written (Bedrock API Reference, "Converse", section "Request Syntax").

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::ir::{CacheControl, CallKind, ToolCall};
use crate::json::Json;
use crate::protocol::claude::schema::Written;
use crate::protocol::claude::turns::Turn;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'r> {
    pub(super) messages: Vec<Turn<Block<'r>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) system: Vec<Block<'r>>,
    #[serde(skip_serializing_if = "Inference::is_empty")]
    pub(super) inference_config: Inference<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_config: Option<ToolConfig<'r>>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(super) additional_model_request_fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) additional_model_response_field_paths: Option<Paths<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_config: Option<OutputConfig<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<Tier<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guardrail_config: Option<&'r Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) performance_config: Option<&'r Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_metadata: Option<&'r Json>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Paths<'r> {
    Ours([&'static str; 1]),
    Clients(&'r Json),
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inference<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'r str>,
}

impl Inference<'_> {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop_sequences.is_empty()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Tier<'r> {
    pub(super) r#type: &'r str,
}

/// A content block of a message, of the system message or of a tool's result.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Block<'r> {
    Text(Cow<'r, str>),
    Image(Medium<'r>),
    Document(Medium<'r>),
    Video(Medium<'r>),
    Audio(Medium<'r>),
    #[serde(rename_all = "camelCase")]
    ToolUse {
        tool_use_id: String,
        name: String,
        input: Input<'r>,
    },
    #[serde(rename_all = "camelCase")]
    ToolResult {
        tool_use_id: String,
        content: Vec<Block<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<&'static str>,
    },
    ReasoningContent(Thought<'r>),
    CachePoint(CachePoint<'r>),
}

#[derive(Debug, Serialize)]
pub(super) struct Medium<'r> {
    pub(super) format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    pub(super) source: Source<'r>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source<'r> {
    Bytes(Cow<'r, str>),
    S3Location { uri: &'r str },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Thought<'r> {
    ReasoningText { text: &'r str, signature: &'r str },
    RedactedContent(&'r str),
}

/// A cache breakpoint behind the block before it.
#[derive(Debug, Serialize)]
pub(super) struct CachePoint<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'r str>,
}

impl<'r> CachePoint<'r> {
    /// A cache breakpoint, with the client's time to live if `choice` says that the model has several.
    pub(super) fn of(cache: &'r CacheControl, choice: bool) -> Self {
        let ttl = cache.ttl.as_deref().filter(|ttl| choice && matches!(*ttl, "5m" | "1h"));
        Self { r#type: "default", ttl }
    }
}

/// The arguments of a tool call, which are always an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Input<'r> {
    /// The arguments as the model wrote them, digit by digit.
    Json(&'r RawValue),
    /// Free text, or arguments that are no object.
    Text { input: &'r str },
}

impl<'r> Input<'r> {
    pub(super) fn of(call: &'r ToolCall) -> Self {
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(json) if call.kind == CallKind::Function && json.get().starts_with('{') => Self::Json(json),
            _ => Self::Text { input: &call.arguments },
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolConfig<'r> {
    pub(super) tools: Vec<Tool<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Choice>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Tool<'r> {
    ToolSpec(Spec<'r>),
    CachePoint(CachePoint<'r>),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'r> {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Cow<'r, str>>,
    pub(super) input_schema: InputSchema<'r>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) strict: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct InputSchema<'r> {
    pub(super) json: Written<'r>,
}

/// Which tool has to be called. Where none has to, nothing is said.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Choice {
    Any {},
    Tool { name: String },
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutputConfig<'r> {
    pub(super) text_format: TextFormat<'r>,
}

#[derive(Debug, Serialize)]
pub(super) struct TextFormat<'r> {
    pub(super) r#type: &'static str,
    pub(super) structure: Structure<'r>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Structure<'r> {
    JsonSchema(JsonSchema<'r>),
}

#[derive(Debug, Serialize)]
pub(super) struct JsonSchema<'r> {
    /// The schema as text.
    pub(super) schema: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'r str>,
}
