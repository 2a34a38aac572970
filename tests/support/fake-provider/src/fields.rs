//! Fields of a JSON document.

use serde_json::Value;

/// The field `name` of `value` as text.
pub(crate) fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

/// The list in the field `name` of `value`, or an empty one.
pub(crate) fn list_of<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The number of words, which stands for a count of tokens.
pub(crate) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
