//! Tools that run at a provider, and what becomes of them at another one (`docs/TRANSLATION.md` section 2.2).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::format::Format;
use crate::ir::{Dropped, Field, Part, Request, Tool, ToolChoice, ToolKind, TranslateError};
use crate::json::Json;

/// Beginnings of the types of tools that agents declare with every request, whether or not anything comes of them. A
/// model without them answers all the same. Of other tools, such as a search among the client's files, the answer
/// depends.
const OFFERED: [&str; 5] = ["web_search", "googleSearch", "google_search", "image_generation", "tool_search"];

/// What a provider that speaks `format` is given for the tool number `at` of `request`, which is `declared` for the
/// provider of another API or for this one. None where the tool is left out.
///
/// # Errors
/// When the provider has nothing like a tool on which the answer depends, or which has to be called.
pub(super) fn fitted<'r>(
    request: &Request,
    (at, tool): (usize, &Tool),
    declared: &'r Json,
    format: Format,
    dropped: &mut Dropped,
) -> Result<Option<Cow<'r, Json>>, TranslateError> {
    if request.origin == format {
        return Ok(Some(Cow::Borrowed(declared)));
    }
    let path = format!("{}[{at}]", Field::Tools.name(request.origin));
    let taken = |name: &str| {
        request.tools.iter().any(|other| !matches!(other.kind, ToolKind::Builtin(_)) && other.name == name)
    };
    let own = search_options(declared).and_then(|options| match format {
        Format::OpenAiResponses => Some(openai_search(options, &path, dropped)),
        Format::AnthropicMessages if !taken("web_search") => Some(anthropic_search(options, &path, dropped)),
        Format::GeminiGenerate => Some(google_search(options, &path, dropped)),
        Format::OpenAiChat | Format::AnthropicMessages | Format::BedrockConverse => None,
    });
    if let Some(own) = own {
        return Ok(Some(Cow::Owned(Json::of(&own))));
    }
    left_out(request, (at, tool), declared, dropped).map(|()| None)
}

/// Leaves a tool out, and names it.
///
/// # Errors
/// When the answer depends on the tool, or it has to be called.
pub(super) fn left_out(
    request: &Request,
    (at, tool): (usize, &Tool),
    declared: &Json,
    dropped: &mut Dropped,
) -> Result<(), TranslateError> {
    let kind = kind(declared);
    let chosen = matches!(&request.tool_choice, Some(ToolChoice::Named(name)) if *name == tool.name);
    let tools = Field::Tools.name(request.origin);
    if chosen || !OFFERED.iter().any(|offered| kind.starts_with(offered)) {
        let words = format!("The provider of this model has no tool like `{}` that it runs itself.", tool.name);
        return Err(TranslateError::unsupported(format!("{tools}[{at}]"), words));
    }
    dropped.named(format!("{tools}.{}", tool.name));
    Ok(())
}

/// The type of a declared tool; for Gemini's, the name of the one field.
fn kind(declared: &Json) -> String {
    let fields: Map<String, Value> = declared.read().unwrap_or_default();
    match fields.get("type").and_then(Value::as_str) {
        Some(kind) => kind.to_owned(),
        None => fields.keys().next().cloned().unwrap_or_default(),
    }
}

/// The options of any API's search of the web. None where `declared` is no such search, or one that must not leave the
/// provider's own store, which the others do not have.
fn search_options(declared: &Json) -> Option<Map<String, Value>> {
    let mut declared: Map<String, Value> = declared.read().ok()?;
    if declared.remove("external_web_access") == Some(Value::Bool(false)) {
        return None;
    }
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
pub(super) fn openai_search(options: Map<String, Value>, path: &str, dropped: &mut Dropped) -> Value {
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
    tool
}

/// Anthropic's search of the web (Claude API documentation, "Web search tool").
fn anthropic_search(options: Map<String, Value>, path: &str, dropped: &mut Dropped) -> Value {
    let mut tool = json!({"type": "web_search_20250305", "name": "web_search"});
    for (name, value) in options {
        match (name.as_str(), value) {
            (_, Value::Null) => {}
            ("max_uses" | "allowed_domains" | "blocked_domains", value) => tool[name] = value,
            ("filters", Value::Object(mut filters)) => {
                if let Some(domains @ Value::Array(_)) = filters.remove("allowed_domains") {
                    tool["allowed_domains"] = domains;
                }
                for name in filters.keys() {
                    dropped.named(format!("{path}.filters.{name}"));
                }
            }
            ("user_location", Value::Object(mut place)) => {
                place.retain(|_, value| !value.is_null());
                place.insert("type".to_owned(), json!("approximate"));
                tool["user_location"] = Value::Object(place);
            }
            _ => dropped.named(format!("{path}.{name}")),
        }
    }
    tool
}

/// Gemini's search of the web, which takes no options.
fn google_search(options: Map<String, Value>, path: &str, dropped: &mut Dropped) -> Value {
    for name in
        options.iter().filter(|(name, value)| !value.is_null() && *name != "cache_control").map(|(name, _)| name)
    {
        dropped.named(format!("{path}.{name}"));
    }
    json!({"googleSearch": {}})
}

/// What a block means in the result of a tool, for a model of a family that does not know the block. None where it says
/// nothing to such a model.
pub(super) fn in_words(part: &Part) -> Option<String> {
    #[derive(Deserialize)]
    struct Reference {
        r#type: String,
        tool_name: String,
    }

    let Part::Opaque { block, .. } = part else { return None };
    let found: Reference = block.read().ok()?;
    // A search among deferred tools has found this one (Claude API documentation, "Tool search tool").
    (found.r#type == "tool_reference").then(|| format!("The tool `{}` can be called now.", found.tool_name))
}

#[cfg(test)]
mod tests;
