//! Values as they stand in columns: JSON as text, counts as signed integers, secrets sealed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What `json` wrote in `column`.
pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("{column}: {error}")))
}

/// An unsigned number in a signed column. What does not fit is the largest that does.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number in `column` that its field can hold.
pub(super) fn number<T: TryFrom<i64>>(column: &'static str, number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::Corrupt(format!("{column}: {number} is out of range")))
}

/// A name in `column` that has a meaning.
pub(super) fn named<T>(column: &'static str, name: &str, known: Option<T>) -> Result<T, StoreError> {
    known.ok_or_else(|| StoreError::Corrupt(format!("{column}: {name:?} has no meaning")))
}

/// An empty text is none.
pub(super) fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
