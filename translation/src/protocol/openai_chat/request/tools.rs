//! Tools, and the choice among them, in the forms of today and in the older ones (`functions`, `function_call`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::Body;
use super::content::CacheIn;
use super::value::{read_raw, required};
use crate::ir::{CacheControl, Request, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolIn {
    r#type: Option<String>,
    function: Option<FunctionIn>,
    custom: Option<CustomIn>,
    cache_control: Option<CacheIn>,
    // The flat form of the Responses API, which some clients use here too.
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Json>,
    strict: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionIn {
    name: Option<String>,
    description: Option<String>,
    parameters: Option<Json>,
    strict: Option<bool>,
    cache_control: Option<CacheIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomIn {
    name: Option<String>,
    description: Option<String>,
    format: Option<Json>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedIn {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceIn {
    r#type: Option<String>,
    function: Option<NamedIn>,
    custom: Option<NamedIn>,
    name: Option<String>,
    allowed_tools: Option<AllowedIn>,
    mode: Option<String>,
    tools: Option<Vec<ChoiceIn>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AllowedIn {
    mode: Option<String>,
    tools: Option<Vec<ChoiceIn>>,
}

/// Reads the tools, and what is said of their use, into `request`.
pub(super) fn read(body: &mut Body<'_>, request: &mut Request) -> Result<(), TranslateError> {
    let tools = body.tools.take().unwrap_or_default();
    let functions = body.functions.take().unwrap_or_default();
    request.legacy_functions = !functions.is_empty();
    if request.legacy_functions && !tools.is_empty() {
        let message = "functions: not allowed beside tools, which took its place";
        return Err(TranslateError::invalid("functions", message));
    }
    for (at, tool) in tools.into_iter().enumerate() {
        let path = format!("tools[{at}]");
        request.tools.push(tool_of(tool, &path)?);
        unique(&request.tools, &path)?;
    }
    for (at, function) in functions.into_iter().enumerate() {
        let path = format!("functions[{at}]");
        let function: FunctionIn = read_raw(function, &path)?;
        request.tools.push(function.tool(&path)?);
        unique(&request.tools, &path)?;
    }
    let (param, choice) = match (body.tool_choice.take(), body.function_call.take()) {
        (Some(choice), _) => ("tool_choice", Some(choice)),
        (None, choice) => ("function_call", choice),
    };
    if let Some(choice) = choice {
        request.tool_choice = Some(choice_of(choice, param, request)?);
    }
    request.parallel_tool_calls = body.parallel_tool_calls;
    Ok(())
}

/// Two tools of one name cannot be told apart in a call (`docs/TRANSLATION.md` section 2.2).
fn unique(tools: &[Tool], path: &str) -> Result<(), TranslateError> {
    let Some((last, before)) = tools.split_last() else { return Ok(()) };
    let named = |tool: &Tool| !matches!(tool.kind, ToolKind::Builtin(_)) && tool.name == last.name;
    if named(last) && before.iter().any(named) {
        let message = format!("{path}: another tool is named '{}' already", last.name);
        return Err(TranslateError::invalid(path, message));
    }
    Ok(())
}

fn tool_of(raw: &RawValue, path: &str) -> Result<Tool, TranslateError> {
    let tool: ToolIn = read_raw(raw, path)?;
    let cache = tool.cache_control.map(CacheControl::from);
    match (tool.r#type.as_deref(), tool.function, tool.custom) {
        (Some("function") | None, Some(function), _) => {
            let tool = function.tool(&format!("{path}.function"))?;
            Ok(Tool { cache: cache.or(tool.cache), ..tool })
        }
        (Some("function"), None, _) if tool.name.is_some() => {
            let ToolIn { name, description, parameters, strict, .. } = ToolIn {
                name: tool.name,
                description: tool.description,
                parameters: tool.parameters,
                strict: tool.strict,
                ..ToolIn::default()
            };
            let tool = FunctionIn { name, description, parameters, strict, cache_control: None }.tool(path)?;
            Ok(Tool { cache, ..tool })
        }
        (Some("custom"), _, Some(custom)) => {
            let name = filled(custom.name).ok_or_else(|| required(format!("{path}.custom.name")))?;
            let kind = ToolKind::Custom { format: custom.format.and_then(Json::non_null) };
            Ok(Tool { name, description: filled(custom.description), kind, cache })
        }
        (Some("function"), None, _) => Err(required(format!("{path}.function"))),
        (Some("custom"), _, None) => Err(required(format!("{path}.custom"))),
        (None, None, _) => Err(required(format!("{path}.type"))),
        (Some(builtin), _, _) => {
            let kind = ToolKind::Builtin(Json::of(raw));
            Ok(Tool { name: builtin.to_owned(), description: None, kind, cache })
        }
    }
}

impl FunctionIn {
    fn tool(self, path: &str) -> Result<Tool, TranslateError> {
        let name = filled(self.name).ok_or_else(|| required(format!("{path}.name")))?;
        let parameters = self.parameters.and_then(Json::non_null);
        if parameters.as_ref().is_some_and(|parameters| !parameters.is_object()) {
            let param = format!("{path}.parameters");
            let message = format!("{param}: expected an object");
            return Err(TranslateError::invalid(param, message));
        }
        let kind = ToolKind::Function { parameters, strict: self.strict };
        let (description, cache) = (filled(self.description), self.cache_control.map(CacheControl::from));
        Ok(Tool { name, description, kind, cache })
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn choice_of(raw: &RawValue, param: &'static str, request: &Request) -> Result<ToolChoice, TranslateError> {
    let choice = if raw.get().starts_with('"') {
        word(&read_raw::<String>(raw, param)?)
    } else {
        named(read_raw(raw, param)?, param == "function_call")
    };
    let Some(choice) = choice else {
        return Err(TranslateError::invalid(param, format!("{param}: not a choice that is known: {}", raw.get())));
    };
    if request.tools.is_empty() {
        return Err(TranslateError::invalid(param, format!("{param}: only allowed where tools are given")));
    }
    let known = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
    let unknown = match &choice {
        ToolChoice::Named(name) if !known(name) => Some(name),
        ToolChoice::Allowed { names, .. } => names.iter().find(|name| !known(name)),
        _ => None,
    };
    match unknown {
        Some(name) => Err(TranslateError::invalid(param, format!("{param}: there is no tool named '{name}'"))),
        None => Ok(choice),
    }
}

fn word(word: &str) -> Option<ToolChoice> {
    match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        // Mistral's clients say `any`.
        "required" | "any" => Some(ToolChoice::Required),
        _ => None,
    }
}

fn named(choice: ChoiceIn, bare: bool) -> Option<ToolChoice> {
    match choice.r#type.as_deref() {
        Some("allowed_tools") => {
            // The flat form is that of the Responses API.
            let AllowedIn { mode, tools } =
                choice.allowed_tools.unwrap_or(AllowedIn { mode: choice.mode, tools: choice.tools });
            let required = match mode.as_deref() {
                Some("required") => true,
                Some("auto") | None => false,
                Some(_) => return None,
            };
            let names = tools?.into_iter().map(ChoiceIn::tool_name).collect::<Option<_>>()?;
            Some(ToolChoice::Allowed { required, names })
        }
        Some("function" | "custom" | "tool") => choice.tool_name().map(ToolChoice::Named),
        Some(other) => word(other),
        None if bare || choice.function.is_some() => choice.tool_name().map(ToolChoice::Named),
        None => None,
    }
}

impl ChoiceIn {
    /// A built-in tool has no name but its type.
    fn tool_name(self) -> Option<String> {
        let named = self.function.or(self.custom).and_then(|named| named.name);
        filled(named.or(self.name))
            .or(self.r#type.filter(|kind| !matches!(kind.as_str(), "function" | "custom" | "tool")))
    }
}
