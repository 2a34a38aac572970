//! What metering needs of answers that pass through as they are. It is found by search, and parsed only where there is
//! something to read.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::Value;

use super::super::answer::usage::Counts;
use super::super::answer::wire::{Answer, Groq};
use super::super::soft::{FromJson, Soft, soft_object};
use crate::ir::Usage;
use crate::protocol::blank::is_blank;
use crate::protocol::contract::{Life, Seen, StreamWatcher};

/// What is read of an answer, whole or in pieces.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counted {
    usage: Soft<Counts>,
    choices: Soft<Vec<Soft<CountedChoice>>>,
    x_groq: Soft<Groq>,
}

/// A choice, in which Moonshot counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CountedChoice {
    usage: Soft<Counts>,
}

soft_object!(Counted, CountedChoice);

impl Counted {
    /// The token counts, wherever they stand.
    fn counts(self) -> Option<Counts> {
        let in_choices = self.choices.0.into_iter().flatten().filter_map(|choice| choice.0).find_map(|c| c.usage.0);
        self.usage.0.or(in_choices).or_else(|| self.x_groq.0.and_then(|groq| groq.usage.0))
    }
}

/// The usage that a whole answer reports.
///
/// # Errors
/// When the body is not JSON. A usage of another shape counts as none.
pub(in super::super) fn usage(body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
    match serde_json::from_slice::<Soft<Counted>>(body) {
        Ok(answer) => Ok(answer.0.and_then(Counted::counts).map(Into::into)),
        Err(error) if error.is_data() => serde_json::from_slice::<IgnoredAny>(body).map(|_| None),
        Err(error) => Err(error),
    }
}

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""usage""#));
static LAST_USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(br#""usage""#));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""error""#));
static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""finish_reason""#));

/// The usage in the tail of an answer too large to hold: the last object in a field of that name.
pub(in super::super) fn usage_in_tail(tail: &[u8]) -> Option<Usage> {
    let at = LAST_USAGE.rfind(tail)?;
    let value = value_of(&tail[at + br#""usage""#.len()..])?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Soft<Counts>>();
    values.next()?.ok()?.0.map(Usage::from)
}

/// Reads the data of events. The usual one costs two searches and no parsing.
#[derive(Debug, Default)]
pub(in super::super) struct Watcher;

impl StreamWatcher for Watcher {
    fn event(&mut self, data: &Bytes) -> Seen {
        let mut seen = Seen::default();
        if data.trim_ascii() == b"[DONE]" {
            seen.done = true;
            return seen;
        }
        seen.finishes = has_value(&FINISH_REASON, data);
        if seen.finishes || ERROR.find(data).is_some() {
            seen.error = fails(data);
            // A reason that tells a failure is no end of the answer.
            seen.finishes &= !seen.error;
        }
        if has_value(&USAGE, data)
            && let Ok(Soft(Some(answer))) = serde_json::from_slice::<Soft<Counted>>(data)
            && let chooses = answer.choices.0.as_ref().is_some_and(|choices| !choices.is_empty())
            && let Some(usage) = answer.counts()
        {
            seen.usage = Some(usage.into());
            seen.only_usage = !chooses;
        }
        seen
    }
}

/// Whether a field is there with a value other than null. A quote within a string is escaped, so words of the model are
/// not found.
fn has_value(name: &Finder<'_>, data: &[u8]) -> bool {
    name.find_iter(data)
        .any(|at| value_of(&data[at + name.needle().len()..]).is_some_and(|value| !value.starts_with(b"n")))
}

/// What follows the colon.
fn value_of(rest: &[u8]) -> Option<&[u8]> {
    rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start)
}

/// Whether an event says that the provider failed, whatever else it holds.
fn fails(data: &[u8]) -> bool {
    match serde_json::from_slice::<Soft<Answer<'_>>>(data) {
        Ok(Soft(Some(answer))) => answer.fails() || answer.choices.items().any(|choice| choice.failure().is_some()),
        _ => false,
    }
}

/// Whether an event that reports an error holds nothing else. go-openai and Vercel's SDK do not see an error in an
/// event that has `choices` (`docs/CONFORMANCE.md` section 3).
pub(in super::super) fn is_plain_error(data: &[u8]) -> bool {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Plain {
        error: Soft<IgnoredObject>,
        choices: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Plain>(data).is_ok_and(|event| event.error.0.is_some() && event.choices.is_none())
}

/// Any object.
struct IgnoredObject;

impl<'de> FromJson<'de> for IgnoredObject {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Self))
    }
}

/// How much an event says. Vendors send chunks with an empty delta to keep a connection alive.
pub(in super::super) fn life(data: &[u8]) -> Life {
    if data.trim_ascii() == b"[DONE]" {
        return Life::Says;
    }
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return Life::Nothing };
    let choices = event["choices"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !is_blank(&event["error"], &[]) || (choices.is_empty() && event["usage"].is_object()) {
        return Life::Says;
    }
    let of_choice = |choice: &Value| {
        let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
        let said =
            [&choice["finish_reason"], &choice["text"], &choice["error"]].into_iter().all(|value| is_blank(value, &[]));
        match (said && is_blank(delta, &["role"]), is_blank(&delta["role"], &[])) {
            (false, _) => Life::Says,
            (true, false) => Life::Begins,
            (true, true) => Life::Nothing,
        }
    };
    choices.iter().map(of_choice).max().unwrap_or(Life::Nothing)
}
