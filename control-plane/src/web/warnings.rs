//! What was accepted and has no effect, or another than was written. Answers say it, so that nobody has to find it out.

use serde::Serialize;
use utoipa::ToSchema;

/// What there is to know about a field that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldWarning {
    /// Path of the field, such as `models[2]` or `proxyConfig`.
    #[schema(example = "rpmLimit")]
    pub field: String,
    /// What was repaired in the field, or why it has no effect.
    #[schema(example = "is kept, but not in force yet")]
    pub message: String,
}

impl FieldWarning {
    /// A field and what there is to know about it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}
