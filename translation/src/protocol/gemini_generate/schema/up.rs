//! Puts a schema of the subset into the words of JSON schema.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::protocol::gemini_generate::read::camel;

/// `schema` as JSON schema: types in lower case, `nullable` as a union, counts as numbers. What is JSON schema already
/// stays as it is.
pub(in super::super) fn to_json_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => Value::Object(converted(object)),
        other => other.clone(),
    }
}

fn converted(object: &Map<String, Value>) -> Map<String, Value> {
    let mut to = Map::new();
    let mut nullable = false;
    for (key, value) in object {
        let key = camel(Cow::Borrowed(key));
        match (&*key, value) {
            ("type", Value::String(name)) => {
                if name != "TYPE_UNSPECIFIED" {
                    to.insert("type".to_owned(), Value::from(name.to_ascii_lowercase()));
                }
            }
            ("nullable", value) => nullable = value == &Value::Bool(true),
            // JSON schema knows no order of properties, and an enumeration needs no format.
            ("propertyOrdering", _) => {}
            ("format", Value::String(format)) if format == "enum" => {}
            // The keys are names and not keywords.
            ("properties" | "$defs" | "defs" | "definitions" | "patternProperties", Value::Object(schemas)) => {
                let schemas = schemas.iter().map(|(name, schema)| (name.clone(), to_json_schema(schema))).collect();
                let key = if key == "defs" { "$defs" } else { &*key };
                to.insert(key.to_owned(), Value::Object(schemas));
            }
            ("items" | "additionalProperties" | "not", schema @ Value::Object(_)) => {
                to.insert(key.into_owned(), to_json_schema(schema));
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                to.insert(key.into_owned(), schemas.iter().map(to_json_schema).collect());
            }
            ("ref", value @ Value::String(_)) => {
                to.insert("$ref".to_owned(), value.clone());
            }
            (
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties",
                Value::String(digits),
            ) => {
                // A count may be a text: that is how JSON of protocol buffers has int64.
                let count = digits.parse::<u64>().map_or_else(|_| value.clone(), Value::from);
                to.insert(key.into_owned(), count);
            }
            (_, value) => {
                to.insert(key.into_owned(), value.clone());
            }
        }
    }
    if nullable {
        make_nullable(&mut to);
    }
    to
}

fn make_nullable(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    if let Some(name) = schema.get_mut("type") {
        if name.is_string() {
            *name = json!([name.take(), "null"]);
        }
    } else if let Some(Value::Array(members)) = schema.get_mut("anyOf") {
        members.push(json!({"type": "null"}));
    }
}
