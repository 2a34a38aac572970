//! Reads the values of fields, and names the field at fault.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ir::{CacheControl, Request, TranslateError};
use crate::json::Json;

/// Keeps a field that has no neutral form.
pub(super) fn extension(request: &mut Request, name: String, value: &RawValue) {
    if let Some(value) = Json::parse(value.get()) {
        request.extensions.push((name, value));
    }
}

/// Reads `cache_control`, which stands at `path`.
pub(super) fn cache(path: &str, value: Option<&RawValue>) -> Result<Option<CacheControl>, TranslateError> {
    #[derive(Deserialize)]
    struct Wire {
        ttl: Option<String>,
    }
    let Some(value) = value else { return Ok(None) };
    let wire: Option<Wire> = read(path, value)?;
    Ok(wire.map(|wire| CacheControl { ttl: wire.ttl }))
}

/// Reads the value at `path`.
pub(super) fn read<'v, T: Deserialize<'v>>(path: &str, value: &'v RawValue) -> Result<T, TranslateError> {
    serde_json::from_str(value.get()).map_err(|error| {
        let mut words = error.to_string();
        // The position is one within the value, so it is of no use to the client.
        if let Some(at) = words.rfind(" at line ") {
            words.truncate(at);
        }
        TranslateError::invalid(path, format!("{path}: {words}"))
    })
}

pub(super) fn required(path: impl Into<Cow<'static, str>>) -> TranslateError {
    let path = path.into();
    TranslateError::invalid(path.clone(), format!("{path}: Field required"))
}
