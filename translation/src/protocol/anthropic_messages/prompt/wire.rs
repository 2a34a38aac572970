//! A request as it is written.

use std::borrow::Cow;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::super::blocks::{Block, Cache};
use crate::json::Json;
use crate::protocol::claude::schema::Written;
use crate::protocol::claude::thinking::Mode;
use crate::protocol::claude::turns::Turn;

#[derive(Debug, Serialize)]
pub(super) struct Body<'r> {
    pub(super) model: &'r str,
    pub(super) max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<System<'r>>,
    pub(super) messages: Vec<Turn<Block<'r>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Mode>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    pub(super) output_config: OutputConfig<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) top_k: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stop_sequences: Vec<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) metadata: Option<Metadata<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cache_control: Option<Cache<'r>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) stream: bool,
    #[serde(flatten)]
    pub(super) extra: Extra<'r>,
}

/// Fields that pass through.
#[derive(Debug, Default)]
pub(super) struct Extra<'r>(pub(super) Vec<(&'r str, &'r Json)>);

impl Serialize for Extra<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum System<'r> {
    Text(String),
    Blocks(Vec<Block<'r>>),
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Tool<'r> {
    Custom {
        name: Cow<'r, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<Cow<'r, str>>,
        input_schema: Written<'r>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        strict: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'r>>,
    },
    Builtin(Cow<'r, Json>),
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Choice {
    Auto {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Any {
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    Tool {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        disable_parallel_tool_use: Option<bool>,
    },
    None,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct OutputConfig<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<OutputFormat>,
    #[serde(flatten)]
    pub(super) extra: Extra<'r>,
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none() && self.extra.0.is_empty()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OutputFormat {
    pub(super) r#type: &'static str,
    pub(super) schema: Value,
}

#[derive(Debug, Serialize)]
pub(super) struct Metadata<'r> {
    pub(super) user_id: Cow<'r, str>,
}
