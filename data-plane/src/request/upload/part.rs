//! What the header fields of a multipart's part say (RFC 7578, section 4), and the boundary that its `Content-Type`
//! names. Where readers differ in what they make of a text, it is refused.

use http::HeaderValue;
use thiserror::Error;

use crate::request::decisive;

/// Why a part is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PartError {
    /// The header fields are folded, have line ends of their own, or are no header fields.
    #[error("the headers of a part are malformed")]
    Malformed,
    /// The part has no name, or readers make different names of it.
    #[error("a part needs one Content-Disposition, form-data, with one plain name")]
    Name,
    /// The name is one of a decisive field, spelled otherwise, or the part is no plain text field.
    #[error("the field '{0}' must be a plain text field and be spelled like this")]
    Field(&'static str),
    /// The part names further models. An upload is not sent again where it may have been carried out.
    #[error("the field 'models' stands in no upload, because one is not sent again: name one model in 'model'")]
    Models,
}

/// The decisive field that a part with these `headers` is. Each line of them stands behind a line end.
///
/// # Errors
/// [`PartError`].
pub(super) fn decisive_field(headers: &[u8]) -> Result<Option<&'static str>, PartError> {
    let headers = String::from_utf8_lossy(headers);
    let mut disposition = None;
    let mut encoded = false;
    for line in headers.split("\r\n").filter(|line| !line.is_empty()) {
        if line.chars().any(|character| character.is_control() && character != '\t') {
            return Err(PartError::Malformed);
        }
        let (name, value) = line.split_once(':').ok_or(PartError::Malformed)?;
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(PartError::Malformed);
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") {
            if disposition.replace(value).is_some() {
                return Err(PartError::Name);
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            encoded |= !["binary", "8bit", "7bit"].iter().any(|plain| value.eq_ignore_ascii_case(plain));
        } else if name.eq_ignore_ascii_case("content-type") {
            let charset = parameters(value, true).find(|(name, _)| name == "charset");
            let utf8 = |charset: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|it| charset.eq_ignore_ascii_case(it));
            encoded |= charset.is_some_and(|(_, charset)| !utf8(&charset));
        }
    }
    let disposition = disposition.ok_or(PartError::Name)?;
    let kind = disposition.split(';').next().unwrap_or_default().trim();
    let name = only(disposition, "name").ok_or(PartError::Name)?;
    if !kind.eq_ignore_ascii_case("form-data") || name.contains('\\') {
        return Err(PartError::Name);
    }
    if decisive::means_models(&name) {
        return Err(PartError::Models);
    }
    let Some(field) = decisive::meant_by(&name) else { return Ok(None) };
    let is_file = parameters(disposition, true).any(|(name, _)| name.starts_with("filename"));
    if name != field || is_file || encoded { Err(PartError::Field(field)) } else { Ok(Some(field)) }
}

/// The boundary that a `Content-Type` of multipart names. It has 1 to 70 characters (RFC 2046, section 5.1.1). None
/// where it names none, or several.
pub fn boundary(content_type: &HeaderValue) -> Option<String> {
    let value = content_type.to_str().ok()?;
    let kind = value.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = only(value, "boundary")?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let sound = (1..=70).contains(&boundary.len()) && boundary.bytes().all(known) && !boundary.ends_with(' ');
    sound.then_some(boundary)
}

/// The `Content-Type` of a multipart with `boundary`, in the one form that every reader understands.
pub fn content_type(boundary: &str) -> Option<HeaderValue> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"'+_-.".contains(&byte);
    let quote = if boundary.bytes().all(is_token) { "" } else { "\"" };
    HeaderValue::from_str(&format!("multipart/form-data; boundary={quote}{boundary}{quote}")).ok()
}

/// The value of the parameter `wanted`, where there is one of that name, no extended one (RFC 8187), and it is the same
/// whether a backslash escapes what follows it or not.
fn only(value: &str, wanted: &str) -> Option<String> {
    let found = |escapes| -> Vec<_> {
        let named = |name: &str| name == wanted || name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('*'));
        parameters(value, escapes).filter(|(name, _)| named(name)).collect()
    };
    let (escaped, plain) = (found(true), found(false));
    if escaped != plain {
        return None;
    }
    match <[_; 1]>::try_from(escaped) {
        Ok([(name, value)]) if name == wanted => Some(value),
        _ => None,
    }
}

/// The parameters of a header's value, names in lower case. Where a backslash `escapes`, the character behind it stands
/// for itself.
fn parameters(value: &str, escapes: bool) -> impl Iterator<Item = (String, String)> + use<> {
    let mut rest = value;
    let mut found = Vec::new();
    while let Some(at) = rest.find(';') {
        let Some((name, after)) = rest[at + 1..].split_once('=') else { break };
        if let Some(other) = name.rfind(';') {
            // A parameter without a value.
            rest = &rest[at + 1 + other..];
            continue;
        }
        let (value, after) = parameter_value(after.trim_start(), escapes);
        found.push((name.trim().to_ascii_lowercase(), value));
        rest = after;
    }
    found.into_iter()
}

/// A parameter's value, quoted or not, and what follows it.
fn parameter_value(text: &str, escapes: bool) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' if escapes => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests;
