//! The tools of a request, as the provider is given them.

use serde_json::{Map, Value};

use super::tools::Written;
use crate::format::{Family, Format};
use crate::ir::{Dropped, Field, Request, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;
use crate::names::Mapping;
use crate::protocol::builtin;

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
            let fitted = builtin::fitted(request, (at, tool), declaration, Format::OpenAiResponses, dropped)?;
            given.extend(fitted.map(|fitted| Given::Own(fitted.into_owned())));
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
        given.push(Given::Own(Json::of(&builtin::openai_search(options, WEB_SEARCH, dropped))));
    }
    Ok(given)
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
