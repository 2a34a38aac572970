//! Cleans the history that a client sends to a provider of its own format from what other families left in it. The
//! provider refuses fields that it does not know, and ids beyond its bounds (`docs/TRANSLATION.md` sections 10 and 11).
//!
//! Where nothing has to be cleaned, the bytes stay as they are, which costs a search. Otherwise only the messages that
//! are cleaned are written anew.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use super::raw::{Edit, RawObject, edit_list, edit_object, list, string};
use crate::json::quoted;
use crate::names::{Mapping, Rule};

/// Stands in an id of a tool call before a signature of Gemini's, by the convention of some gateways.
const IN_ID: &str = "__thought__";

/// How deep parts are looked for below a message: a message has parts, and the result of a tool has parts. What is
/// nested deeper is no history, and is passed on as it is. Each level is read once more for the one around it.
const DEEPEST: usize = 4;

/// Begins what a foreign field, a foreign part or a signature in an id looks like.
static TRACES: LazyLock<[Finder<'static>; 6]> = LazyLock::new(|| {
    ["\"reasoning", "thinking", "signature\"", "provider_specific_fields", "extra_content", IN_ID].map(Finder::new)
});

/// How a format's history is cleaned.
pub(super) struct Cleaning {
    /// The fields of messages, of their parts and of their calls that the provider does not know.
    pub(super) fields: &'static [&'static str],
    /// What the provider allows in ids of calls. None: anything.
    pub(super) ids: Option<Rule>,
    /// The fields of a message or part that hold the id of a call.
    pub(super) id_fields: &'static [&'static str],
    /// The fields of a message that hold calls or parts.
    pub(super) inner: &'static [&'static str],
    /// Whether an element of the list, or a field of it, has to go for a reason of the format's own.
    pub(super) own: fn(&RawObject<'_>) -> Own,
}

/// What a format says of an element of the history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// Nothing.
    Keep,
    /// The element goes.
    Remove,
    /// Its `id` goes.
    RemoveId,
}

/// Types of parts that hold thoughts of other families.
const THOUGHTS: [&str; 2] = ["thinking", "redacted_thinking"];

impl Cleaning {
    /// The text `messages` without what other families left. None where nothing has to be cleaned.
    pub(super) fn clean(&self, messages: &str, always: bool) -> Option<String> {
        let traces = || TRACES.iter().any(|trace| trace.find(messages.as_bytes()).is_some());
        let foreign = always || (!self.fields.is_empty() && traces());
        if !foreign && !self.holds_long_ids(messages) {
            return None;
        }
        let messages = list(messages)?;
        let mut ids = self.ids.map(Mapping::new);
        if let Some(ids) = &mut ids {
            let mut found = Vec::new();
            for message in &messages {
                self.find_ids(message, &mut found, 0);
            }
            ids.reserve(found.iter().map(|id| bare(id)));
        }
        edit_list(&messages, |message| self.element(message, &mut ids, 0))
    }

    /// Whether an id stands in the text that the provider does not allow. It may be another id than that of a call.
    fn holds_long_ids(&self, text: &str) -> bool {
        let Some(rule) = &self.ids else { return false };
        memmem::find_iter(text.as_bytes(), b"id\"").any(|at| {
            let rest = text[at + "id\"".len()..].trim_start().strip_prefix(':').map(str::trim_start);
            let id = rest.and_then(|rest| rest.strip_prefix('"')).and_then(|rest| rest.split('"').next());
            id.is_some_and(|id| !id.is_empty() && !rule.fits(id))
        })
    }

    fn find_ids<'a>(&self, element: &'a str, found: &mut Vec<Cow<'a, str>>, depth: usize) {
        let Some(object) = RawObject::read(element) else { return };
        if self.is_part_with_id(&object) {
            found.extend(self.id_fields.iter().filter_map(|name| object.string(name)));
        }
        if depth == DEEPEST {
            return;
        }
        for inner in self.inner.iter().filter_map(|name| list(object.get(name)?)) {
            for element in inner {
                self.find_ids(element, found, depth + 1);
            }
        }
    }

    /// Whether the id fields of the object are those of a call. `id` alone may be that of anything, such as a sound.
    fn is_part_with_id(&self, object: &RawObject<'_>) -> bool {
        let r#type = object.string("type");
        let called = ["function", "custom", "tool_use", "function_call", "custom_tool_call"];
        self.id_fields.iter().any(|name| *name != "id" && object.get(name).is_some())
            || r#type.as_deref().is_some_and(|r#type| called.contains(&r#type))
            || object.get("function").is_some()
    }

    /// Cleans what lies `depth` levels below a message.
    fn element(&self, element: &str, ids: &mut Option<Mapping>, depth: usize) -> Edit {
        let within = depth > 0;
        let Some(object) = RawObject::read(element) else { return Edit::Keep };
        // Some vendors have parts for thoughts themselves.
        let foreign = within
            && self.fields.contains(&"thinking")
            && object.string("type").is_some_and(|r#type| THOUGHTS.contains(&&*r#type));
        let own = if within { Own::Keep } else { (self.own)(&object) };
        if foreign || own == Own::Remove {
            return Edit::Remove;
        }
        let of_call = self.is_part_with_id(&object);
        let edited = edit_object(&object, |name, value| match name {
            _ if self.fields.contains(&name) => Edit::Remove,
            "id" if own == Own::RemoveId => Edit::Remove,
            _ if of_call && self.id_fields.contains(&name) => fitted(value, ids),
            _ if depth < DEEPEST && self.inner.contains(&name) => match list(value) {
                Some(inner) => {
                    let edited = edit_list(&inner, |element| self.element(element, ids, depth + 1));
                    edited.map_or(Edit::Keep, |text| Edit::Set(if text == "[]" { "\"\"".to_owned() } else { text }))
                }
                None => Edit::Keep,
            },
            // Some put signatures beside the name of the function.
            "function" if within => match RawObject::read(value) {
                Some(function) => {
                    edit_object(
                        &function,
                        |name, _| {
                            if self.fields.contains(&name) { Edit::Remove } else { Edit::Keep }
                        },
                    )
                    .map_or(Edit::Keep, Edit::Set)
                }
                None => Edit::Keep,
            },
            _ => Edit::Keep,
        });
        edited.map_or(Edit::Keep, Edit::Set)
    }
}

/// The id without a signature that stands behind it.
fn bare(id: &str) -> &str {
    id.split_once(IN_ID).map_or(id, |(bare, _)| bare)
}

fn fitted(value: &str, ids: &mut Option<Mapping>) -> Edit {
    let (Some(id), Some(ids)) = (string(value), ids) else { return Edit::Keep };
    if id.is_empty() {
        return Edit::Keep;
    }
    let mapped = ids.map(bare(&id));
    if mapped == *id { Edit::Keep } else { Edit::Set(quoted(&mapped)) }
}

#[cfg(test)]
mod tests;
