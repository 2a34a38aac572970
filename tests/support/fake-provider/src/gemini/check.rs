//! Checks for fields that the API does not know, and for values out of range.

use serde_json::{Value, json};

use super::fields::{Holds, SCHEMA};
use crate::fields::{list_of, text_of};
use crate::refusal::Refusal;

/// The field `name` of `message`, which may be written in camel case or in snake case.
pub(super) fn field<'a>(message: &'a Value, name: &str) -> Option<&'a Value> {
    message.get(name).or_else(|| message.get(snake(name))).filter(|value| !value.is_null())
}

/// The list in the field `name` of `message`, or an empty one.
pub(super) fn list<'a>(message: &'a Value, name: &str) -> &'a [Value] {
    field(message, name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Refuses fields that no message of the API has, all of them at once as the API does.
pub(super) fn names(request: &Value, known: &[(&str, Holds)]) -> Result<(), Refusal> {
    let mut unknown = Vec::new();
    look(request, known, "", &mut unknown);
    if unknown.is_empty() {
        return Ok(());
    }
    let described: Vec<String> = unknown
        .iter()
        .map(|(name, path)| {
            let place = if path.is_empty() { String::new() } else { format!(" at '{path}'") };
            format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.")
        })
        .collect();
    let violations: Vec<Value> = unknown
        .iter()
        .zip(&described)
        .map(|((_, path), description)| json!({ "field": path, "description": description }))
        .collect();
    let details = json!([{ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations }]);
    Err(Refusal { details: Some(Box::new(details)), ..Refusal::invalid(described.join("\n")) })
}

fn look(value: &Value, known: &[(&str, Holds)], path: &str, unknown: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                look(item, known, &format!("{path}[{index}]"), unknown);
            }
        }
        Value::Object(fields) => {
            for (name, inside) in fields {
                let Some((camel, holds)) = known.iter().find(|(camel, _)| camel == name || snake(camel) == *name)
                else {
                    unknown.push((name.clone(), path.to_owned()));
                    continue;
                };
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{}", snake(camel));
                match holds {
                    Holds::Any => {}
                    Holds::Message(known) => look(inside, known, &path, unknown),
                    Holds::Schema => look(inside, SCHEMA, &path, unknown),
                    // The client chooses the names of schemas.
                    Holds::Schemas => {
                        for (index, schema) in
                            inside.as_object().into_iter().flatten().map(|(_, schema)| schema).enumerate()
                        {
                            look(schema, SCHEMA, &format!("{path}[{index}].value"), unknown);
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// Refuses values of the generation config that are out of range.
pub(super) fn config(request: &Value, model: &str) -> Result<(), Refusal> {
    let config = field(request, "generationConfig").unwrap_or(&Value::Null);
    let third = model.starts_with("gemini-3");
    let temperature = field(config, "temperature").and_then(Value::as_f64);
    if let Some(temperature) = temperature.filter(|temperature| !(0.0..=2.0).contains(temperature)) {
        return Err(Refusal::invalid(format!(
            "Unable to submit request because it has a temperature value of {temperature} but the supported range is from 0 \
             (inclusive) to 2.0001 (exclusive). Update the value and try again."
        )));
    }
    if field(config, "stopSequences").is_some_and(|stop| !stop.is_array()) {
        return Err(Refusal::invalid("Invalid value at 'generation_config.stop_sequences' (repeated string)"));
    }
    if list(config, "stopSequences").len() > 5 {
        return Err(Refusal::invalid("The number of stop sequences must not exceed 5."));
    }
    if field(config, "candidateCount").and_then(Value::as_u64).is_some_and(|count| count > if third { 1 } else { 8 }) {
        return Err(Refusal::invalid("Multiple candidates is not enabled for this model"));
    }
    if field(config, "maxOutputTokens").and_then(Value::as_i64).is_some_and(|most| most < 1) {
        return Err(Refusal::invalid("max_output_tokens must be positive."));
    }
    let thinking = field(config, "thinkingConfig").unwrap_or(&Value::Null);
    let level = field(thinking, "thinkingLevel").and_then(Value::as_str);
    if level.is_some() && field(thinking, "thinkingBudget").is_some() {
        return Err(Refusal::invalid("You can only set only one of thinking budget and thinking level."));
    }
    if level.is_some() && !third {
        return Err(Refusal::invalid("Thinking level is not supported for this model."));
    }
    let minimal = level.is_some_and(|level| level.eq_ignore_ascii_case("minimal"));
    if minimal && (model.contains("pro") || model.starts_with("gemini-3.7") || model.starts_with("gemini-3.8")) {
        return Err(Refusal::invalid("Thinking level MINIMAL is not supported for this model."));
    }
    modes(request)
}

/// Checks that function calling names functions in mode `ANY` only, and only functions that there are.
fn modes(request: &Value) -> Result<(), Refusal> {
    let config = field(request, "toolConfig").and_then(|config| field(config, "functionCallingConfig"));
    let Some(config) = config else { return Ok(()) };
    let mode = text_of(config, "mode").unwrap_or("AUTO").to_uppercase();
    let allowed = list(config, "allowedFunctionNames");
    if !allowed.is_empty() && !matches!(mode.as_str(), "ANY" | "VALIDATED") {
        return Err(Refusal::invalid("Allowed function names should only be set when mode is ANY."));
    }
    let declared: Vec<&str> = list(request, "tools")
        .iter()
        .flat_map(|tool| list(tool, "functionDeclarations"))
        .filter_map(|function| text_of(function, "name"))
        .collect();
    if let Some(stray) = allowed.iter().filter_map(Value::as_str).find(|name| !declared.contains(name)) {
        return Err(Refusal::invalid(format!("Allowed function name {stray} is not one of the declared functions.")));
    }
    Ok(())
}

/// The parts of a content.
pub(super) fn parts(content: &Value) -> &[Value] {
    list_of(content, "parts")
}
