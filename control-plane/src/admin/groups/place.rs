//! Where a problem of a group stands in its JSON.

use shared::snapshot::SnapshotError;

use crate::web::fields::camel_case;

/// The field that `error` is about, as the JSON names it, and what is wrong with it.
pub(super) fn place(error: SnapshotError) -> (String, String) {
    match error {
        SnapshotError::Invalid { place, problem } => {
            let field = match place.as_str() {
                "name" => "groupName".to_owned(),
                other => {
                    let field = camel_case(other).replace("outboundProxy", "proxyConfig");
                    if field.contains(".own.") {
                        field.replace(".own.", ".")
                    } else {
                        field.replace("upstreamKeys", "apiKeys").replace(".secret", "")
                    }
                }
            };
            (field, problem)
        }
        other => (String::new(), other.to_string()),
    }
}
