//! Finds the field `model` in a multipart body (RFC 2046, section 5.1; RFC 7578), and where it stands.
//! The body may come in portions of any size. No more of it is held than the headers of a part.
//!
//! Readers of multipart differ in what they forgive, so that a body could show one model to the gateway and another to
//! the provider. Only a body that all of them read alike is served: what stands before the first boundary or behind the
//! last, a boundary that does not begin its line, line ends of another kind, headers that are folded or repeated, and
//! decisive fields that stand twice or are spelled otherwise are refused. Clients send none of that.

use std::ops::Range;

use memchr::memmem;
use memchr::memmem::Finder;
use thiserror::Error;

use super::part::{self, PartError};
use crate::request::decisive;
use crate::request::model::LONGEST_MODEL;

/// The field that decides where an upload goes.
const MODEL: &str = "model";

/// Longest headers of one part, in bytes.
const LONGEST_HEADERS: usize = 8 * 1024;

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
    /// A part whose headers are not read alike everywhere.
    #[error(transparent)]
    Part(#[from] PartError),
    /// Something other than a line end follows a boundary, or something other than a line end precedes it.
    #[error("a boundary does not stand alone in its line")]
    Boundary,
    /// There is text that belongs to no part.
    #[error("there is text before the first boundary or behind the last")]
    Outside,
    /// The name of the model is too long, or no text.
    #[error("the field 'model' is no name of a model")]
    Model,
    /// A field stands twice. Readers differ in which one counts, so that the gateway could allow one model and the
    /// provider run the other.
    #[error("the field '{0}' stands twice in the request")]
    Twice(&'static str),
}

impl ScanError {
    /// The field that is to blame, where one is.
    pub fn param(&self) -> &'static str {
        match self {
            Self::Model => MODEL,
            Self::Twice(field) | Self::Part(PartError::Field(field)) => field,
            Self::Part(PartError::Models) => decisive::MODELS,
            _ => "body",
        }
    }
}

/// Reads a multipart body.
#[derive(Debug)]
pub struct Scanner {
    /// The boundary with the two dashes before it.
    boundary: Finder<'static>,
    /// The same with the line end before it.
    delimiter: Vec<u8>,
    state: State,
    /// What has come and may be the beginning of a boundary or of headers.
    carry: Vec<u8>,
    /// Where `carry` begins, counted from the line end that is imagined before the body.
    at: u64,
    /// The decisive fields that have come.
    seen: Vec<&'static str>,
    /// The text of the field as far as it has come, and where it begins.
    reading: Option<(Vec<u8>, u64)>,
    field: Option<ModelField>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Start,
    /// In a part's body.
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
        Self {
            boundary: Finder::new(format!("--{boundary}").as_bytes()).into_owned(),
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            state: State::Start,
            carry: THOUGHT.to_vec(),
            at: 0,
            seen: Vec::new(),
            reading: None,
            field: None,
        }
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
            State::Start | State::Body => {
                if let Some(found) = self.boundary.find(bytes) {
                    // A line end before a boundary is kept with it, so it stands in `bytes`.
                    let (text, line_end) = bytes[..found].split_last_chunk().ok_or(ScanError::Boundary)?;
                    if line_end != b"\r\n" {
                        return Err(ScanError::Boundary);
                    }
                    self.text(text)?;
                    self.end_field()?;
                    self.state = State::Line;
                    return Ok(Some(found + self.boundary.needle().len()));
                }
                let kept = self.begun(bytes);
                let done = bytes.len() - kept;
                self.text(&bytes[..done])?;
                Ok((done > 0).then_some(done))
            }
            State::Line => {
                let Some(line_end) = bytes.get(..2) else { return Ok(None) };
                self.state = match line_end {
                    b"--" => State::Closed,
                    b"\r\n" => State::Headers,
                    _ => return Err(ScanError::Boundary),
                };
                // The line end is left, because headers end in an empty line even where there are no headers.
                Ok(Some(if self.state == State::Closed { 2 } else { 0 }))
            }
            State::Headers => {
                let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
                    return if bytes.len() > LONGEST_HEADERS { Err(ScanError::Headers) } else { Ok(None) };
                };
                let body = end + 4;
                if let Some(field) = part::decisive_field(&bytes[..end])? {
                    if self.seen.contains(&field) {
                        return Err(ScanError::Twice(field));
                    }
                    self.seen.push(field);
                    if field == MODEL {
                        self.reading = Some((Vec::new(), self.at + body as u64));
                    }
                }
                self.state = State::Body;
                Ok(Some(body))
            }
            State::Closed if bytes.iter().all(u8::is_ascii_whitespace) => Ok(Some(bytes.len())),
            State::Closed => Err(ScanError::Outside),
        }
    }

    /// How many of the last bytes may be the beginning of a boundary, with or without a line end before it.
    fn begun(&self, bytes: &[u8]) -> usize {
        let longest = bytes.len().min(self.delimiter.len() - 1);
        let end = &bytes[bytes.len() - longest..];
        memchr::memchr2_iter(b'\r', b'-', end)
            .map(|at| &end[at..])
            .find(|rest| self.delimiter.starts_with(rest) || self.boundary.needle().starts_with(rest))
            .map_or(0, <[u8]>::len)
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        if self.state == State::Start && bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            return Err(ScanError::Outside);
        }
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

#[cfg(test)]
mod tests;
