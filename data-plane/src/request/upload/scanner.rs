//! Finds the field `model` in a multipart body (RFC 2046, section 5.1; RFC 7578), and where it stands.
//! The body may come in portions of any size. No more of it is held than the headers of a part.

use std::ops::Range;

use http::HeaderValue;
use memchr::memmem;
use memchr::memmem::Finder;
use thiserror::Error;

use crate::request::model::LONGEST_MODEL;

/// The field that decides where an upload goes.
const MODEL: &str = "model";

/// Longest headers of one part, in bytes.
const LONGEST_HEADERS: usize = 8 * 1024;

/// Longest white space between a boundary and the end of its line, in bytes.
const LONGEST_PADDING: usize = 256;

/// The field that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelField {
    /// The text of the field.
    pub value: String,
    /// Where the text stands in the body.
    pub range: Range<u64>,
}

/// Why a body is no multipart that can be served.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ScanError {
    /// The headers of a part do not end.
    #[error("the headers of a part are too long")]
    Headers,
    /// Something other than white space follows a boundary.
    #[error("a boundary is malformed")]
    Boundary,
    /// The name of the model is too long, or no text.
    #[error("the field 'model' is no name of a model")]
    Model,
    /// The field stands twice. Readers differ in which one counts, so that the gateway could allow one model and the
    /// provider run the other.
    #[error("the field 'model' stands twice in the request")]
    Twice,
}

/// Reads a multipart body.
#[derive(Debug)]
pub struct Scanner {
    /// The boundary with what comes before it.
    delimiter: Finder<'static>,
    state: State,
    /// What has come and may be the beginning of a boundary or of headers.
    carry: Vec<u8>,
    /// Where `carry` begins, counted from the line end that is imagined before the body.
    at: u64,
    /// The text of the field as far as it has come, and where it begins.
    reading: Option<(Vec<u8>, u64)>,
    field: Option<ModelField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary, or in a part's body.
    Body,
    /// Behind a boundary, in its line.
    Line,
    Headers,
    /// Behind the closing boundary.
    Closed,
}

/// A line end that is imagined before the body, so that the first boundary stands behind a line end like the others.
const THOUGHT: &[u8] = b"\r\n";

impl Scanner {
    /// Reads a body with that boundary.
    pub fn new(boundary: &str) -> Self {
        let delimiter = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        Self { delimiter, state: State::Body, carry: THOUGHT.to_vec(), at: 0, reading: None, field: None }
    }

    /// The field. None until it has come whole.
    pub fn field(&self) -> Option<&ModelField> {
        self.field.as_ref()
    }

    /// Whether the closing boundary has come.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Takes the next portion.
    ///
    /// # Errors
    /// [`ScanError`].
    pub fn push(&mut self, portion: &[u8]) -> Result<(), ScanError> {
        let carried = std::mem::take(&mut self.carry);
        let joined;
        let bytes = if carried.is_empty() {
            portion
        } else {
            joined = [&*carried, portion].concat();
            &*joined
        };
        let mut from = 0;
        while from < bytes.len() {
            let Some(used) = self.step(&bytes[from..])? else { break };
            from += used;
            self.at += used as u64;
        }
        self.carry = bytes[from..].to_vec();
        Ok(())
    }

    /// Reads on in `bytes`. Gives how many of them are done with. None when more are needed.
    fn step(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        match self.state {
            State::Body => {
                if let Some(end) = self.delimiter.find(bytes) {
                    self.text(&bytes[..end])?;
                    self.end_field()?;
                    self.state = State::Line;
                    return Ok(Some(end + self.delimiter.needle().len()));
                }
                let kept = self.begun(bytes);
                let done = bytes.len() - kept;
                self.text(&bytes[..done])?;
                Ok((done > 0).then_some(done))
            }
            State::Line => {
                if bytes.starts_with(b"--") {
                    self.state = State::Closed;
                    return Ok(Some(2));
                }
                let Some(end) = memmem::find(bytes, b"\r\n") else {
                    return if bytes.len() > LONGEST_PADDING { Err(ScanError::Boundary) } else { Ok(None) };
                };
                if bytes[..end].iter().any(|byte| !matches!(byte, b' ' | b'\t')) {
                    return Err(ScanError::Boundary);
                }
                self.state = State::Headers;
                // The line end is left, because headers end in an empty line even where there are no headers.
                Ok(Some(end))
            }
            State::Headers => {
                let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
                    return if bytes.len() > LONGEST_HEADERS { Err(ScanError::Headers) } else { Ok(None) };
                };
                let body = end + 4;
                if is_models(&bytes[..end]) {
                    if self.field.is_some() {
                        return Err(ScanError::Twice);
                    }
                    self.reading = Some((Vec::new(), self.at + body as u64));
                }
                self.state = State::Body;
                Ok(Some(body))
            }
            State::Closed => Ok(Some(bytes.len())),
        }
    }

    /// How many of the last bytes may be the beginning of a boundary.
    fn begun(&self, bytes: &[u8]) -> usize {
        let delimiter = self.delimiter.needle();
        let longest = bytes.len().min(delimiter.len() - 1);
        let end = &bytes[bytes.len() - longest..];
        memchr::memchr_iter(b'\r', end)
            .map(|at| &end[at..])
            .find(|rest| delimiter.starts_with(rest))
            .map_or(0, <[u8]>::len)
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        let Some((text, _)) = &mut self.reading else { return Ok(()) };
        if text.len() + bytes.len() > LONGEST_MODEL {
            return Err(ScanError::Model);
        }
        text.extend_from_slice(bytes);
        Ok(())
    }

    fn end_field(&mut self) -> Result<(), ScanError> {
        let Some((text, start)) = self.reading.take() else { return Ok(()) };
        let start = start - THOUGHT.len() as u64;
        let range = start..start + text.len() as u64;
        let value = String::from_utf8(text).map_err(|_| ScanError::Model)?;
        self.field = Some(ModelField { value, range });
        Ok(())
    }
}

/// Whether the headers of a part say that it is the field `model`.
fn is_models(headers: &[u8]) -> bool {
    let headers = String::from_utf8_lossy(headers);
    // A header may go on in a line that begins with white space.
    let headers = headers.replace("\r\n ", " ").replace("\r\n\t", " ");
    headers.split("\r\n").any(|line| {
        let Some((name, value)) = line.split_once(':') else { return false };
        name.trim().eq_ignore_ascii_case("content-disposition")
            && parameters(value).any(|(name, value)| name.trim_end_matches('*') == "name" && names_model(&value))
    })
}

/// Whether a reader could take `name` for `model`. It may be an extended value (RFC 8187).
fn names_model(name: &str) -> bool {
    name.rsplit('\'').next().is_some_and(|name| name == MODEL)
}

/// The parameters of a header's value, names in lower case.
fn parameters(value: &str) -> impl Iterator<Item = (String, String)> {
    let mut rest = value;
    let mut found = Vec::new();
    while let Some(at) = rest.find(';') {
        let Some((name, after)) = rest[at + 1..].split_once('=') else { break };
        if let Some(other) = name.rfind(';') {
            // A parameter without a value.
            rest = &rest[at + 1 + other..];
            continue;
        }
        let (value, after) = parameter_value(after.trim_start());
        found.push((name.trim().to_ascii_lowercase(), value));
        rest = after;
    }
    found.into_iter()
}

/// A parameter's value, quoted or not, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

/// The boundary that a `Content-Type` of multipart names. It has 1 to 70 characters (RFC 2046, section 5.1.1).
pub fn boundary(content_type: &HeaderValue) -> Option<String> {
    let value = content_type.to_str().ok()?;
    let kind = value.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, boundary) = parameters(value).find(|(name, _)| name == "boundary")?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

#[cfg(test)]
mod tests;
