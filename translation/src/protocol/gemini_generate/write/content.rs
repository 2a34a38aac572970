//! A piece of the conversation, and the calls of tools in it.

use std::collections::HashMap;

use serde::Serialize;

use super::writer::Writer;
use crate::protocol::gemini_generate::part::Written;
use crate::protocol::gemini_generate::read::MADE_UP;

#[derive(Serialize)]
pub(super) struct Content<'a> {
    pub(super) role: &'static str,
    pub(super) parts: Vec<Written<'a>>,
    #[serde(skip)]
    pub(super) kind: Kind,
    /// Whether a call stands in it already.
    #[serde(skip)]
    pub(super) called: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Model,
    /// Results of tools and nothing else: newer models refuse other parts beside them.
    Results,
}

/// The names of the functions that the conversation has called so far, by the ids of the calls. Where an id comes
/// again, the latest call counts.
pub(super) type Calls<'r> = HashMap<&'r str, &'r str>;

/// Appends `part`: to the last content if that is of the same kind, or else to a new one.
pub(super) fn push<'r>(contents: &mut Vec<Content<'r>>, kind: Kind, part: Written<'r>) {
    match contents.last_mut() {
        Some(last) if last.kind == kind => last.parts.push(part),
        _ => {
            let role = if kind == Kind::Model { "model" } else { "user" };
            contents.push(Content { role, parts: vec![part], kind, called: false });
        }
    }
}

/// A call's id, where the model takes ids. An id that this gateway made up is not sent.
pub(super) fn id<'r>(writer: &Writer<'r>, id: &'r str) -> Option<&'r str> {
    (writer.target.facts.call_ids && !id.starts_with(MADE_UP)).then_some(id)
}
