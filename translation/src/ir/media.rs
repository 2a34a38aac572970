//! Media that a client gives in a URL.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::part::{Media, MediaKind, MediaSource};

/// What a `data:` URL (RFC 2397) holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataUrl {
    /// The media type in lower case, without parameters; `text/plain` where the URL names none.
    pub mime: String,
    /// The content as base64: standard alphabet, without white space.
    pub base64: String,
}

impl DataUrl {
    /// Reads `url`. None where it is no `data:` URL. Base64 is not decoded but only stripped of white space and of
    /// percent-encoding. Other content is encoded as base64.
    pub fn read(url: &str) -> Option<Self> {
        let rest = url.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).map(|_| &url[5..])?;
        let (head, data) = rest.split_once(',')?;
        let mut head = head.split(';').map(str::trim);
        let mime = head.next().filter(|mime| !mime.is_empty()).unwrap_or("text/plain");
        let base64 = if head.any(|parameter| parameter.eq_ignore_ascii_case("base64")) {
            // Some encoders escape what base64 has besides letters and digits.
            if data.contains('%') {
                String::from_utf8_lossy(&percent_decoded(data)).split_ascii_whitespace().collect()
            } else {
                without_space(data).into_owned()
            }
        } else {
            STANDARD.encode(percent_decoded(data))
        };
        Some(Self { mime: normal_mime(mime), base64 })
    }

    /// The content as bytes.
    ///
    /// # Errors
    /// When the content is not base64.
    pub fn decoded(&self) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(&self.base64)
    }
}

impl Media {
    /// A medium at `url`, which may hold the content itself (`data:`). A document in an image's place becomes a
    /// document.
    pub fn at(kind: MediaKind, url: &str) -> Self {
        match DataUrl::read(url) {
            Some(data) => {
                let kind = kind_of(&data.mime).unwrap_or(kind);
                Self::new(kind, MediaSource::Base64(data.base64), Some(data.mime))
            }
            None => Self::new(kind, MediaSource::Url(url.to_owned()), None),
        }
    }
}

impl Media {
    /// The same as [`Self::at`] for a URL that is not needed any more. Content that is base64 already is not copied.
    pub fn at_own(kind: MediaKind, mut url: String) -> Self {
        let Some((start, mime)) = plain_base64(&url) else { return Self::at(kind, url.trim()) };
        url.drain(..start);
        Self::new(kind_of(&mime).unwrap_or(kind), MediaSource::Base64(url), Some(mime))
    }
}

/// Where the content of a `data:` URL begins, and its media type. None unless it is base64 without white space.
fn plain_base64(url: &str) -> Option<(usize, String)> {
    let comma = url.find(',')?;
    let head = url.get(..comma)?;
    let parameters = head.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).map(|_| &head[5..])?;
    let mut parameters = parameters.split(';').map(str::trim);
    let mime = parameters.next().filter(|mime| !mime.is_empty()).unwrap_or("text/plain");
    let encoded = parameters.any(|parameter| parameter.eq_ignore_ascii_case("base64"));
    let data = &url.as_bytes()[comma + 1..];
    let plain = encoded && !data.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'%');
    plain.then(|| (comma + 1, normal_mime(mime)))
}

/// The kind of medium that a media type is of.
pub fn kind_of(mime: &str) -> Option<MediaKind> {
    match mime.split('/').next()? {
        "image" => Some(MediaKind::Image),
        "audio" => Some(MediaKind::Audio),
        "video" => Some(MediaKind::Video),
        "text" => Some(MediaKind::Document),
        _ => (mime == "application/pdf").then_some(MediaKind::Document),
    }
}

/// `mime` in lower case, and under the usual name where a client has another (`image/jpg`).
pub fn normal_mime(mime: &str) -> String {
    let mime = mime.trim().to_ascii_lowercase();
    match mime.as_str() {
        "image/jpg" => "image/jpeg".to_owned(),
        "audio/mp3" => "audio/mpeg".to_owned(),
        "audio/x-wav" | "audio/wave" => "audio/wav".to_owned(),
        _ => mime,
    }
}

/// The media type for the ending of a file's name, or of the path of a URL.
pub fn mime_of_name(name: &str) -> Option<&'static str> {
    let path = name.split(['?', '#']).next()?;
    let extension = path.rsplit('/').next()?.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match extension.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/mp4",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        _ => return None,
    })
}

/// The media type that the first bytes of base64 `data` show.
pub fn mime_of_start(data: &str) -> Option<&'static str> {
    // Enough for the longest of these starts, in whole groups of four letters.
    let start = STANDARD.decode(data.get(..data.len().min(16) / 4 * 4)?).ok()?;
    Some(match start.as_slice() {
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [b'I', b'D', b'3', ..] | [0xff, 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => "audio/mpeg",
        [b'f', b'L', b'a', b'C', ..] => "audio/flac",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [0xff, 0xf1 | 0xf9, ..] => "audio/aac",
        _ => return None,
    })
}

/// `data` without white space, with which some encoders break lines.
pub fn without_space(data: &str) -> Cow<'_, str> {
    if data.bytes().any(|byte| byte.is_ascii_whitespace()) {
        Cow::Owned(data.split_ascii_whitespace().collect())
    } else {
        Cow::Borrowed(data)
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(value) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(value);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    decoded
}

#[cfg(test)]
mod tests;
