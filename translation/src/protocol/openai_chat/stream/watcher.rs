//! What metering needs of answers that pass through as they are. It is found by search, and parsed only where there is
//! something to read.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::answer::usage::Counts;
use super::super::answer::wire::Groq;
use super::super::soft::{Soft, soft_object};
use crate::ir::Usage;
use crate::protocol::contract::{Seen, StreamWatcher};

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
        seen.error = is_error(data);
        seen.finishes = has_value(&FINISH_REASON, data);
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

fn is_error(data: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        error: Option<IgnoredAny>,
    }
    let start = data.trim_ascii_start();
    let may_be = start.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(br#""error""#));
    may_be && serde_json::from_slice::<Envelope>(data).is_ok_and(|envelope| envelope.error.is_some())
}
