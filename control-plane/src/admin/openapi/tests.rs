use std::fs;
use std::path::Path;

use super::documented;

/// Set to write the document instead of comparing with it.
const UPDATE: &str = "UPDATE_OPENAPI";

/// The document that clients are generated from is the one that this build serves. A change of it is a change of the
/// public API: `UPDATE_OPENAPI=1 cargo test -p control-plane --lib openapi` writes it anew, for review in the diff.
#[test]
fn the_document_in_the_tree_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut served = documented().1.to_pretty_json().unwrap();
    served.push('\n');
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &served).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(served.lines()).position(|(kept, served)| kept != served);
    let line = differs.unwrap_or_else(|| kept.lines().count().min(served.lines().count())) + 1;
    assert!(kept == served, "{} differs from line {line} on: {UPDATE}=1 writes it anew", path.display());
}
