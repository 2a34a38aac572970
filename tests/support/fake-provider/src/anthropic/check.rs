//! What the API refuses before it looks at the conversation: headers, fields that it does not know, values out of
//! range. The words are the API's own, as recorded or as quoted in public reports.

use serde_json::{Value, json};

use super::model;
use crate::call::Call;
use crate::fields::{list_of, text_of};
use crate::refusal::Refusal;

/// Fields of a request.
const FIELDS: &[&str] = &[
    "cache_control",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Fields of betas, which only a request that asks for the beta may use.
const BETA_FIELDS: &[&str] =
    &["container", "context_management", "fallbacks", "mcp_servers", "output_format", "speed", "task_budget", "thread"];

/// Fields that the endpoint for counting tokens takes too.
const COUNTED: &[&str] =
    &["cache_control", "messages", "model", "output_config", "system", "thinking", "tool_choice", "tools"];

/// The first version of the API without sampling.
const WITHOUT_SAMPLING: &str = "2026-10-21";

const SAMPLING: &[&str] = &["temperature", "top_p", "top_k"];

/// Checks headers and the names of fields.
pub(super) fn head(call: &Call<'_>, counts: bool) -> Result<(), Refusal> {
    let Some(version) = call.header("anthropic-version") else {
        return Err(Refusal::invalid("anthropic-version: header is required"));
    };
    if !is_date(version) {
        return Err(Refusal::invalid(format!("anthropic-version: \"{version}\" is not a valid version")));
    }
    let beta = call.header("anthropic-beta").is_some() || call.query("beta").as_deref() == Some("true");
    for name in call.json().as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
        let known = (if counts { COUNTED } else { FIELDS }).contains(&name) || (beta && BETA_FIELDS.contains(&name));
        let sampling = SAMPLING.contains(&name) && version >= WITHOUT_SAMPLING;
        if !known || sampling {
            return Err(Refusal::invalid(format!("{name}: Extra inputs are not permitted")));
        }
    }
    thread(call)
}

/// Refuses a thread as one that is lost. The API keeps a thread as long as it likes
/// (docs.claude.com/en/docs/build-with-claude/message-threads). This one keeps none, so the client has to send the
/// whole conversation.
fn thread(call: &Call<'_>) -> Result<(), Refusal> {
    if call.json().pointer("/thread/type") != Some(&json!("continue")) {
        return Ok(());
    }
    let details = Some(Box::new(json!({ "error_code": "thread_not_found" })));
    Err(Refusal { details, ..Refusal::new(404, "thread: The previous message was not found.") })
}

fn is_date(version: &str) -> bool {
    version.len() == 10 && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Checks the values of fields.
pub(super) fn values(call: &Call<'_>, counts: bool) -> Result<(), Refusal> {
    let request = call.json();
    for required in ["model", "messages"].into_iter().chain((!counts).then_some("max_tokens")) {
        if request.get(required).is_none() {
            return Err(Refusal::invalid(format!("{required}: Field required")));
        }
    }
    let max_tokens = match request.get("max_tokens") {
        None => i64::MAX,
        Some(given) => given.as_i64().ok_or_else(|| Refusal::invalid("max_tokens: Input should be a valid integer"))?,
    };
    if max_tokens < 1 {
        return Err(Refusal::invalid("max_tokens: Input should be greater than or equal to 1"));
    }
    if request.get("stop_sequences").is_some_and(|stop| !stop.is_null() && !stop.is_array()) {
        return Err(Refusal::invalid("stop_sequences: Input should be a valid array"));
    }
    if list_of(request, "stop_sequences").iter().any(|stop| stop.as_str().is_none_or(|stop| stop.trim().is_empty())) {
        return Err(Refusal::invalid("stop_sequences: each stop sequence must contain non-whitespace"));
    }
    model::check(request, call.model)?;
    sampling(call)?;
    thinking(request, max_tokens)?;
    tools(request)?;
    if let Some(schema) = request.pointer("/output_config/format/schema") {
        closed(schema)?;
    }
    Ok(())
}

fn sampling(call: &Call<'_>) -> Result<(), Refusal> {
    let request = call.json();
    let given = |name: &str| request.get(name).filter(|value| !value.is_null());
    let model = call.model;
    for name in ["temperature", "top_p"] {
        let in_range = |value: &Value| value.as_f64().is_some_and(|value| (0.0..=1.0).contains(&value));
        if given(name).is_some_and(|value| !in_range(value)) {
            return Err(Refusal::invalid(format!("{name}: range: 0..1")));
        }
    }
    if given("top_k").is_some_and(|value| value.as_i64().is_none_or(|value| value < 0)) {
        return Err(Refusal::invalid("top_k: Input should be greater than or equal to 0"));
    }
    let one_of_both = ["-4-1", "-4-5", "-4-6"].iter().any(|version| model.contains(version));
    if one_of_both && given("temperature").is_some() && given("top_p").is_some() {
        let message = "`temperature` and `top_p` cannot both be specified for this model. Please use only one.";
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

fn thinking(request: &Value, max_tokens: i64) -> Result<(), Refusal> {
    let Some(thinking) = request.get("thinking") else { return Ok(()) };
    let kind = text_of(thinking, "type").unwrap_or_default();
    if kind == "enabled" {
        let Some(budget) = thinking.get("budget_tokens").and_then(Value::as_i64) else {
            return Err(Refusal::invalid("thinking.enabled.budget_tokens: Field required"));
        };
        if budget < 1024 {
            let message = "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024";
            return Err(Refusal::invalid(message));
        }
        if max_tokens <= budget {
            return Err(Refusal::invalid(
                "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at \
                 https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window",
            ));
        }
        if request.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature < 1.0) {
            return Err(Refusal::invalid(
                "`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation at \
                 https://docs.claude.com/en/docs/build-with-claude/extended-thinking#important-considerations-when-using-extended-thinking",
            ));
        }
        let choice = request.get("tool_choice").and_then(|choice| text_of(choice, "type"));
        if matches!(choice, Some("any" | "tool")) {
            return Err(Refusal::invalid("Thinking may not be enabled when tool_choice forces tool use."));
        }
    } else if !matches!(kind, "adaptive" | "disabled" | "between_tools") {
        return Err(Refusal::invalid(format!(
            "thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', \
             'enabled'"
        )));
    }
    Ok(())
}

fn tools(request: &Value) -> Result<(), Refusal> {
    let tools = list_of(request, "tools");
    for (index, tool) in tools.iter().enumerate() {
        // A tool that runs at the provider has a type with a date.
        if !matches!(text_of(tool, "type"), None | Some("custom")) {
            continue;
        }
        let Some(name) = text_of(tool, "name") else {
            return Err(Refusal::invalid(format!("tools.{index}.custom.name: Field required")));
        };
        if name.is_empty() || name.len() > 128 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        {
            let message = format!("tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'");
            return Err(Refusal::invalid(message));
        }
        match tool.pointer("/input_schema/type") {
            _ if tool.get("input_schema").is_none() => {
                return Err(Refusal::invalid(format!("tools.{index}.custom.input_schema: Field required")));
            }
            None => return Err(Refusal::invalid(format!("tools.{index}.custom.input_schema.type: Field required"))),
            Some(kind) if kind != "object" => {
                return Err(Refusal::invalid(format!(
                    "tools.{index}.custom.input_schema.type: Input should be 'object'"
                )));
            }
            Some(_) => {}
        }
    }
    let Some(choice) = request.get("tool_choice").filter(|choice| !choice.is_null()) else { return Ok(()) };
    let kind = text_of(choice, "type").unwrap_or_default();
    if !matches!(kind, "auto" | "any" | "tool" | "none") {
        return Err(Refusal::invalid(format!(
            "tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'any', 'auto', 'none', \
             'tool'"
        )));
    }
    if tools.is_empty() && kind != "none" {
        return Err(Refusal::invalid("tool_choice: `tool_choice` may only be specified while providing `tools`."));
    }
    let missing = |wanted: &&str| !tools.iter().any(|tool| text_of(tool, "name") == Some(*wanted));
    match text_of(choice, "name").filter(|_| kind == "tool").filter(missing) {
        Some(wanted) => Err(Refusal::invalid(format!("Tool '{wanted}' not found in provided tools"))),
        None => Ok(()),
    }
}

/// Checks that a schema for structured output has closed objects only, and no bounds.
fn closed(schema: &Value) -> Result<(), Refusal> {
    let refuse = |what: &str| Err(Refusal::invalid(format!("output_config.format.schema: {what}")));
    match schema {
        Value::Object(fields) => {
            if schema.get("type").is_some_and(|kind| kind == "object")
                && schema.get("additionalProperties") != Some(&Value::Bool(false))
            {
                return refuse("For 'object' type, 'additionalProperties' must be explicitly set to false");
            }
            for unsupported in
                ["minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems", "oneOf", "not"]
            {
                // A property may have any of these names. Then its value is a schema.
                if fields.contains_key(unsupported) && fields.contains_key("type") {
                    return refuse(&format!("property '{unsupported}' is not supported"));
                }
            }
            fields
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "enum" | "const" | "default"))
                .try_for_each(|(_, field)| closed(field))
        }
        Value::Array(items) => items.iter().try_for_each(closed),
        _ => Ok(()),
    }
}
