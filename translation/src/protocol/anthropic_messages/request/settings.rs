//! Tools, thinking and the shape of the answer.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::lenient::Fields;
use super::value::{cache, extension, read, required};
use crate::ir::{
    Effort, Output, Reasoning, Request, Schema, Summary, Thinking, Tool, ToolChoice, ToolKind, TranslateError,
};
use crate::json::Json;

pub(super) fn tools(value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    let tools: Vec<&RawValue> = read("tools", value)?;
    request.tools = Vec::with_capacity(tools.len());
    for (index, raw) in tools.into_iter().enumerate() {
        let tool = tool(&format!("tools.{index}"), raw, request)?;
        request.tools.push(tool);
    }
    Ok(())
}

fn tool(path: &str, raw: &RawValue, request: &mut Request) -> Result<Tool, TranslateError> {
    let Fields(fields) = read(path, raw)?;
    let mut kind = String::new();
    let mut name = None;
    let mut description = None;
    let mut parameters = None;
    let mut strict = None;
    let mut cached = None;
    let mut others = Vec::new();
    for (field, value) in fields {
        if value.get() == "null" {
            continue;
        }
        let path = format!("{path}.{field}");
        match &*field {
            "type" => kind = read(&path, value)?,
            "name" => name = Some(read::<String>(&path, value)?),
            "description" => description = Some(read(&path, value)?),
            "input_schema" => {
                if !value.get().starts_with('{') {
                    return Err(TranslateError::invalid(path.clone(), format!("{path}: Input should be an object")));
                }
                parameters = Json::parse(value.get());
            }
            "strict" => strict = Some(read(&path, value)?),
            "cache_control" => cached = cache(&path, Some(value))?,
            _ => others.push((field, value)),
        }
    }
    let name = name.ok_or_else(|| required(format!("{path}.name")))?;
    let kind = if matches!(kind.as_str(), "" | "custom") {
        if parameters.is_none() {
            return Err(required(format!("{path}.input_schema")));
        }
        for (field, value) in others {
            let field = format!("tools.{field}");
            if request.extensions.iter().all(|(known, _)| *known != field) {
                extension(request, field, value);
            }
        }
        ToolKind::Function { parameters, strict }
    } else {
        ToolKind::Builtin(Json::of(raw))
    };
    Ok(Tool { name, description, kind, cache: cached })
}

pub(super) fn tool_choice(value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    #[derive(Deserialize)]
    struct Wire {
        r#type: Option<String>,
        name: Option<String>,
        disable_parallel_tool_use: Option<bool>,
    }
    let wire: Wire = read("tool_choice", value)?;
    request.tool_choice = Some(match wire.r#type.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("any") => ToolChoice::Required,
        Some("none") => ToolChoice::None,
        Some("tool") => ToolChoice::Named(wire.name.ok_or_else(|| required("tool_choice.name"))?),
        Some(other) => {
            let words = format!("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none', not '{other}'");
            return Err(TranslateError::invalid("tool_choice.type", words));
        }
        None => return Err(required("tool_choice.type")),
    });
    request.parallel_tool_calls = wire.disable_parallel_tool_use.map(|disable| !disable);
    Ok(())
}

pub(super) fn thinking(value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    #[derive(Deserialize)]
    struct Wire {
        r#type: Option<String>,
        budget_tokens: Option<u64>,
        display: Option<String>,
    }
    let wire: Wire = read("thinking", value)?;
    let reasoning = request.reasoning.get_or_insert_default();
    reasoning.thinking = Some(match wire.r#type.as_deref() {
        Some("enabled") => {
            Thinking::Budget(wire.budget_tokens.ok_or_else(|| required("thinking.enabled.budget_tokens"))?)
        }
        // The least thinking that some models do.
        Some("disabled" | "between_tools") => Thinking::Off,
        Some("adaptive") => Thinking::Adaptive,
        Some(other) => {
            let words = format!("thinking.type: '{other}' is not a kind of thinking that this gateway knows");
            return Err(TranslateError::invalid("thinking.type", words));
        }
        None => return Err(required("thinking.type")),
    });
    reasoning.summary = match wire.display.as_deref() {
        Some("omitted") => Some(Summary::Omitted),
        Some(_) => Some(Summary::Auto),
        // A model that thinks by a budget shows its thoughts where nothing is said ("Extended thinking").
        None => matches!(reasoning.thinking, Some(Thinking::Budget(_))).then_some(Summary::Auto),
    };
    Ok(())
}

pub(super) fn output_config(value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    let Fields(fields) = read("output_config", value)?;
    for (name, value) in fields {
        if value.get() == "null" {
            continue;
        }
        match &*name {
            "effort" => {
                let word: String = read("output_config.effort", value)?;
                let effort = Effort::of(&word).ok_or_else(|| {
                    let words = format!("output_config.effort: '{word}' is not an effort");
                    TranslateError::invalid("output_config.effort", words)
                })?;
                request.reasoning.get_or_insert_with(Reasoning::default).effort = Some(effort);
            }
            "format" => output_format("output_config.format", value, request)?,
            _ => extension(request, format!("output_config.{name}"), value),
        }
    }
    Ok(())
}

/// `output_config.format`, or the beta's `output_format`.
pub(super) fn output_format(path: &str, value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    #[derive(Deserialize)]
    struct Wire {
        r#type: Option<String>,
        schema: Option<Json>,
        name: Option<String>,
    }
    let wire: Wire = read(path, value)?;
    match wire.r#type.as_deref() {
        Some("json_schema") => {
            let schema = wire.schema.and_then(Json::non_null).ok_or_else(|| required(format!("{path}.schema")))?;
            request.output = Output::JsonSchema(Schema { name: wire.name, description: None, schema, strict: None });
            Ok(())
        }
        Some("text") => Ok(()),
        Some(other) => {
            let words = format!("{path}.type: Input should be 'json_schema', not '{other}'");
            Err(TranslateError::invalid(format!("{path}.type"), words))
        }
        None => Err(required(format!("{path}.type"))),
    }
}
