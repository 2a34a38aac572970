//! Whether a part of a provider's stream says anything.

use serde_json::Value;

/// Whether `value` says nothing: it is null or empty, or all that it holds says nothing. Fields named in `aside` do not
/// count.
pub(super) fn is_blank(value: &Value, aside: &[&str]) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(|value| is_blank(value, aside)),
        Value::Object(fields) => {
            fields.iter().all(|(name, value)| aside.contains(&name.as_str()) || is_blank(value, aside))
        }
    }
}
