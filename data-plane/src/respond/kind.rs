//! What an answer says that it is. A provider's word for that is not passed on where a browser would make a page of it.

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// What is not known to be harmless.
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The media type that `headers` name, in lower case and without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Has `headers` say that the answer is of type `own`, that of its format. What the provider says stays where it says
/// the same.
pub(super) fn set(headers: &mut HeaderMap, own: &'static str) {
    if media_type(headers) != own {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(own));
    }
}

/// Lets `headers` name a type that no browser makes a page of. Anything else becomes a file to be saved.
pub(super) fn make_safe(headers: &mut HeaderMap) {
    if is_safe(&media_type(headers)) {
        return;
    }
    headers.insert(CONTENT_TYPE, BYTES);
    let saved =
        |value: &HeaderValue| value.as_bytes().get(..10).is_some_and(|word| word.eq_ignore_ascii_case(b"attachment"));
    if !headers.get(CONTENT_DISPOSITION).is_some_and(saved) {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
}

fn is_safe(media_type: &str) -> bool {
    const TEXTS: [&str; 5] = ["text/plain", "text/csv", "text/vtt", "text/markdown", "text/event-stream"];
    const DATA: [&str; 5] = [
        "application/json",
        "application/jsonl",
        "application/x-ndjson",
        "application/x-subrip",
        "application/octet-stream",
    ];
    // SVG is XML, which may hold scripts.
    let is_picture = media_type.starts_with("image/") && !media_type.contains("xml");
    let is_sound_or_film = media_type.starts_with("audio/") || media_type.starts_with("video/");
    let is_json = media_type.starts_with("application/") && media_type.ends_with("+json");
    TEXTS.contains(&media_type) || DATA.contains(&media_type) || is_picture || is_sound_or_film || is_json
}

#[cfg(test)]
mod tests;
