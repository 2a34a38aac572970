//! `tools` and `toolConfig` (`docs/TRANSLATION.md` section 6.3).

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::output::AnswerTool;
use super::writer::{Settings, Writer};
use crate::back::CUSTOM_INPUT;
use crate::format::Format;
use crate::ir::{Field, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::protocol::builtin;
use crate::protocol::gemini_generate::schema::to_parameters;

/// An entry of `tools`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Entry<'a> {
    #[serde(rename_all = "camelCase")]
    Functions {
        function_declarations: Vec<Declaration<'a>>,
    },
    Builtin(Cow<'a, Json>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Declaration<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Cow<'a, Json>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCallingConfig {
    mode: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_function_names: Vec<String>,
}

/// Tools that run at Gemini, by the name of the field that switches them on.
const BUILTIN: [&str; 9] = [
    "googleSearch",
    "googleSearchRetrieval",
    "codeExecution",
    "urlContext",
    "fileSearch",
    "computerUse",
    "googleMaps",
    "enterpriseWebSearch",
    "retrieval",
];

/// Writes `tools` and `toolConfig`.
pub(super) fn write<'r>(
    writer: &mut Writer<'r>,
    answer: Option<&AnswerTool>,
) -> Result<(Vec<Entry<'r>>, Settings), TranslateError> {
    let request = writer.request;
    let param = Field::Tools.name(request.origin);
    let mut functions = Vec::new();
    let mut builtin = Vec::new();
    let mut known = HashSet::new();
    // Older models take functions or tools of their own, not both, and functions are what the client cannot do without.
    let functions_alone = !writer.target.facts.json_schema_with_tools
        && request.tools.iter().any(|tool| !matches!(tool.kind, ToolKind::Builtin(_)));
    // Where the client allows only some tools and none must be called, the others are left out.
    let listed = match &request.tool_choice {
        Some(ToolChoice::Allowed { required: false, names }) => Some(names),
        _ => None,
    };
    for (at, tool) in request.tools.iter().enumerate() {
        if let ToolKind::Builtin(block) = &tool.kind {
            let place = (at, tool);
            if is_own(block) {
                builtin.push(Entry::Builtin(Cow::Borrowed(block)));
            } else if functions_alone {
                builtin::left_out(request, place, block, &mut writer.dropped)?;
            } else {
                let fitted = builtin::fitted(request, place, block, Format::GeminiGenerate, &mut writer.dropped)?;
                builtin.extend(fitted.filter(|fitted| is_own(fitted)).map(Entry::Builtin));
            }
            continue;
        }
        if !known.insert(&*tool.name) {
            let words = format!("there are two tools of the name '{}'", tool.name);
            return Err(TranslateError::invalid(format!("{param}[{at}]"), words));
        }
        if listed.is_none_or(|names| names.contains(&tool.name)) {
            functions.push(declaration(writer, tool));
        }
    }
    if !functions.is_empty() && !builtin.is_empty() && !writer.target.facts.json_schema_with_tools {
        return Err(TranslateError::unsupported(param, "this model takes functions or tools of its own, not both"));
    }
    let mut config = Settings::default();
    if let Some(choice) = choice(writer, &known, answer)? {
        config.set("functionCallingConfig", &choice);
    }
    functions.extend(answer.map(|answer| answer_declaration(writer, answer)));
    if request.parallel_tool_calls == Some(false) {
        writer.back.first_call_only = true;
    }
    let mut entries = builtin;
    if !functions.is_empty() {
        entries.push(Entry::Functions { function_declarations: functions });
    }
    Ok((entries, config))
}

/// Whether `block` is a tool of Gemini's, written as Gemini wants it.
fn is_own(block: &Json) -> bool {
    block.read::<Map<String, Value>>().is_ok_and(|fields| {
        !fields.is_empty() && fields.keys().all(|name| BUILTIN.contains(&&*super::extensions::name(name)))
    })
}

fn declaration<'r>(writer: &mut Writer<'r>, tool: &'r Tool) -> Declaration<'r> {
    let name = writer.names.map(&tool.name);
    let description = tool.description.as_deref().filter(|description| !description.is_empty()).map(Cow::Borrowed);
    let schema = match &tool.kind {
        ToolKind::Function { parameters, strict } => {
            if *strict == Some(true) {
                writer.dropped.field(writer.request, Field::StrictTools);
            }
            parameters.as_ref().filter(|schema| !matches!(schema.get().trim(), "null" | "{}")).map(Cow::Borrowed)
        }
        ToolKind::Custom { format } => {
            writer.back.custom_tools.insert(name.clone());
            Some(Cow::Owned(Json::of(&free_text(format.as_ref()))))
        }
        ToolKind::Builtin(_) => None,
    };
    declared(writer, name, description, schema)
}

/// A declaration with the schema as it is, or in the subset that older models take.
fn declared<'r>(
    writer: &Writer<'_>,
    name: String,
    description: Option<Cow<'r, str>>,
    schema: Option<Cow<'r, Json>>,
) -> Declaration<'r> {
    if writer.target.facts.schema_fields {
        return Declaration { name, description, parameters_json_schema: schema, parameters: None };
    }
    let parameters = schema.and_then(|schema| to_parameters(&schema.read::<Value>().ok()?));
    Declaration { name, description, parameters_json_schema: None, parameters }
}

/// The parameters of a function that stands in for a tool of free text: one string.
fn free_text(format: Option<&Json>) -> Value {
    let mut input = json!({"type": "string"});
    let format = format.and_then(|format| format.read::<Value>().ok()).filter(|format| format["type"] == "grammar");
    if let Some(format) = format {
        // The grammar of a custom tool, of either of OpenAI's APIs.
        let grammar = if format["grammar"].is_object() { &format["grammar"] } else { &format };
        let (syntax, text) = (&grammar["syntax"], grammar["definition"].as_str().unwrap_or_default());
        let syntax = syntax.as_str().unwrap_or("a");
        input["description"] = Value::from(format!("A text that follows this {syntax} grammar:\n{text}"));
    }
    json!({"type": "object", "properties": {CUSTOM_INPUT: input}, "required": [CUSTOM_INPUT]})
}

fn answer_declaration<'r>(writer: &Writer<'r>, answer: &AnswerTool) -> Declaration<'r> {
    let description = Some(Cow::Owned(answer.description.clone()));
    declared(writer, answer.name.clone(), description, Some(Cow::Owned(answer.schema.clone())))
}

/// Whether a function must be called. A function through which the answer comes must be, unless another is.
fn choice(
    writer: &mut Writer<'_>,
    known: &HashSet<&str>,
    answer: Option<&AnswerTool>,
) -> Result<Option<FunctionCallingConfig>, TranslateError> {
    let request = writer.request;
    let param = Field::ToolChoice.name(request.origin);
    let config = |mode, allowed_function_names| Some(FunctionCallingConfig { mode, allowed_function_names });
    let mut mapped = |names: &[String]| {
        let runs_there = |name: &String| {
            request.tools.iter().any(|tool| tool.name == *name && matches!(tool.kind, ToolKind::Builtin(_)))
        };
        let names: Vec<_> = names.iter().filter(|name| known.contains(name.as_str()) || !runs_there(name)).collect();
        let unknown = names.iter().find(|name| !known.contains(name.as_str()));
        if let Some(name) = unknown {
            return Err(TranslateError::invalid(param, format!("there is no tool of the name '{name}'")));
        }
        Ok(names.into_iter().map(|name| writer.names.map(name)).collect::<Vec<_>>())
    };
    // The client's own functions, where the function for the answer stands beside them.
    let own = request.tools.iter().filter(|tool| answer.is_some() && known.contains(&*tool.name));
    let all: Vec<String> = own.map(|tool| tool.name.clone()).collect();
    Ok(match (&request.tool_choice, answer) {
        (None | Some(ToolChoice::Auto), None) if request.tool_choice.is_none() || known.is_empty() => None,
        (None | Some(ToolChoice::Auto), None) => config("AUTO", Vec::new()),
        (Some(ToolChoice::None), None) if known.is_empty() => None,
        (Some(ToolChoice::None), None) => config("NONE", Vec::new()),
        (None | Some(ToolChoice::Auto), Some(_)) => config("ANY", Vec::new()),
        (Some(ToolChoice::None), Some(answer)) => config("ANY", vec![answer.name.clone()]),
        (Some(ToolChoice::Required), _) if known.is_empty() => {
            return Err(TranslateError::invalid(param, "a tool must be called, and there is none"));
        }
        (Some(ToolChoice::Required), _) => config("ANY", mapped(&all)?),
        (Some(ToolChoice::Named(name)), _) => config("ANY", mapped(std::slice::from_ref(name))?),
        (Some(ToolChoice::Allowed { required: true, names }), _) => config("ANY", mapped(names)?),
        (Some(ToolChoice::Allowed { required: false, names }), answer) => {
            mapped(names)?;
            config(if answer.is_some() { "ANY" } else { "AUTO" }, Vec::new())
        }
    })
}
