//! Fits a JSON schema to what Bedrock takes (Amazon Bedrock User Guide, "Get validated JSON results from models",
//! section "JSON Schema support").

use serde_json::{Map, Value, json};

use crate::json::Json;
use crate::protocol::claude::schema::{Inexpressible, Written, describe, each};

/// Keywords that structured output takes, beside those that [`node`] handles one by one.
const KEPT: [&str; 6] = ["type", "enum", "const", "required", "title", "description"];
/// Keywords that say nothing of the value.
const IDLE: [&str; 8] = ["$schema", "$id", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly"];
/// Keywords that narrow a value. Structured output does not take them, so the model is told in words.
const NARROWING: [&str; 13] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
];

/// `schema` with every object closed. None where structured output cannot hold a model to it: a map with free keys,
/// references (which may recurse), and whatever else is not plain.
pub(super) fn closed(schema: &str) -> Option<Value> {
    let schema = node(serde_json::from_str(schema).ok()?).ok()?;
    (schema["type"] == "object").then_some(schema)
}

fn node(schema: Value) -> Result<Value, Inexpressible> {
    let Value::Object(schema) = schema else { return Err(Inexpressible) };
    if schema.is_empty() {
        return Err(Inexpressible);
    }
    let is_object = schema.get("type").is_some_and(|kind| kind == "object") || schema.contains_key("properties");
    let mut fitted = Map::new();
    let mut words = Vec::new();
    for (keyword, value) in schema {
        match keyword.as_str() {
            "properties" => {
                fitted.insert(keyword, each(value, node)?);
            }
            "items" => {
                fitted.insert(keyword, node(value)?);
            }
            "anyOf" | "oneOf" if !fitted.contains_key("anyOf") => {
                let Value::Array(schemas) = value else { return Err(Inexpressible) };
                let schemas = schemas.into_iter().map(node).collect::<Result<Vec<_>, _>>()?;
                fitted.insert("anyOf".to_owned(), Value::Array(schemas));
            }
            "additionalProperties" if value == Value::Bool(false) => {}
            // An object that names its properties means nearly the same when it is closed.
            "additionalProperties" if value == Value::Bool(true) && fitted.contains_key("properties") => {}
            kept if KEPT.contains(&kept) => {
                fitted.insert(keyword, value);
            }
            narrowing if NARROWING.contains(&narrowing) => words.push(format!("{keyword}: {value}")),
            idle if IDLE.contains(&idle) => {}
            _ => return Err(Inexpressible),
        }
    }
    if is_object {
        if !fitted.contains_key("properties") {
            return Err(Inexpressible);
        }
        fitted.insert("type".to_owned(), "object".into());
        fitted.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    describe(&mut fitted, &words);
    Ok(Value::Object(fitted))
}

/// The parameters of a tool (`docs/TRANSLATION.md` section 2.2). All keywords stay, but the top level has to be an
/// object.
///
/// # Errors
/// Why the parameters cannot be declared.
pub(super) fn parameters(schema: &Json) -> Result<Written<'_>, &'static str> {
    let Ok(Value::Object(mut fields)) = schema.read::<Value>() else { return Err("must be a JSON object") };
    if ["anyOf", "oneOf", "allOf"].iter().any(|keyword| fields.contains_key(*keyword)) {
        return Err("must not have anyOf, oneOf or allOf at the top level");
    }
    match fields.get("type").map(Value::as_str) {
        Some(Some("object")) if fields.contains_key("properties") => return Ok(Written::AsItIs(schema)),
        Some(Some("object")) | None => {}
        _ => return Err("must be of type object"),
    }
    fields.insert("type".to_owned(), "object".into());
    fields.entry("properties").or_insert_with(|| json!({}));
    Ok(Written::Anew(Value::Object(fields)))
}
