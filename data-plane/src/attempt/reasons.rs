//! Why an attempt brought no answer, in words for the operator.

use std::error::Error;

use http::Uri;

/// `uri` without its query, in which a secret may stand.
pub(super) fn address(uri: &Uri) -> String {
    let scheme = uri.scheme_str().map_or(String::new(), |scheme| format!("{scheme}://"));
    format!("{scheme}{}{}", uri.authority().map_or("", |authority| authority.as_str()), uri.path())
}

/// Why `error` came about, in the words of what lies below.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut words = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Layers repeat each other.
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}
