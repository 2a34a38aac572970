//! Identifiers. They are UUIDv7 (RFC 9562), which sort by the time they were made.

use std::sync::Arc;

use uuid::Uuid;

/// The id of a group, an upstream key, a proxy key or a node. Cheap to clone.
pub type Id = Arc<str>;

/// A new UUIDv7 in its hyphenated form.
pub fn new_id() -> String {
    Uuid::now_v7().hyphenated().to_string()
}
