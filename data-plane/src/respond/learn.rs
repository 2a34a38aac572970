//! Takes note of the ids in an answer that further requests will name, which are those of responses, files and batches.

use std::sync::Arc;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::route::candidate::Candidate;
use crate::route::owners::{Owner, Owners};

/// Takes note of the ids in one answer.
#[derive(Clone, Debug)]
pub struct Learn {
    owners: Arc<Owners>,
    owner: Owner,
}

/// An object of OpenAI's API, or a list of objects.
#[derive(Deserialize)]
struct Named<'b> {
    #[serde(borrow)]
    id: Option<&'b RawValue>,
    #[serde(borrow)]
    input_file_id: Option<&'b RawValue>,
    #[serde(borrow)]
    output_file_id: Option<&'b RawValue>,
    #[serde(borrow)]
    error_file_id: Option<&'b RawValue>,
    #[serde(borrow)]
    data: Option<&'b RawValue>,
}

impl Learn {
    /// Takes note of the ids in an answer of `candidate`.
    pub fn new(owners: &Arc<Owners>, candidate: &Candidate) -> Self {
        Self { owners: Arc::clone(owners), owner: Owner::of(candidate) }
    }

    /// Takes the ids in a whole answer: its own, those of the files that it names, and those of the objects in a list.
    pub fn whole(&self, body: &[u8]) {
        let Ok(named) = serde_json::from_slice::<Named<'_>>(body) else { return };
        self.take(&named);
        let listed = named.data.and_then(|data| serde_json::from_str::<Vec<Named<'_>>>(data.get()).ok());
        for named in listed.iter().flatten() {
            self.take(named);
        }
    }

    fn take(&self, named: &Named<'_>) {
        let ids = [named.id, named.input_file_id, named.output_file_id, named.error_file_id];
        for id in ids.into_iter().flatten().filter_map(|id| serde_json::from_str::<String>(id.get()).ok()) {
            self.owners.learn(&id, self.owner.clone());
        }
    }

    /// Takes the first id in the beginning of an answer, or in an event of a stream. This is the id of the response.
    /// Gives whether there is one.
    pub fn start(&self, bytes: &[u8]) -> bool {
        let id = first_string(bytes, "id");
        if let Some(id) = id {
            self.owners.learn(id, self.owner.clone());
        }
        id.is_some()
    }
}

/// The first field of that name in `json` whose value is a string without escapes. `json` may be a part of a text. What
/// looks like a field within a string is not found, because its quotes have backslashes before them.
pub fn first_string<'b>(json: &'b [u8], name: &str) -> Option<&'b str> {
    let quoted = format!("\"{name}\"");
    memmem::find_iter(json, &quoted).find_map(|at| {
        let rest = json[at + quoted.len()..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"")?;
        let text = &rest[..memchr::memchr(b'"', rest)?];
        if text.contains(&b'\\') { None } else { std::str::from_utf8(text).ok() }
    })
}

#[cfg(test)]
mod tests;
