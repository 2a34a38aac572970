//! Between JSON schema and `Schema`, the subset of OpenAPI 3.0 that Gemini's `parameters` and `responseSchema` take
//! (Gemini API reference, "Schema"; `docs/TRANSLATION.md` section 6.5).
//!
//! - [`resolve`]: takes references and `allOf` apart.
//! - [`down`]: puts what is left into the subset's words.
//! - [`up`]: puts the subset into the words of JSON schema.
//!
//! Nothing here changes its input: the same request may be written for another target.

mod down;
mod resolve;
mod up;

pub(super) use down::{to_openapi, to_parameters};
pub(super) use up::to_json_schema;

#[cfg(test)]
mod tests;
