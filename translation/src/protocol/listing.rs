//! Lists of models, as providers answer with them. They differ little, and compatible vendors mix them, so there is one
//! reader for all: OpenAI's `{"data": [{"id": …}]}`, Anthropic's, which comes in pages, Gemini's `{"models": [{"name":
//! "models/…"}]}`, and a bare array (Together).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

/// How the names of Gemini's models begin in lists.
const GEMINI_PREFIX: &str = "models/";

/// One page of a list of models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelPage {
    /// The names of the models, as requests have them, each once.
    pub ids: BTreeSet<String>,
    /// The name and the value of the parameter that asks for the next page. None on the last one.
    pub next: Option<(&'static str, String)>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Page {
    data: Option<Vec<Value>>,
    models: Option<Vec<Value>>,
    has_more: bool,
    last_id: Option<String>,
    #[serde(rename = "nextPageToken")]
    next_page_token: Option<String>,
}

impl ModelPage {
    /// Reads `body`. None where it is no list of models.
    pub fn read(body: &[u8]) -> Option<Self> {
        let page = if body.trim_ascii_start().starts_with(b"[") {
            Page { data: serde_json::from_slice(body).ok()?, ..Page::default() }
        } else {
            serde_json::from_slice(body).ok()?
        };
        let after = page.last_id.filter(|_| page.has_more).map(|id| ("after_id", id));
        let token = page.next_page_token.map(|token| ("pageToken", token));
        let next = after.or(token).filter(|(_, value)| !value.is_empty());
        let ids = page.data.or(page.models)?.iter().filter_map(id).collect();
        Some(Self { ids, next })
    }
}

/// The name of a model in a list.
fn id(model: &Value) -> Option<String> {
    let name =
        model.as_str().or_else(|| ["id", "name", "model"].iter().find_map(|field| model.get(field)?.as_str()))?;
    let name = name.strip_prefix(GEMINI_PREFIX).unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests;
