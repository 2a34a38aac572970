//! Values as they stand in columns: JSON as text, counts as signed integers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The JSON text of a value.
pub(super) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The value that [`json`] wrote in `column`.
pub(super) fn from_json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("{column}: {error}")))
}

/// An unsigned number for a signed column. A number that does not fit becomes the largest that does.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number in `column` as the type of its field. A number that does not fit is damaged data.
pub(super) fn number<T: TryFrom<i64>>(column: &'static str, number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::Corrupt(format!("{column}: {number} is out of range")))
}

/// The meaning of a name in `column`. A name without one is damaged data.
pub(super) fn named<T>(column: &'static str, name: &str, known: Option<T>) -> Result<T, StoreError> {
    known.ok_or_else(|| StoreError::Corrupt(format!("{column}: {name:?} has no meaning")))
}

/// The text, or `None` where it is empty.
pub(super) fn some_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// As [`from_json`], for a column that is null in rows from before it existed.
pub(super) fn optional_json<T: DeserializeOwned + Default>(
    column: &'static str,
    text: Option<&str>,
) -> Result<T, StoreError> {
    text.map_or_else(|| Ok(T::default()), |text| from_json(column, text))
}
