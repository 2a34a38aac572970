//! What both APIs say of tools and of the shape of the answer (`docs/TRANSLATION.md` sections 2.2 to 2.4).

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::back::CUSTOM_INPUT;
use crate::ir::{Field, Request, Schema, Tool, ToolChoice, TranslateError};

/// The tool through which a model answers that cannot be held to a schema otherwise.
const ANSWER_TOOL: &str = "json_output";

/// Where the tool number `index` stands in the client's request.
pub(in crate::protocol) fn path(request: &Request, index: usize) -> String {
    format!("{}[{index}]", Field::Tools.name(request.origin))
}

/// The names of the tools that the client allows. None: all of them.
pub(in crate::protocol) fn allowed(request: &Request) -> Option<HashSet<&str>> {
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names.iter().map(String::as_str).collect()),
        _ => None,
    }
}

/// Gives `write` each tool that is `allowed`, with its index in the client's list.
///
/// # Errors
/// When two tools have one name, and what `write` fails with.
pub(in crate::protocol) fn each<'r>(
    request: &'r Request,
    allowed: Option<&HashSet<&str>>,
    mut write: impl FnMut(usize, &'r Tool) -> Result<(), TranslateError>,
) -> Result<(), TranslateError> {
    let mut seen = HashSet::new();
    for (index, tool) in request.tools.iter().enumerate() {
        if !seen.insert(&*tool.name) {
            let words = format!("There are two tools with the name `{}`.", tool.name);
            return Err(TranslateError::invalid(path(request, index), words));
        }
        if allowed.is_none_or(|allowed| allowed.contains(&*tool.name)) {
            write(index, tool)?;
        }
    }
    Ok(())
}

/// The parameters of a tool that takes free text.
pub(in crate::protocol) fn free_text() -> Value {
    json!({
        "type": "object",
        "properties": {CUSTOM_INPUT: {"type": "string", "description": "The input of the tool, as plain text."}},
        "required": [CUSTOM_INPUT],
        "additionalProperties": false,
    })
}

/// The parameters of a tool that takes none.
pub(in crate::protocol) fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

/// The refusal of parameters, which `why` tells.
pub(in crate::protocol) fn no_parameters_like(request: &Request, index: usize, why: &str) -> TranslateError {
    TranslateError::unsupported(path(request, index), format!("The parameters of this tool {why}."))
}

/// The refusal of a choice where there is no tool.
pub(in crate::protocol) fn nothing_to_choose(request: &Request) -> TranslateError {
    let words = "A tool choice can be made only where there are tools.";
    TranslateError::invalid(Field::ToolChoice.name(request.origin), words)
}

/// Refuses the choice of the tool `name` where there is none of that name.
///
/// # Errors
/// When there is none.
pub(in crate::protocol) fn check_chosen(request: &Request, name: &str) -> Result<(), TranslateError> {
    if request.tools.iter().all(|tool| tool.name != name) {
        let words = format!("There is no tool `{name}` to choose.");
        return Err(TranslateError::invalid(Field::ToolChoice.name(request.origin), words));
    }
    Ok(())
}

/// What a model is told that is to answer with a JSON object of any shape.
pub(in crate::protocol) fn any_object(has_tools: bool) -> &'static str {
    if has_tools {
        "Unless you call a tool, answer with one JSON object and nothing else: no words before or after it, and no code fences."
    } else {
        "Answer with one JSON object and nothing else: no words before or after it, and no code fences."
    }
}

/// The refusal of a schema for the answer, which `why` tells.
pub(in crate::protocol) fn no_schema_like(request: &Request, why: &str) -> TranslateError {
    let words = format!("This model cannot be held to this schema: here it {why}.");
    TranslateError::unsupported(Field::Output.name(request.origin), words)
}

/// The name of the tool through which the model answers: one that no tool of the client has.
pub(in crate::protocol) fn answer_tool(request: &Request) -> String {
    let taken: HashSet<&str> = request.tools.iter().map(|tool| &*tool.name).collect();
    let mut name = ANSWER_TOOL.to_owned();
    while taken.contains(&*name) {
        name.push('_');
    }
    name
}

/// What the tool through which the model answers is for.
pub(in crate::protocol) fn answer_description(wanted: &Schema) -> &str {
    let description = wanted.description.as_deref().filter(|text| !text.is_empty());
    description.unwrap_or("Gives your answer. Call it once, with the whole answer.")
}

/// What a model is told that has to call the tool `name`, and cannot be forced to.
pub(in crate::protocol) fn call_now(name: &str) -> String {
    format!("You have to call the tool `{name}` now.")
}

/// What a model is told that has to call some tool, and cannot be forced to.
pub(in crate::protocol) const CALL_ANY_NOW: &str = "You have to call one of your tools now.";
