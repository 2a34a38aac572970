//! The tools of a request, as the provider is given them.

use serde_json::{Map, Value, json};

use super::tools::Written;
use crate::format::{Family, Format};
use crate::ir::{Dropped, Field, Request, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::Mapping;

/// Chat completions' field that asks for a search of the web.
pub(super) const WEB_SEARCH: &str = "web_search_options";

/// A tool, and the name that the provider knows it by.
pub(super) enum Given<'a> {
    Client(&'a Tool, String),
    Own(Json),
}

impl<'a> Given<'a> {
    /// The tool as it is written. `own` says whether the client's API is one of OpenAI's.
    pub(super) fn written(&'a self, own: bool) -> Written<'a> {
        match self {
            Self::Client(tool, name) => Written::of(tool, name, own),
            Self::Own(declaration) => Written::Builtin(declaration),
        }
    }
}

/// Whether a client of one of OpenAI's APIs wrote `request`.
pub(super) fn is_own(request: &Request) -> bool {
    request.origin.family() == Family::OpenAi
}

/// The tools of `request`, with those of the provider's own that it asks for.
pub(super) fn tools<'a>(
    request: &'a Request,
    names: &mut Mapping,
    dropped: &mut Dropped,
) -> Result<Vec<Given<'a>>, TranslateError> {
    let mut given: Vec<Given<'a>> = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        let param = || format!("{}[{at}]", Field::Tools.name(request.origin));
        if let ToolKind::Builtin(declaration) = &tool.kind
            && request.origin != Format::OpenAiResponses
        {
            let Some(options) = search_options(declaration) else {
                let message = format!("OpenAI's Responses API has nothing like the tool `{}`", tool.name);
                return Err(TranslateError::unsupported(param(), message));
            };
            given.push(Given::Own(web_search(options, &param(), dropped)));
            continue;
        }
        let callable = !matches!(tool.kind, ToolKind::Builtin(_));
        if callable && request.tools[..at].iter().any(|other| other.name == tool.name) {
            let message = format!("there are two tools of the name `{}`", tool.name);
            return Err(TranslateError::invalid(param(), message));
        }
        if matches!(tool.kind, ToolKind::Function { strict: Some(true), .. }) && !is_own(request) {
            dropped.field(request, Field::StrictTools);
        }
        given.push(Given::Client(tool, names.map(&tool.name)));
    }
    let asked = request
        .extensions
        .iter()
        .find(|(name, _)| request.origin != Format::OpenAiResponses && is_own(request) && name == WEB_SEARCH);
    if let Some((_, options)) = asked {
        let options = options.read::<Map<String, Value>>().unwrap_or_default();
        given.push(Given::Own(web_search(options, WEB_SEARCH, dropped)));
    }
    Ok(given)
}

/// The options of another family's search of the web. None where `declaration` is no such search.
fn search_options(declaration: &Json) -> Option<Map<String, Value>> {
    let mut declared: Map<String, Value> = declaration.read().ok()?;
    for name in ["googleSearch", "google_search"] {
        if let Some(options) = declared.remove(name) {
            let Value::Object(options) = options else { return Some(Map::new()) };
            return Some(options);
        }
    }
    let kind = declared.remove("type")?;
    declared.remove("name");
    kind.as_str()?.starts_with("web_search").then_some(declared)
}

/// OpenAI's search of the web, with the `options` that it knows. Others are noted below `path`.
fn web_search(options: Map<String, Value>, path: &str, dropped: &mut Dropped) -> Json {
    let mut tool = json!({"type": "web_search"});
    for (name, value) in options {
        match (name.as_str(), value) {
            // A breakpoint is noted where all breakpoints are.
            (_, Value::Null) | ("cache_control", _) => {}
            ("search_context_size" | "filters", value) => tool[name] = value,
            ("allowed_domains", value) => tool["filters"] = json!({"allowed_domains": value}),
            ("user_location", Value::Object(mut place)) => {
                // Chat completions have the place one level below its kind.
                if let Some(Value::Object(inner)) = place.remove("approximate") {
                    place.extend(inner);
                }
                tool["user_location"] = Value::Object(place);
            }
            _ => dropped.named(format!("{path}.{name}")),
        }
    }
    Json::of(&tool)
}

/// The choice among the tools.
pub(super) fn choice(request: &Request) -> Result<Option<&ToolChoice>, TranslateError> {
    let param = Field::ToolChoice.name(request.origin);
    let known = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
    match &request.tool_choice {
        Some(ToolChoice::Auto | ToolChoice::None) if request.tools.is_empty() => Ok(None),
        Some(_) if request.tools.is_empty() => {
            Err(TranslateError::invalid(param, "a tool is chosen and none is given"))
        }
        Some(ToolChoice::Named(name)) if !known(name) => {
            Err(TranslateError::invalid(param, format!("the chosen tool `{name}` is not among the tools")))
        }
        Some(ToolChoice::Allowed { names, .. }) if names.is_empty() || !names.iter().all(known) => {
            Err(TranslateError::invalid(param, "an allowed tool is not among the tools"))
        }
        choice => Ok(choice.as_ref()),
    }
}

/// What the provider is told for the client's `name` of a tool.
pub(super) fn named(tools: &[Given<'_>], name: &str) -> String {
    let known = tools.iter().find_map(|tool| match tool {
        Given::Client(tool, known) if tool.name == name => Some(known.as_str()),
        _ => None,
    });
    known.unwrap_or(name).to_owned()
}
