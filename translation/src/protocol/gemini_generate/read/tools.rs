//! `tools` and `toolConfig`.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::{Body, Fields, Word, fields, json};
use crate::ir::{Request, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::protocol::gemini_generate::decode_response::compact;
use crate::protocol::gemini_generate::schema;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Declaration<'a> {
    name: Option<String>,
    description: Option<String>,
    #[serde(borrow)]
    parameters: Option<&'a RawValue>,
    #[serde(borrow, alias = "parameters_json_schema")]
    parameters_json_schema: Option<&'a RawValue>,
}

/// Reads `tools`: functions, and tools that run at the provider.
pub(super) fn read<'a>(body: &Body<'a>, value: &'a RawValue, request: &mut Request) -> Result<(), TranslateError> {
    let tools = if value.get().starts_with('{') { vec![fields(body, value)?] } else { body.read(value)? };
    for Fields(tool) in tools {
        for (name, value) in tool {
            if name != "functionDeclarations" {
                let block = format!("{{{}:{}}}", crate::json::quoted(&name), compact(value.get()));
                let block = Json::parse(&block).unwrap_or_else(|| json(value));
                let kind = ToolKind::Builtin(block);
                request.tools.push(Tool { name: name.into_owned(), description: None, kind, cache: None });
                continue;
            }
            let declarations = if value.get().starts_with('{') { vec![value] } else { body.read(value)? };
            for declaration in declarations {
                request.tools.push(function(body, declaration)?);
            }
        }
    }
    Ok(())
}

fn function(body: &Body<'_>, value: &RawValue) -> Result<Tool, TranslateError> {
    let declaration: Declaration<'_> = body.read(value)?;
    let name = declaration.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| body.invalid(value, "a function has a name"))?;
    let parameters = match (declaration.parameters_json_schema, declaration.parameters) {
        (Some(schema), _) => Some(json(schema)),
        (None, Some(schema)) => Some(Json::of(&schema::to_json_schema(&body.read::<Value>(schema)?))),
        (None, None) => None,
    };
    let description = declaration.description.filter(|description| !description.is_empty());
    Ok(Tool { name, description, kind: ToolKind::Function { parameters, strict: None }, cache: None })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionCallingConfig {
    mode: Option<Word>,
    #[serde(alias = "allowed_function_names")]
    allowed_function_names: Option<Vec<String>>,
    #[serde(alias = "stream_function_call_arguments")]
    stream_function_call_arguments: Option<bool>,
}

/// Reads `toolConfig`.
pub(super) fn read_config<'a>(
    body: &Body<'a>,
    value: &'a RawValue,
    request: &mut Request,
) -> Result<(), TranslateError> {
    for (name, value) in fields(body, value)?.0 {
        if name != "functionCallingConfig" {
            request.extensions.push((format!("toolConfig.{name}"), json(value)));
            continue;
        }
        let config: FunctionCallingConfig = body.read(value)?;
        if let Some(pieces) = config.stream_function_call_arguments {
            let name = "toolConfig.functionCallingConfig.streamFunctionCallArguments";
            request.extensions.push((name.to_owned(), Json::of(&pieces)));
        }
        let mode = config.mode.map(|mode| mode.0.to_ascii_uppercase()).unwrap_or_default();
        let mut names = config.allowed_function_names.unwrap_or_default();
        request.tool_choice = match (&*mode, names.len()) {
            ("" | "MODE_UNSPECIFIED", 0) => None,
            ("AUTO" | "VALIDATED", 0) => Some(ToolChoice::Auto),
            ("" | "MODE_UNSPECIFIED" | "AUTO" | "VALIDATED", _) => Some(ToolChoice::Allowed { required: false, names }),
            ("NONE", _) => Some(ToolChoice::None),
            ("ANY", 0) => Some(ToolChoice::Required),
            ("ANY", 1) => names.pop().map(ToolChoice::Named),
            ("ANY", _) => Some(ToolChoice::Allowed { required: true, names }),
            _ => return Err(body.invalid(value, "mode is none of AUTO, ANY, NONE, VALIDATED")),
        };
    }
    Ok(())
}
