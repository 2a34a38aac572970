//! The name of a model in a request.

use translation::ir::TranslateError;

use crate::error::GatewayError;

/// Longest name of a model, in bytes. Config bounds names alike.
pub const LONGEST_MODEL: usize = 256;

/// The error for a request that names no model, to an endpoint that has none by default.
pub fn missing_model() -> GatewayError {
    let problem = "the field 'model' is missing: name a model, GET /v1/models lists them";
    GatewayError::field(TranslateError::invalid("model", problem))
}

/// Refuses a name that cannot be a model's.
///
/// # Errors
/// [`GatewayError::Field`].
pub fn check_model(model: &str) -> Result<(), GatewayError> {
    if model.len() <= LONGEST_MODEL {
        return Ok(());
    }
    let problem = format!("the field 'model' is longer than {LONGEST_MODEL} bytes: no model has such a name");
    Err(GatewayError::field(TranslateError::invalid("model", problem)))
}
