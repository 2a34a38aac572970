//! A value that fits a JSON schema, always the same for the same schema.
//!
//! Reads what vendors document for tools and structured output: JSON Schema's types, `enum`, `const`, `anyOf`, `allOf`,
//! `$ref` into the document, bounds of numbers, texts and lists, a few formats; and Gemini's upper-case types.

use serde_json::{Map, Value, json};

/// The depth at which a schema that refers to itself is left, as far as it allows that.
const MAX_DEPTH: usize = 12;

/// The depth below which only required properties are filled in.
const SHALLOW: usize = 4;

/// A value that fits `schema`.
pub(crate) fn example(schema: &Value) -> Value {
    fit(schema, schema, 0)
}

fn fit(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|path| resolve(root, path)) {
        return fit(target, root, depth + 1);
    }
    if let Some(choices) = ["anyOf", "oneOf"].iter().find_map(|name| schema.get(name)?.as_array()) {
        let first = choices.iter().find(|choice| kind(choice) != "null" || choice.get("$ref").is_some());
        return first.map_or(Value::Null, |choice| fit(choice, root, depth + 1));
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts.iter().map(|part| fit(part, root, depth + 1)) {
            match part {
                Value::Object(fields) => whole.extend(fields),
                other => return other,
            }
        }
        return Value::Object(whole);
    }
    match kind(schema).as_str() {
        "string" => Value::String(text(schema)),
        "integer" | "number" => number(schema),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let item = schema.get("items").map(|items| fit(items, root, depth + 1));
            (0..least).map(|_| item.clone().unwrap_or(Value::Null)).collect()
        }
        _ => object(schema, root, depth),
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut fields: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| depth < SHALLOW || required.contains(&name.as_str()))
        .map(|(name, property)| (name.clone(), fit(property, root, depth + 1)))
        .collect();
    for name in required {
        fields.entry(name).or_insert_with(|| json!("Paris"));
    }
    Value::Object(fields)
}

/// The type, in lower case. In a list of types, the first that is not null counts.
fn kind(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(kind)) => kind.to_lowercase(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null").to_lowercase()
        }
        _ if schema.get("items").is_some() => "array".to_owned(),
        _ => String::new(),
    }
}

fn text(schema: &Value) -> String {
    let mut text = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-11-23T10:00:00Z",
        Some("date") => "2026-11-23",
        Some("time") => "10:00:00Z",
        Some("duration") => "P1D",
        Some("email") => "paris@example.com",
        Some("hostname") => "example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("uuid") => "01234567-89ab-7def-8123-456789abcdef",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        _ => "Paris",
    }
    .to_owned();
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    while bound("minLength").is_some_and(|least| text.len() < least.min(10_000)) {
        text.push('s');
    }
    if let Some(most) = bound("maxLength") {
        text.truncate(most);
    }
    text
}

fn number(schema: &Value) -> Value {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    let least =
        bound("minimum").into_iter().chain(bound("exclusiveMinimum").map(|bound| bound.saturating_add(1))).max();
    let most = bound("maximum").into_iter().chain(bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1))).min();
    let mut value = least.map_or(1, |least| least.max(1));
    value = most.map_or(value, |most| value.min(most));
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0) {
        value = value.saturating_add(step - 1) / step * step;
    }
    json!(value)
}

/// A reference of the form `#/$defs/name`.
fn resolve<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    root.pointer(path.strip_prefix('#')?)
}
