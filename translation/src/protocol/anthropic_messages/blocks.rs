//! Content blocks as they are written, in requests and in answers.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ir::{CacheControl, CallKind, ToolCall};
use crate::json::Json;

/// A content block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'r> {
    Text {
        text: Cow<'r, str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        citations: Vec<WebCitation<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'r>>,
    },
    Image {
        source: Source<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'r>>,
    },
    Document {
        source: Source<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<&'r str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Enabled>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'r>>,
    },
    Thinking {
        thinking: &'r str,
        signature: Cow<'r, str>,
    },
    RedactedThinking {
        data: Cow<'r, str>,
    },
    ToolUse {
        id: Cow<'r, str>,
        name: Cow<'r, str>,
        input: Input<'r>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'r>>,
    },
    ToolResult {
        tool_use_id: Cow<'r, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<ResultContent<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        is_error: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<Cache<'r>>,
    },
    /// A block as its family wrote it.
    #[serde(untagged)]
    Opaque(&'r Json),
}

/// What a tool gave.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ResultContent<'r> {
    Text(&'r str),
    Blocks(Vec<Block<'r>>),
}

/// Where a medium is.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'r> {
    Base64 { media_type: Cow<'r, str>, data: &'r str },
    Url { url: &'r str },
    Text { media_type: &'static str, data: Cow<'r, str> },
    File { file_id: &'r str },
}

/// A switch that is on.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

/// A cache breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Cache<'r> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'r str>,
}

impl<'r> Cache<'r> {
    /// The breakpoint as the client wrote it, with its time to live.
    pub(super) fn of(cache: Option<&'r CacheControl>) -> Option<Self> {
        cache.map(|cache| Self { r#type: "ephemeral", ttl: cache.ttl.as_deref() })
    }
}

/// A citation of a web page. Of the kinds of citation that Anthropic has, it is the one that other families have too.
#[derive(Debug, Serialize)]
pub(super) struct WebCitation<'r> {
    pub(super) r#type: &'static str,
    pub(super) url: &'r str,
    pub(super) title: Option<&'r str>,
    pub(super) cited_text: &'r str,
    pub(super) encrypted_index: &'static str,
}

impl<'r> WebCitation<'r> {
    /// None where the citation is not of a web page.
    pub(super) fn of(citation: &'r crate::ir::Citation) -> Option<Self> {
        Some(Self {
            r#type: "web_search_result_location",
            url: citation.url.as_deref()?,
            title: citation.title.as_deref(),
            cited_text: citation.quote.as_deref().unwrap_or_default(),
            encrypted_index: "",
        })
    }
}

/// The arguments of a tool call, which are always an object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Input<'r> {
    /// The arguments as the model wrote them, digit by digit.
    Json(&'r RawValue),
    /// The free text of a custom tool.
    Custom { input: &'r str },
    /// Arguments that are no object, in the form that Anthropic advises ("Fine-grained tool streaming").
    Broken {
        #[serde(rename = "INVALID_JSON")]
        text: &'r str,
    },
}

impl<'r> Input<'r> {
    pub(super) fn of(call: &'r ToolCall) -> Self {
        if call.kind == CallKind::Custom {
            return Self::Custom { input: &call.arguments };
        }
        let text = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
        match serde_json::from_str::<&RawValue>(text) {
            Ok(json) if json.get().starts_with('{') => Self::Json(json),
            _ => Self::Broken { text },
        }
    }
}
