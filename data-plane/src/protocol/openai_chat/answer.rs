//! What an answer says of itself: its usage, an error, its end.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// Token counts that a provider reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Tokens in, cached ones included.
    pub input: u64,
    /// Of those, read from the provider's cache.
    pub cached: u64,
    /// Tokens out, reasoning included.
    pub output: u64,
    /// Of those, spent on reasoning.
    pub reasoning: u64,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_tokens.unwrap_or_default(),
            cached: usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or_default(),
            output: usage.completion_tokens.unwrap_or_default(),
            reasoning: usage.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    choices: Option<Vec<IgnoredAny>>,
}

/// The usage that a whole answer reports.
///
/// # Errors
/// When it is not JSON. A usage of another shape counts as none.
pub fn usage(body: &[u8]) -> Result<Option<Tokens>, serde_json::Error> {
    match serde_json::from_slice::<Answer>(body) {
        Ok(answer) => Ok(answer.usage.map(Tokens::from)),
        Err(error) if error.is_data() => serde_json::from_slice::<IgnoredAny>(body).map(|_| None),
        Err(error) => Err(error),
    }
}

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""usage""#));
static LAST_USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(br#""usage""#));
static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""finish_reason""#));

/// The usage in the tail of an answer too large to hold: the last object that is a field of that name.
pub fn usage_in_tail(tail: &[u8]) -> Option<Tokens> {
    let at = LAST_USAGE.rfind(tail)?;
    let value = value_of(&tail[at + br#""usage""#.len()..])?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Usage>();
    values.next()?.ok().map(Tokens::from)
}

/// What one event of a stream is, as far as the gateway has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The usage it reports.
    pub usage: Option<Tokens>,
    /// It reports usage and nothing else: the event that a client gets only if it asked.
    pub only_usage: bool,
    /// It gives a reason why the model stopped.
    pub finishes: bool,
    /// `[DONE]`: nothing follows.
    pub done: bool,
    /// It is an error in place of the rest.
    pub error: bool,
}

/// Reads the data of an event. The usual one costs two searches and no parsing.
pub fn event(data: &Bytes) -> Event {
    let mut event = Event { usage: None, only_usage: false, finishes: false, done: false, error: false };
    if data.trim_ascii() == b"[DONE]" {
        event.done = true;
        return event;
    }
    event.error = is_error(data);
    event.finishes = has_value(&FINISH_REASON, data);
    if has_value(&USAGE, data)
        && let Ok(answer) = serde_json::from_slice::<Answer>(data)
        && let Some(usage) = answer.usage
    {
        event.usage = Some(usage.into());
        event.only_usage = answer.choices.is_none_or(|choices| choices.is_empty());
    }
    event
}

/// Whether a field is there with a value other than null. A quote within a string is escaped, so text of the model is not found.
fn has_value(name: &Finder<'_>, data: &[u8]) -> bool {
    name.find_iter(data)
        .any(|at| value_of(&data[at + name.needle().len()..]).is_some_and(|value| !value.starts_with(b"n")))
}

/// What follows the colon.
fn value_of(rest: &[u8]) -> Option<&[u8]> {
    rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start)
}

fn is_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        error: Option<IgnoredAny>,
    }
    let start = data.trim_ascii_start();
    let may_be = start.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(br#""error""#));
    may_be && serde_json::from_slice::<Envelope>(data).is_ok_and(|envelope| envelope.error.is_some())
}

/// The longest text that is taken from an error answer which is no JSON.
const LONGEST_WORDS: usize = 300;

/// What a provider says in its error answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ProviderError {
    /// Whether it is a document of OpenAI's shape, to be passed on as it stands.
    pub well_formed: bool,
    /// For people.
    pub message: String,
}

/// Reads an error answer: a document with `error.message`, `error`, `message` or `detail` (FastAPI), bare or in an array of one
/// (Gemini's), or else its text.
pub fn provider_error(body: &[u8]) -> ProviderError {
    let Ok(document) = serde_json::from_slice::<Value>(body) else {
        return ProviderError { well_formed: false, message: words(body) };
    };
    let inner = document.get(0).unwrap_or(&document);
    let error = &inner["error"];
    let detail = &inner["detail"];
    let message =
        [&error["message"], error, &inner["message"], detail, &detail[0]["msg"]].into_iter().find_map(Value::as_str);
    ProviderError {
        well_formed: document["error"]["message"].is_string(),
        message: message.unwrap_or_default().to_owned(),
    }
}

/// The beginning of a text, on one line. A page of HTML comes from a proxy in front of the provider, and says nothing of use.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..4 * LONGEST_WORDS).unwrap_or(body));
    if text.trim_start().starts_with('<') {
        return String::new();
    }
    let mut words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    line.truncate(line.floor_char_boundary(LONGEST_WORDS));
    line
}

#[cfg(test)]
mod tests;
