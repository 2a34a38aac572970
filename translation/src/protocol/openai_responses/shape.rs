//! Words and small objects that requests and answers share.

use serde::Serialize;

use crate::ir::{Output, Request, ServiceTier, Summary};
use crate::json::Json;

/// `text`: the shape of the answer.
#[derive(Serialize)]
pub(super) struct Shape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'a str>,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

impl<'a> Shape<'a> {
    /// The shape that `request` asks for. None where that is the default, unless `whole`.
    pub(super) fn of(request: &'a Request, whole: bool) -> Option<Self> {
        let plain = |r#type| Format { r#type, name: None, description: None, schema: None, strict: None };
        let format = match &request.output {
            Output::Text if whole => Some(plain("text")),
            Output::Text => None,
            Output::JsonObject => Some(plain("json_object")),
            Output::JsonSchema(schema) => Some(Format {
                r#type: "json_schema",
                name: Some(schema_name(schema.name.as_deref())),
                description: schema.description.as_deref(),
                schema: Some(&schema.schema),
                strict: schema.strict,
            }),
        };
        let verbosity = request.verbosity.as_deref();
        (format.is_some() || verbosity.is_some()).then_some(Self { format, verbosity })
    }
}

impl Shape<'_> {
    /// The shape without its format. None where there is no more to it.
    pub(super) fn without_format(self) -> Option<Self> {
        self.verbosity.is_some().then_some(Self { format: None, ..self })
    }
}

/// OpenAI demands a name, of letters, digits, `_` and `-`.
fn schema_name(name: Option<&str>) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    match name {
        Some(name) if !name.is_empty() => name.chars().take(64).map(fit).collect(),
        _ => "response".to_owned(),
    }
}

/// OpenAI's word for how fully thoughts are shown.
pub(super) fn summary_word(summary: Summary) -> Option<&'static str> {
    match summary {
        Summary::Omitted => None,
        Summary::Auto => Some("auto"),
        Summary::Concise => Some("concise"),
        Summary::Detailed => Some("detailed"),
    }
}

/// OpenAI's word for a tier.
pub(super) fn tier_word(tier: &ServiceTier) -> &str {
    match tier {
        ServiceTier::Auto => "auto",
        ServiceTier::Standard => "default",
        ServiceTier::Priority => "priority",
        ServiceTier::Flex => "flex",
        ServiceTier::Other(word) => word,
    }
}
