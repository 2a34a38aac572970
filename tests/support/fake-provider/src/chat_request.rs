//! A request for a chat completion. It is read without a tree in between, because the benchmark sends these.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::fields::text_of;
use crate::script::Script;
use crate::speech::Ask;

/// The fields of a request that are read.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest<'a> {
    #[serde(borrow, default)]
    pub(crate) model: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    pub(crate) n: Option<usize>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    response_format: Option<Value>,
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
    #[serde(default)]
    pub(crate) fake: Option<Script>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
}

impl ChatRequest<'_> {
    /// What the model is asked.
    pub(crate) fn ask<'a>(&'a self, model: &'a str) -> Ask<'a> {
        let format = self.response_format.as_ref();
        Ask {
            model,
            turns: self.messages.len(),
            tool: self.tool(),
            schema: format.and_then(|format| format.pointer("/json_schema/schema")),
            json: format.and_then(|format| text_of(format, "type")) == Some("json_object"),
            thinks: false,
        }
    }

    /// Whether a stream is to end with its usage.
    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// The first tool, or the tool that the choice names. None if tools are forbidden or a call has just been answered.
    fn tool(&self) -> Option<(&str, &Value)> {
        let answered = self.messages.last().is_some_and(|message| message.role == "tool");
        if answered || self.tool_choice.as_ref().is_some_and(|choice| choice == "none") {
            return None;
        }
        let wanted = self.tool_choice.as_ref().and_then(|choice| choice.pointer("/function/name")?.as_str());
        self.tools.iter().flatten().filter_map(|tool| tool.get("function")).find_map(|function| {
            let name = text_of(function, "name").filter(|name| wanted.is_none_or(|wanted| wanted == *name))?;
            Some((name, function.get("parameters").unwrap_or(&Value::Null)))
        })
    }
}
