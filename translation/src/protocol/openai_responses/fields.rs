//! The values of fields that a client gives.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::lenient::{Content, maybe};
use crate::ir::TranslateError;

/// Reads the value of a field, or names the field at fault.
pub(super) fn read<'a, T: Deserialize<'a>>(name: &str, value: &'a RawValue) -> Result<T, TranslateError> {
    serde_json::from_str(value.get()).map_err(|error| {
        // The position is one within the value, so it is of no use to the client.
        let error = error.to_string();
        let what = error.split(" at line ").next().unwrap_or_default();
        TranslateError::invalid(name, format!("`{name}` cannot be read: {what}"))
    })
}

/// The items of a list that a client gives, or the field at fault.
pub(super) fn list<'a>(name: &str, value: &'a RawValue) -> Result<Content<'a>, TranslateError> {
    match maybe(value) {
        Some(content @ (Content::Text(_) | Content::List(_))) => Ok(content),
        _ if value.get().starts_with('[') => Ok(Content::None),
        _ => Err(TranslateError::invalid(name, format!("`{name}` must be a text or a list"))),
    }
}
