//! JSON schemas as both APIs write them: as the client gave them, or fitted to what structured outputs take.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json::Json;

/// A schema as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::protocol) enum Written<'r> {
    /// As the client gave it.
    AsItIs(&'r Json),
    /// Written by the gateway.
    Anew(Value),
}

/// The schema asks for what structured outputs cannot hold a model to: a map with free keys, a recursion, a reference
/// to elsewhere, or a value of any kind.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Inexpressible;

/// Each value of a map of schemas, fitted by `node`. The keys of the map are names, whatever they look like.
///
/// # Errors
/// When there is a schema that cannot be fitted.
pub(in crate::protocol) fn each(
    schemas: Value,
    node: fn(Value) -> Result<Value, Inexpressible>,
) -> Result<Value, Inexpressible> {
    let Value::Object(schemas) = schemas else { return Err(Inexpressible) };
    let fitted: Result<Map<_, _>, _> =
        schemas.into_iter().map(|(name, schema)| node(schema).map(|schema| (name, schema))).collect();
    fitted.map(Value::Object)
}

/// Adds `words` to the description of a schema, which tells the model what it is not held to.
pub(in crate::protocol) fn describe(schema: &mut Map<String, Value>, words: &[String]) {
    if words.is_empty() {
        return;
    }
    let words = format!("({})", words.join(", "));
    let described = match schema.get("description").and_then(Value::as_str) {
        Some(before) if !before.is_empty() => format!("{before} {words}"),
        _ => words,
    };
    schema.insert("description".to_owned(), Value::String(described));
}
