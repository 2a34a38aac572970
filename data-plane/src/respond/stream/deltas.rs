//! Takes secrets out of a text that comes in the deltas of several events.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use translation::Format;

use crate::provider::redact::{Leak, TextRedactor};

/// The text in the deltas of a stream.
pub(super) struct Deltas {
    /// The fields that hold text, as they stand in an event.
    fields: &'static [&'static str],
    /// The field that held the text before.
    field: Option<&'static str>,
    redactor: TextRedactor,
    /// The event before and the place of its text, where the end of that is held back.
    before: Option<(Bytes, Range<usize>)>,
}

impl Deltas {
    /// The text of a stream of `format`.
    pub(super) fn new(format: Format) -> Self {
        let fields = format.facts().delta_fields;
        Self { fields, field: None, redactor: TextRedactor::default(), before: None }
    }

    /// What goes to the client for `event`. None where that is the event as it is.
    pub(super) fn push(&mut self, leak: &Leak, event: &Bytes) -> Option<Bytes> {
        let Some((field, place)) = self.text(event) else {
            // A ping or a comment does not end the text.
            let data = self.before.is_some() && memmem::find(event, b"\"ping\"").is_none() && event.contains(&b'{');
            return if data { self.finish().map(|rest| [rest, event.clone()].concat().into()) } else { None };
        };
        let rest = if self.field == Some(field) { None } else { self.finish() };
        self.field = Some(field);
        let text = self.redactor.push(leak, &event[place.clone()]);
        self.before = self.redactor.holds().then(|| (event.clone(), place.clone()));
        match (rest, text) {
            (None, None) => None,
            (rest, text) => {
                let text = text.unwrap_or_else(|| event[place.clone()].to_vec());
                let rest = rest.unwrap_or_default();
                Some([&rest[..], &event[..place.start], &text, &event[place.end..]].concat().into())
            }
        }
    }

    /// An event with what was held back of the text, which is at its end.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        let held = self.redactor.finish();
        let (event, place) = self.before.take()?;
        Some([&event[..place.start], &held, &event[place.end..]].concat().into())
    }

    /// The first text of `event` that is not empty, and the field that holds it.
    fn text(&self, event: &[u8]) -> Option<(&'static str, Range<usize>)> {
        self.fields.iter().find_map(|field| {
            memmem::find_iter(event, *field).find_map(|at| {
                let start = at + field.len();
                let rest =
                    event[start..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
                let start = event.len() - rest.len();
                let length = length_of_text(rest)?;
                (length > 0).then(|| (*field, start..start + length))
            })
        })
    }
}

/// The length of the JSON string that `bytes` begin within.
fn length_of_text(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', &bytes[at..])?;
        if bytes[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
        if at > bytes.len() {
            return None;
        }
    }
}
