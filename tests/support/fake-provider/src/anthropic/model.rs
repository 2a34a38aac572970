//! What the API refuses for some models only (docs.claude.com/en/docs/about-claude/models and the migration guides). A
//! model that is not listed here accepts everything.

use serde_json::Value;

use crate::fields::{list_of, text_of};
use crate::refusal::Refusal;

/// How a model thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thinks {
    Never,
    /// The model thinks with a budget of tokens.
    Budget,
    /// The model thinks with a budget, or as much as it sees fit.
    Both,
    /// The model thinks as much as it sees fit.
    Adaptive,
    /// The model thinks as much as it sees fit, and thinking cannot be switched off.
    Always,
}

/// A family of models, whose names begin alike.
#[derive(Debug)]
struct Family {
    prefix: &'static str,
    max_tokens: i64,
    thinks: Thinks,
    efforts: &'static [&'static str],
    /// Whether a conversation may end with the beginning of the answer.
    prefill: bool,
    /// Whether the model takes sampling parameters.
    sampled: bool,
}

const NONE: &[&str] = &[];
const TO_HIGH: &[&str] = &["high", "low", "medium"];
const TO_MAX: &[&str] = &["high", "low", "max", "medium"];
const ALL: &[&str] = &["high", "low", "max", "medium", "xhigh"];

const fn family(
    prefix: &'static str,
    max_tokens: i64,
    thinks: Thinks,
    efforts: &'static [&'static str],
    older: bool,
    sampled: bool,
) -> Family {
    Family { prefix, max_tokens, thinks, efforts, prefill: older, sampled }
}

/// The families. The first whose prefix fits counts.
const FAMILIES: &[Family] = &[
    family("claude-3-haiku", 4096, Thinks::Never, NONE, true, true),
    family("claude-3-5", 8192, Thinks::Never, NONE, true, true),
    family("claude-3-7", 64_000, Thinks::Budget, NONE, true, true),
    family("claude-sonnet-4-2", 64_000, Thinks::Budget, NONE, true, true),
    family("claude-opus-4-2", 32_000, Thinks::Budget, NONE, true, true),
    family("claude-opus-4-1", 32_000, Thinks::Budget, NONE, true, true),
    family("claude-opus-4-5", 64_000, Thinks::Budget, TO_HIGH, true, true),
    family("claude-sonnet-4-5", 64_000, Thinks::Budget, NONE, true, true),
    family("claude-haiku-4-5", 64_000, Thinks::Budget, NONE, true, true),
    family("claude-opus-4-6", 128_000, Thinks::Both, TO_MAX, false, true),
    family("claude-sonnet-4-6", 128_000, Thinks::Both, TO_MAX, false, true),
    family("claude-opus-4-7", 128_000, Thinks::Adaptive, ALL, false, false),
    family("claude-opus-4-8", 128_000, Thinks::Adaptive, ALL, false, false),
    family("claude-opus-5-5", 128_000, Thinks::Always, ALL, false, false),
    family("claude-opus-5", 128_000, Thinks::Adaptive, ALL, false, false),
    family("claude-sonnet-5", 128_000, Thinks::Adaptive, ALL, false, false),
    family("claude-haiku-5", 128_000, Thinks::Adaptive, ALL, false, false),
    family("claude-fable-5-1", 128_000, Thinks::Always, ALL, false, false),
    family("claude-fable", 128_000, Thinks::Adaptive, ALL, false, false),
];

/// Refuses a request that `model` does not take.
pub(super) fn check(request: &Value, model: &str) -> Result<(), Refusal> {
    let Some(family) = FAMILIES.iter().find(|family| model.starts_with(family.prefix)) else { return Ok(()) };
    let refuse = |message: String| Err(Refusal::invalid(message));
    if let Some(asked) = request.get("max_tokens").and_then(Value::as_i64).filter(|asked| *asked > family.max_tokens) {
        return refuse(format!(
            "max_tokens: {asked} > {}, which is the maximum allowed number of output tokens for {model}",
            family.max_tokens
        ));
    }
    let given = |name: &str| request.get(name).is_some_and(|value| !value.is_null());
    if let Some(name) = ["temperature", "top_p", "top_k"].into_iter().find(|name| !family.sampled && given(name)) {
        return refuse(format!("`{name}` is deprecated for this model."));
    }
    let effort = request.pointer("/output_config/effort").and_then(Value::as_str);
    match effort.filter(|effort| !family.efforts.contains(effort)) {
        Some(_) if family.efforts.is_empty() => {
            return refuse("This model does not support the effort parameter.".to_owned());
        }
        Some(effort) => {
            let levels = family.efforts.join(", ");
            return refuse(format!("This model does not support effort level '{effort}'. Supported levels: {levels}."));
        }
        None => {}
    }
    thinking(request, family)?;
    let last = list_of(request, "messages").last();
    if !family.prefill && last.is_some_and(|last| last["role"] == "assistant") {
        return refuse(
            "This model does not support assistant message prefill. The conversation must end with a user message."
                .to_owned(),
        );
    }
    Ok(())
}

fn thinking(request: &Value, family: &Family) -> Result<(), Refusal> {
    let kind = request.get("thinking").and_then(|thinking| text_of(thinking, "type")).unwrap_or_default();
    let choice = request.get("tool_choice").and_then(|choice| text_of(choice, "type")).unwrap_or_default();
    let message = match (kind, family.thinks) {
        ("enabled", Thinks::Adaptive | Thinks::Always) => {
            "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \
             \"output_config.effort\" to control thinking behavior."
        }
        ("disabled", Thinks::Always) => "\"thinking.type.disabled\" is not supported for this model.",
        ("enabled", Thinks::Never) => "thinking is not supported on this model",
        ("adaptive", Thinks::Never | Thinks::Budget) => "adaptive thinking is not supported on this model",
        (_, Thinks::Always) if matches!(choice, "any" | "tool") => {
            "Thinking may not be enabled when tool_choice forces tool use."
        }
        _ => return Ok(()),
    };
    Err(Refusal::invalid(message))
}
