//! Reads the query of a request.

use http::Uri;

/// Whether the query of `uri` says that `name` is `value`.
pub(super) fn has(uri: &Uri, name: &str, value: &str) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(other, its)| other == name && its == value)
}

/// The query without `key`, which may be the client's credential (<https://ai.google.dev/gemini-api/docs/api-key>).
pub(super) fn without_key(query: Option<&str>) -> Option<String> {
    let is_key = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == "key");
    let left: Vec<&str> = query?.split('&').filter(|pair| !is_key(pair)).collect();
    Some(left.join("&")).filter(|query| !query.is_empty())
}
