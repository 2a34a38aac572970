//! The tier of service that an answer says it was given, for answers that pass through as they are.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::Value;

static OPENAI: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""service_tier""#));
static GEMINI: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""serviceTier""#));

/// The places where the formats say it: OpenAI's answers, its events of the Responses API, Anthropic's usage and its
/// first event, Gemini's usage, Bedrock's answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(alias = "serviceTier")]
    service_tier: Option<Value>,
    #[serde(alias = "usageMetadata")]
    usage: Option<Counts>,
    #[serde(alias = "message")]
    response: Option<Inner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner {
    service_tier: Option<Value>,
    usage: Option<Counts>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    #[serde(alias = "serviceTier")]
    service_tier: Option<Value>,
}

/// The provider's word for the tier in `json`, which is a whole answer or the data of one event. A quote within a text
/// is escaped, so words of the model are not found. An answer that does not name the field is not parsed.
pub fn service_tier(json: &[u8]) -> Option<String> {
    if OPENAI.find(json).is_none() && GEMINI.find(json).is_none() {
        return None;
    }
    let document: Document = serde_json::from_slice(json).ok()?;
    let of_usage = |usage: Option<Counts>| usage.and_then(|usage| word(usage.service_tier));
    let inner = document.response.unwrap_or_default();
    let said = word(document.service_tier).or_else(|| of_usage(document.usage));
    said.or_else(|| word(inner.service_tier)).or_else(|| of_usage(inner.usage))
}

/// A word, or that in Bedrock's object. `auto` is what was asked for, and says nothing of what was given.
fn word(value: Option<Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text,
        Value::Object(mut object) => object.remove("type")?.as_str()?.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty() && text != "auto")
}

#[cfg(test)]
mod tests;
