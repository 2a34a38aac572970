//! What is kept of a proxy key and has no effect, or none yet. What comes into force is taken from here.

use shared::snapshot::ProxyKey;
use shared::time::now_ms;

use crate::web::warnings::FieldWarning;

/// What there is to know about the key.
pub(super) fn of(key: &ProxyKey) -> Vec<FieldWarning> {
    let mut warnings = Vec::new();
    let mut warn = |field: &str, message: &str| warnings.push(FieldWarning::new(field, message));
    if key.expires_at_ms.is_some_and(|expires_at| expires_at <= now_ms()) {
        warn("expiresAt", "has passed: the key is refused");
    }
    warnings
}
