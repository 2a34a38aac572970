//! Fits a JSON schema to what Anthropic's structured outputs and strict tools take ("Structured outputs", section "JSON
//! Schema limitations"; `docs/TRANSLATION.md` section 2.4).
//!
//! What constrains a value beyond its shape is told to the model in words: it goes into the `description`. A schema
//! whose shape would change is refused.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::lenient::Text;
use crate::protocol::claude::schema::{Inexpressible, describe, each};

/// `schema`, with its objects closed and without the keywords that are not taken.
pub(super) fn sanitised(schema: &str) -> Result<Value, Inexpressible> {
    let schema: Value = serde_json::from_str(schema).map_err(|_| Inexpressible)?;
    let schema = node(schema)?;
    if recurses(&schema) { Err(Inexpressible) } else { Ok(schema) }
}

/// Keywords that stay as they are.
const KEPT: [&str; 7] = ["type", "enum", "const", "required", "title", "description", "default"];
/// Keywords that say nothing of the value.
const IDLE: [&str; 9] =
    ["$schema", "$id", "$anchor", "$comment", "$vocabulary", "strict", "deprecated", "readOnly", "writeOnly"];
/// Formats that the model is held to.
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6"];

fn node(schema: Value) -> Result<Value, Inexpressible> {
    let Value::Object(schema) = schema else { return Err(Inexpressible) };
    if schema.is_empty() {
        return Err(Inexpressible);
    }
    let mut fitted = Map::new();
    let mut words = Vec::new();
    let is_object = is_object(&schema);
    let mut closed = false;
    let has_properties = schema.contains_key("properties");
    for (keyword, value) in schema {
        match keyword.as_str() {
            "properties" => {
                fitted.insert(keyword, each(value, node)?);
            }
            "$defs" | "definitions" => {
                fitted.insert("$defs".to_owned(), each(value, node)?);
            }
            "items" => {
                fitted.insert(keyword, node(value)?);
            }
            "anyOf" | "oneOf" => alternatives(&mut fitted, "anyOf", value)?,
            "allOf" => all_of(&mut fitted, value)?,
            "$ref" => {
                fitted.insert(keyword, reference(&value)?);
            }
            "additionalProperties" => match value {
                Value::Bool(false) => closed = true,
                // An object that names its properties means nearly the same when it is closed.
                Value::Bool(true) if has_properties => {}
                Value::Object(of) if of.is_empty() && has_properties => {}
                _ => return Err(Inexpressible),
            },
            "patternProperties" | "if" | "then" | "else" | "dependentSchemas" | "prefixItems" => {
                return Err(Inexpressible);
            }
            "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format) || format == "uuid") => {
                fitted.insert(keyword, value);
            }
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => {
                fitted.insert(keyword, value);
            }
            "enum" if value.as_array().is_some_and(|values| values.iter().any(is_structured)) => {
                return Err(Inexpressible);
            }
            kept if KEPT.contains(&kept) => {
                fitted.insert(keyword, value);
            }
            idle if IDLE.contains(&idle) => {}
            // `nullable` is OpenAPI's union with null, which would be lost in words.
            "nullable" if value == Value::Bool(true) => nullable(&mut fitted, &mut words),
            "nullable" => {}
            _ => words.push(format!("{keyword}: {value}")),
        }
    }
    if is_object {
        let objects = |keyword: &str| {
            fitted.get(keyword).and_then(Value::as_array).is_some_and(|of| of.iter().any(may_be_object))
        };
        // Each of the two would be closed to the properties of the other, and nothing would fit both.
        if (!has_properties && !closed) || objects("anyOf") || objects("allOf") {
            return Err(Inexpressible);
        }
        fitted.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        fitted.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    describe(&mut fitted, &words);
    Ok(Value::Object(fitted))
}

fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.contains_key("properties"),
    }
}

fn alternatives(fitted: &mut Map<String, Value>, keyword: &str, schemas: Value) -> Result<(), Inexpressible> {
    let Value::Array(schemas) = schemas else { return Err(Inexpressible) };
    // With both `anyOf` and `oneOf` a value has to fit each of them, and there is a place for one.
    if fitted.contains_key(keyword) {
        return Err(Inexpressible);
    }
    let schemas = schemas.into_iter().map(node).collect::<Result<Vec<_>, _>>()?;
    fitted.insert(keyword.to_owned(), Value::Array(schemas));
    Ok(())
}

/// One schema is written as a choice of one, which takes references. Several are taken only of plain values: objects
/// would each be closed to the properties of the others.
fn all_of(fitted: &mut Map<String, Value>, schemas: Value) -> Result<(), Inexpressible> {
    match schemas.as_array() {
        Some(one) if one.len() == 1 => alternatives(fitted, "anyOf", schemas),
        Some(several) if several.iter().any(may_be_object) => Err(Inexpressible),
        _ => alternatives(fitted, "allOf", schemas),
    }
}

/// Whether a schema speaks of objects, or of something that is defined elsewhere.
fn may_be_object(schema: &Value) -> bool {
    schema.as_object().is_some_and(|schema| is_object(schema) || schema.contains_key("$ref"))
}

fn is_structured(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn nullable(fitted: &mut Map<String, Value>, words: &mut Vec<String>) {
    match fitted.get_mut("type") {
        Some(Value::String(kind)) => {
            let kind = Value::String(std::mem::take(kind));
            fitted.insert("type".to_owned(), Value::Array(vec![kind, Value::from("null")]));
        }
        _ => words.push("nullable: true".to_owned()),
    }
}

/// A reference within the schema. Draft 7 has definitions under another name.
fn reference(value: &Value) -> Result<Value, Inexpressible> {
    let target = value.as_str().filter(|target| target.starts_with("#/")).ok_or(Inexpressible)?;
    Ok(Value::String(target.replacen("#/definitions/", "#/$defs/", 1)))
}

/// The most definitions. Anthropic takes a schema with more for too complex.
const MOST_DEFINITIONS: usize = 500;

/// Whether a definition refers to itself, also by way of others.
fn recurses(schema: &Value) -> bool {
    let Some(definitions) = schema.get("$defs").and_then(Value::as_object) else {
        return !references(schema).is_empty();
    };
    // The search below goes as deep as there are definitions.
    if definitions.len() > MOST_DEFINITIONS {
        return true;
    }
    let uses: HashMap<String, Vec<&str>> =
        definitions.iter().map(|(name, schema)| (format!("#/$defs/{name}"), references(schema))).collect();
    let (mut done, mut open) = (HashSet::new(), HashSet::new());
    uses.keys().any(|start| visits_itself(start, &uses, &mut done, &mut open))
        || references(schema).into_iter().any(|target| !uses.contains_key(target))
}

fn visits_itself<'s>(
    at: &'s str,
    uses: &'s HashMap<String, Vec<&'s str>>,
    done: &mut HashSet<&'s str>,
    open: &mut HashSet<&'s str>,
) -> bool {
    if done.contains(at) {
        return false;
    }
    if !open.insert(at) {
        return true;
    }
    let found = uses.get(at).is_some_and(|targets| targets.iter().any(|next| visits_itself(next, uses, done, open)));
    open.remove(at);
    done.insert(at);
    found
}

/// The references in a schema.
fn references(schema: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = vec![schema];
    while let Some(value) = rest.pop() {
        match value {
            Value::Object(fields) => {
                // A property may be called `$ref`. Its value is an object, then.
                found.extend(fields.get("$ref").and_then(Value::as_str));
                rest.extend(
                    fields
                        .iter()
                        .filter(|(name, _)| !matches!(name.as_str(), "enum" | "const" | "default"))
                        .map(|(_, value)| value),
                );
            }
            Value::Array(values) => rest.extend(values),
            _ => {}
        }
    }
    found
}

/// What becomes of a tool's parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parameters {
    /// They stay as they are.
    AsTheyAre,
    /// They are written anew, as an object.
    Anew(Value),
    /// They are no object, or may be something else. The text says why they are refused.
    Refused(&'static str),
}

/// The parameters of a tool (`docs/TRANSLATION.md` section 2.2). All keywords stay, but the top level has to be an
/// object.
pub(super) fn parameters(schema: &str) -> Parameters {
    let mut fields: Map<String, Value> = match top_level(schema) {
        Ok(true) => return Parameters::AsTheyAre,
        Ok(false) => match serde_json::from_str(schema) {
            Ok(fields) => fields,
            Err(_) => return Parameters::Refused("must be a JSON object"),
        },
        Err(words) => return Parameters::Refused(words),
    };
    fields.insert("type".to_owned(), Value::from("object"));
    fields.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    Parameters::Anew(Value::Object(fields))
}

/// Whether a schema says at its top level that it is an object. What lies deeper is not built.
fn top_level(schema: &str) -> Result<bool, &'static str> {
    #[derive(Deserialize)]
    struct Top<'s> {
        #[serde(borrow, default)]
        r#type: Text<'s>,
        properties: Option<IgnoredAny>,
        #[serde(rename = "anyOf")]
        any_of: Option<IgnoredAny>,
        #[serde(rename = "oneOf")]
        one_of: Option<IgnoredAny>,
        #[serde(rename = "allOf")]
        all_of: Option<IgnoredAny>,
    }
    let top: Top<'_> = serde_json::from_str(schema).map_err(|_| "must be a JSON object")?;
    if top.any_of.is_some() || top.one_of.is_some() || top.all_of.is_some() {
        return Err("must not have anyOf, oneOf or allOf at the top level");
    }
    match top.r#type.as_str() {
        "object" => Ok(top.properties.is_some()),
        "" => Ok(false),
        _ => Err("must be of type object"),
    }
}
