//! Which requests are never answered from memory: those that refer to what may change, or that leave something behind.

use serde_json::Value;
use translation::Format;
use translation::object::Object;

/// Why a request is not answered from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It has the provider keep something, or refers to what a provider keeps: an answer, a file, a prompt.
    Refers,
    /// The provider looks something up for it, or does something.
    Acts,
    /// The answer holds sound, which is referred to later.
    Sounds,
    /// It is too large.
    Large,
    /// Its objects are too deep within each other.
    Deep,
    /// It is none that can be read.
    Unread,
}

/// Fields that refer to what a provider keeps, or have it keep something.
const REFERRING: [&str; 6] =
    ["previous_response_id", "conversation", "background", "container", "cachedContent", "cached_content"];

/// Fields that have a provider look something up or do something.
const ACTING: [&str; 3] = ["web_search_options", "mcp_servers", "plugins"];

/// Types of tools that the client runs itself, or how they begin. All others are run by the provider.
const CLIENT_TOOLS: [&str; 6] = ["function", "custom", "bash_", "text_editor_", "computer_", "memory_"];

/// Fields that say nothing of the answer. Responses of OpenAI's API repeat them, so there they count.
const WITHOUT_MEANING: [&str; 8] = [
    "stream",
    "store",
    "user",
    "metadata",
    "labels",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
];

/// The top-level fields of a request of `format` that its answer does not depend on. Whether it is a stream is known
/// beside the body.
pub(super) fn without_meaning(format: Format) -> &'static [&'static str] {
    if format.facts().keeps_answers { &WITHOUT_MEANING[..1] } else { &WITHOUT_MEANING }
}

/// Checks whether the request `body` of `format` may be answered from memory.
///
/// # Errors
/// [`Unfit`].
pub(super) fn check(format: Format, body: &Object<'_>) -> Result<(), Unfit> {
    let is = |name: &str, value: &str| body.non_null(name) == Some(value);
    let there = |name: &&str| body.non_null(name).is_some_and(|value| value != "false");
    // Responses are kept by OpenAI unless the request says otherwise; chat completions only where it does.
    let keeps = if format.facts().keeps_answers { !is("store", "false") } else { there(&"store") };
    let template = format.facts().keeps_answers && there(&"prompt");
    if keeps || template || REFERRING.iter().any(there) {
        return Err(Unfit::Refers);
    }
    if body.non_null("audio").is_some() {
        return Err(Unfit::Sounds);
    }
    if ACTING.iter().any(there) || !body.non_null("tools").is_none_or(are_run_by_client) {
        return Err(Unfit::Acts);
    }
    Ok(())
}

/// Whether the client itself runs all of `tools`.
fn are_run_by_client(tools: &str) -> bool {
    serde_json::from_str::<Vec<Value>>(tools).is_ok_and(|tools| tools.iter().all(is_run_by_client))
}

fn is_run_by_client(tool: &Value) -> bool {
    let Some(fields) = tool.as_object() else { return false };
    match fields.get("type") {
        Some(Value::String(kind)) => {
            CLIENT_TOOLS.iter().any(|known| kind == known || (known.ends_with('_') && kind.starts_with(known)))
        }
        Some(Value::Null) | None => {
            let gemini = |name: &String| name == "functionDeclarations" || name == "function_declarations";
            // Anthropic's tools need no type.
            fields.contains_key("input_schema") || (!fields.is_empty() && fields.keys().all(gemini))
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests;
