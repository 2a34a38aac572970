//! How the model is to go on: stop texts, shape of the answer, reasoning.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{Body, Fields};
use super::value::read;
use crate::ir::{self, Effort, Output, Schema, ServiceTier, Summary, TranslateError};
use crate::json::Json;

/// What the client says of reasoning. None where it says nothing. `reasoning_effort` is OpenAI's own, so it goes before
/// an effort that stands elsewhere.
pub(super) fn reasoning(body: &mut Body<'_>) -> Result<Option<ir::Reasoning>, TranslateError> {
    let mut said = ir::Reasoning::default();
    let output_config = body.output_config.as_mut().and_then(|config| config.take("effort"));
    let of_output_config = match &output_config {
        Some(effort) => read::<String>(effort, "output_config.effort")?,
        None => None,
    };
    let nested = body.reasoning.take().unwrap_or_default();
    let efforts = [
        ("reasoning_effort", body.reasoning_effort.take()),
        ("reasoning.effort", nested.effort),
        ("output_config.effort", of_output_config),
    ];
    for (path, word) in efforts {
        let Some(word) = word else { continue };
        let effort = match Effort::of(&word) {
            Some(effort) => Some(effort),
            // Vendors' word for what holds without the field.
            None if word.is_empty() || word == "default" || word == "auto" => None,
            None => {
                let message =
                    format!("{path}: unknown effort '{word}'; known are none, minimal, low, medium, high, xhigh, max");
                return Err(TranslateError::invalid(path, message));
            }
        };
        said.effort = said.effort.or(effort);
    }
    said.thinking = match (nested.max_tokens, nested.enabled) {
        (_, Some(false)) => Some(ir::Thinking::Off),
        (Some(budget), _) => Some(ir::Thinking::Budget(budget)),
        (None, Some(true)) => Some(ir::Thinking::Adaptive),
        (None, None) => None,
    };
    said.summary = match nested.summary.as_deref() {
        Some("auto") => Some(Summary::Auto),
        Some("concise") => Some(Summary::Concise),
        Some("detailed") => Some(Summary::Detailed),
        Some("none") => Some(Summary::Omitted),
        _ => nested.exclude.map(|exclude| if exclude { Summary::Omitted } else { Summary::Auto }),
    };
    if let Some(thinking) = body.thinking.take() {
        said.thinking = match (thinking.r#type.as_deref(), thinking.budget_tokens) {
            (Some("disabled"), _) => Some(ir::Thinking::Off),
            (Some("enabled") | None, Some(budget)) => Some(ir::Thinking::Budget(budget)),
            (Some("enabled" | "adaptive" | "auto"), _) => Some(ir::Thinking::Adaptive),
            (None, None) => said.thinking,
            (Some(other), _) => {
                let message = format!("thinking.type: unknown value '{other}'; known are enabled, disabled, adaptive");
                return Err(TranslateError::invalid("thinking.type", message));
            }
        };
        said.summary = match thinking.display.as_deref() {
            Some("omitted") => Some(Summary::Omitted),
            Some("summarized") => Some(Summary::Auto),
            _ => said.summary,
        };
    }
    Ok((said != ir::Reasoning::default()).then_some(said))
}

/// `response_format`.
pub(super) fn output(format: Option<&RawValue>) -> Result<Output, TranslateError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Format {
        r#type: Option<String>,
        json_schema: Option<Named>,
        /// Together and Fireworks have the schema beside `json_object`.
        schema: Option<Json>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        name: Option<String>,
        description: Option<String>,
        schema: Option<Json>,
        strict: Option<bool>,
    }
    let Some(format) = format else { return Ok(Output::Text) };
    let format: Format = super::value::read_raw(format, "response_format")?;
    match format.r#type.as_deref() {
        Some("text") => Ok(Output::Text),
        Some("json_object") => Ok(format.schema.map_or(Output::JsonObject, |schema| {
            Output::JsonSchema(Schema { name: None, description: None, schema, strict: None })
        })),
        Some("json_schema") => {
            let Some(named) = format.json_schema else {
                let message = "response_format.json_schema: required for the type 'json_schema'";
                return Err(TranslateError::invalid("response_format.json_schema", message));
            };
            let Named { name, description, schema, strict } = named;
            match schema.and_then(Json::non_null) {
                Some(schema) if schema.is_object() => {
                    Ok(Output::JsonSchema(Schema { name, description, schema, strict }))
                }
                Some(_) => {
                    let path = "response_format.json_schema.schema";
                    Err(TranslateError::invalid(path, format!("{path}: expected an object")))
                }
                // Without a schema the field promises no more than JSON.
                None => Ok(Output::JsonObject),
            }
        }
        Some(other) => {
            let message = format!("response_format.type: '{other}' is none of text, json_object, json_schema");
            Err(TranslateError::unsupported("response_format.type", message))
        }
        None => Err(TranslateError::invalid("response_format.type", "response_format.type: required")),
    }
}

/// `service_tier`.
pub(super) fn service_tier(word: String) -> Option<ServiceTier> {
    Some(match word.as_str() {
        "" => return None,
        "auto" => ServiceTier::Auto,
        "default" | "standard" => ServiceTier::Standard,
        "priority" => ServiceTier::Priority,
        "flex" => ServiceTier::Flex,
        _ => ServiceTier::Other(word),
    })
}

/// Who the user is: the first of `metadata.user_id`, `user` and `safety_identifier` that says it. The others stay
/// extensions.
pub(super) fn user(body: &mut Body<'_>) -> Result<Option<String>, TranslateError> {
    let mut of_metadata = None;
    if let Some(Fields(fields)) = &body.metadata
        && let Some((_, id)) = fields.iter().find(|(name, _)| name == "user_id")
    {
        of_metadata = read::<String>(id, "metadata.user_id")?;
        // Metadata with nothing but the user's id have no more to say.
        if fields.len() == 1 {
            body.metadata = None;
        }
    }
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let user = filled(of_metadata).or(filled(body.user.take()));
    Ok(match (user, filled(body.safety_identifier.take())) {
        (Some(user), Some(other)) => {
            body.rest.push(("safety_identifier".to_owned(), Json::of(&other)));
            Some(user)
        }
        (user, other) => user.or(other),
    })
}
