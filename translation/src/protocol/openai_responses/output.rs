//! The items of output that a client gets, and the JSON of each (API reference, "The response object", `output`).

use std::io::Write as _;

use serde::Serialize;

use super::document::push;
use crate::ir::{CallKind, Citation};
use crate::names::namespace_of;

/// A text or a refusal that grows.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) refusal: bool,
    pub(super) text: String,
    /// How many characters of text the answer holds before the piece.
    pub(super) base: u64,
    /// The JSON of the annotations, with commas between them.
    pub(super) annotations: Vec<u8>,
    pub(super) annotated: usize,
    /// The JSON of the log probabilities, with commas between them.
    pub(super) logprobs: Vec<u8>,
}

/// A message that grows.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) index: usize,
    pub(super) id: String,
    /// The JSON of the pieces that are whole, with commas between them.
    pub(super) whole: Vec<u8>,
    pub(super) pieces: usize,
    pub(super) open: Option<Piece>,
}

/// A thought that grows.
#[derive(Debug, Default)]
pub(super) struct Thought {
    pub(super) index: usize,
    pub(super) id: String,
    pub(super) text: String,
}

/// A call that grows.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) index: usize,
    pub(super) id: String,
    /// The id that the client calls it by. `id` is that of the item.
    pub(super) known_as: String,
    pub(super) name: String,
    pub(super) kind: CallKind,
    pub(super) arguments: String,
    pub(super) ended: bool,
}

#[derive(Serialize)]
struct UrlCitation<'c> {
    r#type: &'static str,
    url: &'c str,
    title: &'c str,
    start_index: u64,
    end_index: u64,
}

/// The annotation for a citation. All of its fields have to be there, or clients refuse the whole answer
/// (`docs/TRANSLATION.md` section 3).
pub(super) fn annotation(citation: &Citation, base: u64) -> Option<Vec<u8>> {
    let url = citation.url.as_deref()?;
    let annotation = UrlCitation {
        r#type: "url_citation",
        url,
        title: citation.title.as_deref().unwrap_or(url),
        start_index: citation.start?.checked_sub(base)?,
        end_index: citation.end?.checked_sub(base)?,
    };
    let mut json = Vec::new();
    push(&mut json, &annotation);
    Some(json)
}

impl Piece {
    /// Appends the piece with `text` in it.
    pub(super) fn write(&self, out: &mut Vec<u8>, text: &str) {
        if self.refusal {
            out.extend_from_slice(b"{\"type\":\"refusal\",\"refusal\":");
            push(out, text);
        } else {
            out.extend_from_slice(b"{\"type\":\"output_text\",\"annotations\":[");
            out.extend_from_slice(&self.annotations);
            out.extend_from_slice(b"],\"logprobs\":[");
            out.extend_from_slice(&self.logprobs);
            out.extend_from_slice(b"],\"text\":");
            push(out, text);
        }
        out.push(b'}');
    }
}

impl Message {
    /// Appends the item.
    pub(super) fn write(&self, out: &mut Vec<u8>, status: &str) {
        let _ = write!(out, "{{\"id\":\"{}\",\"type\":\"message\",\"status\":\"{status}\",\"content\":[", self.id);
        out.extend_from_slice(&self.whole);
        out.extend_from_slice(b"],\"role\":\"assistant\"}");
    }
}

impl Thought {
    /// Appends the item. Its `summary` is empty where the thought has no words.
    pub(super) fn write(&self, out: &mut Vec<u8>, encrypted: Option<&str>) {
        out.extend_from_slice(b"{\"id\":");
        push(out, &self.id);
        out.extend_from_slice(b",\"type\":\"reasoning\",");
        if let Some(encrypted) = encrypted {
            out.extend_from_slice(b"\"encrypted_content\":");
            push(out, encrypted);
            out.push(b',');
        }
        out.extend_from_slice(b"\"summary\":[");
        if !self.text.is_empty() {
            Self::summary(out, &self.text);
        }
        out.extend_from_slice(b"]}");
    }

    /// Appends the one part of the summary, with `text` in it.
    pub(super) fn summary(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(b"{\"type\":\"summary_text\",\"text\":");
        push(out, text);
        out.push(b'}');
    }
}

impl Call {
    /// Appends the item with `arguments` in it.
    pub(super) fn write(&self, out: &mut Vec<u8>, status: &str, arguments: &str) {
        let (r#type, field) = match self.kind {
            CallKind::Function => ("function_call", "arguments"),
            CallKind::Custom => ("custom_tool_call", "input"),
        };
        let _ = write!(out, "{{\"id\":\"{}\",\"type\":\"{type}\",\"status\":\"{status}\",\"{field}\":", self.id);
        push(out, arguments);
        out.extend_from_slice(b",\"call_id\":");
        push(out, &self.known_as);
        let (namespace, name) = namespace_of(&self.name);
        out.extend_from_slice(b",\"name\":");
        push(out, name);
        if let Some(namespace) = namespace {
            out.extend_from_slice(b",\"namespace\":");
            push(out, namespace);
        }
        out.push(b'}');
    }

    /// The name of the call's events, before `.delta` and `.done`.
    pub(super) fn events(&self) -> &'static str {
        match self.kind {
            CallKind::Function => "response.function_call_arguments",
            CallKind::Custom => "response.custom_tool_call_input",
        }
    }
}
