//! Reads a client's request (API reference, "Create a model response").

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::read;
use super::lenient::{Fields, Text};
use super::{input, tools};
use crate::format::Format;
use crate::ir::{
    Effort, Message, Output, Part, Reasoning, Request, Role, Schema, ServiceTier, Summary, TranslateError,
};
use crate::json::Json;
use crate::protocol::state;

/// What of `include` has a neutral form.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";
/// What of `include` is given whether or not it was asked for.
pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";

/// Reads `body`.
pub(super) fn decode(body: &[u8]) -> Result<Request, TranslateError> {
    let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| TranslateError {
        param: None,
        message: format!("the body is not a JSON object: {error}"),
        code: crate::ir::ErrorCode::InvalidValue,
    })?;
    let mut request = Request::new(Format::OpenAiResponses, String::new());
    let mut input: Option<&RawValue> = None;
    for (name, value) in &fields.0 {
        // `null` counts as absent (`docs/TRANSLATION.md` section 0.3).
        match (name.as_ref(), value.get()) {
            (_, "null") => {}
            ("input", _) => input = Some(value),
            ("instructions", _) => {
                let text: String = read("instructions", value)?;
                if !text.is_empty() {
                    request.messages.insert(0, Message::new(Role::System, vec![Part::text(text)], 0));
                }
            }
            _ => field(&mut request, name, value)?,
        }
    }
    if request.model.is_empty() {
        return Err(TranslateError::invalid("model", "the request must name a model"));
    }
    match input {
        Some(input) => input::decode(input, &mut request)?,
        None if state::field_of(&request, request.origin.facts()).is_some() => {}
        None => return Err(TranslateError::invalid("input", "the request has no input")),
    }
    Ok(request)
}

fn field(request: &mut Request, name: &str, value: &RawValue) -> Result<(), TranslateError> {
    match name {
        "model" => request.model = read(name, value)?,
        "stream" => request.stream = read(name, value)?,
        "max_output_tokens" => match read(name, value)? {
            0 => return Err(TranslateError::invalid(name, "max_output_tokens must be at least 1")),
            tokens => request.max_output_tokens = Some(tokens),
        },
        "temperature" => request.temperature = Some(read(name, value)?),
        "top_p" => request.top_p = Some(read(name, value)?),
        "top_logprobs" => request.top_logprobs = Some(read(name, value)?),
        "parallel_tool_calls" => request.parallel_tool_calls = Some(read(name, value)?),
        "tools" => request.tools = tools::decode(name, read(name, value)?)?,
        "tool_choice" => request.tool_choice = Some(tools::decode_choice(value)?),
        "text" => text(request, value)?,
        "reasoning" => request.reasoning = Some(reasoning(value)?),
        "user" => request.user = Some(read(name, value)?),
        // The newer name for the same field.
        "safety_identifier" if request.user.is_none() => request.user = Some(read(name, value)?),
        "service_tier" => {
            let tier: String = read(name, value)?;
            request.service_tier = Some(match tier.as_str() {
                "auto" => ServiceTier::Auto,
                "default" => ServiceTier::Standard,
                "priority" => ServiceTier::Priority,
                "flex" => ServiceTier::Flex,
                _ => ServiceTier::Other(tier),
            });
        }
        "include" => include(request, value)?,
        // These count as absent, so that no target has to leave them out.
        "background" if value.get() == "false" => {}
        "truncation" if value.get() == "\"disabled\"" => {}
        "metadata" if value.get().trim_matches(['{', '}', ' ']).is_empty() => {}
        _ => request.extensions.push((name.to_owned(), Json::of(value))),
    }
    Ok(())
}

fn include(request: &mut Request, value: &RawValue) -> Result<(), TranslateError> {
    let mut others: Vec<String> = read("include", value)?;
    if others.iter().any(|name| name == LOGPROBS) {
        request.logprobs = Some(true);
    }
    others.retain(|name| name != LOGPROBS && name != ENCRYPTED);
    if !others.is_empty() {
        request.extensions.push(("include".to_owned(), Json::of(&others)));
    }
    Ok(())
}

fn text(request: &mut Request, value: &RawValue) -> Result<(), TranslateError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Config<'a> {
        #[serde(borrow)]
        format: Option<&'a RawValue>,
        #[serde(borrow)]
        verbosity: Text<'a>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Shape<'a> {
        #[serde(borrow)]
        r#type: Text<'a>,
        name: Option<String>,
        description: Option<String>,
        #[serde(borrow)]
        schema: Option<&'a RawValue>,
        strict: Option<bool>,
    }

    let config: Config<'_> = read("text", value)?;
    request.verbosity = config.verbosity.given().map(str::to_owned);
    let Some(format) = config.format else { return Ok(()) };
    let shape: Shape<'_> = read("text.format", format)?;
    request.output = match shape.r#type.or_empty() {
        "text" => Output::Text,
        "json_object" => Output::JsonObject,
        "json_schema" => match shape.schema {
            Some(schema) if schema.get().starts_with('{') => Output::JsonSchema(Schema {
                name: shape.name,
                description: shape.description,
                schema: Json::of(schema),
                strict: shape.strict,
            }),
            _ => return Err(TranslateError::invalid("text.format.schema", "the schema must be an object")),
        },
        other => {
            return Err(TranslateError::invalid("text.format.type", format!("there is no text format `{other}`")));
        }
    };
    Ok(())
}

fn reasoning(value: &RawValue) -> Result<Reasoning, TranslateError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Config<'a> {
        #[serde(borrow)]
        effort: Text<'a>,
        #[serde(borrow)]
        summary: Text<'a>,
        /// The older name of the field.
        #[serde(borrow)]
        generate_summary: Text<'a>,
    }

    let config: Config<'_> = read("reasoning", value)?;
    let effort = match config.effort.given() {
        Some(word) => Some(Effort::of(word).ok_or_else(|| {
            TranslateError::invalid("reasoning.effort", format!("there is no reasoning effort `{word}`"))
        })?),
        None => None,
    };
    let summary = match config.summary.given().or(config.generate_summary.given()) {
        Some("auto") => Some(Summary::Auto),
        Some("concise") => Some(Summary::Concise),
        Some("detailed") => Some(Summary::Detailed),
        Some("none") => Some(Summary::Omitted),
        Some(word) => {
            let message = format!("there is no reasoning summary `{word}`");
            return Err(TranslateError::invalid("reasoning.summary", message));
        }
        None => None,
    };
    Ok(Reasoning { effort, thinking: None, summary })
}
