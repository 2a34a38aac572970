//! Reads the values of fields, and names the field at fault.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::super::path;
use crate::ir::TranslateError;
use crate::json::Json;

pub(super) fn required(param: impl Into<String>) -> TranslateError {
    let param = param.into();
    let message = format!("{param}: required");
    TranslateError::invalid(param, message)
}

/// Reads a value that stands at `path`. `null` is absent.
pub(super) fn read<T: DeserializeOwned>(value: &Json, path: &str) -> Result<Option<T>, TranslateError> {
    serde_json::from_str(value.get()).map_err(|error| path::refusal(value.get().as_bytes(), path, &error))
}

/// Reads a value that stands at `path`.
pub(super) fn read_raw<'a, T: serde::Deserialize<'a>>(value: &'a RawValue, path: &str) -> Result<T, TranslateError> {
    serde_json::from_str(value.get()).map_err(|error| path::refusal(value.get().as_bytes(), path, &error))
}
