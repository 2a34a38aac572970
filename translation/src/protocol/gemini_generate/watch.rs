//! What metering needs of answers that pass through as they are.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{PromptFeedback, UsageMetadata};
use super::finish::Reason;
use super::lenient::{self, Word};
use crate::ir::Usage;
use crate::protocol::blank::is_blank;
use crate::protocol::contract::{Life, Seen, StreamWatcher};

/// The fields of an answer that metering reads.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Skeleton<'a> {
    #[serde(borrow, deserialize_with = "lenient::list")]
    candidates: Vec<Candidate<'a>>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    prompt_feedback: Option<PromptFeedback<'a>>,
    #[serde(borrow, deserialize_with = "lenient::object")]
    usage_metadata: Option<UsageMetadata<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Candidate<'a> {
    #[serde(borrow, deserialize_with = "lenient::word")]
    finish_reason: Option<Word<'a>>,
}

/// Reads a stream that passes through.
#[derive(Debug)]
pub(super) struct Watcher;

static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""usageMetadata""#));
static LAST_USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(br#""usageMetadata""#));
static FINISH: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""finishReason""#));
static BLOCK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""blockReason""#));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""error""#));

impl StreamWatcher for Watcher {
    fn event(&mut self, data: &Bytes) -> Seen {
        // A quote within a text is escaped, so words of the model are not found.
        if ![&USAGE, &FINISH, &BLOCK, &ERROR].into_iter().any(|finder| finder.find(data).is_some()) {
            return Seen::default();
        }
        let skeletons = if data.trim_ascii_start().starts_with(b"[") {
            serde_json::from_slice::<Vec<Skeleton<'_>>>(data)
        } else {
            serde_json::from_slice::<Skeleton<'_>>(data).map(|skeleton| vec![skeleton])
        };
        let mut seen = Seen::default();
        for skeleton in skeletons.unwrap_or_default() {
            let usage = skeleton.usage_metadata.as_ref().and_then(UsageMetadata::usage);
            seen.usage = usage.or(seen.usage);
            let reasons = skeleton.candidates.iter().filter_map(|candidate| candidate.finish_reason.as_ref());
            let blocked = skeleton.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some());
            seen.finishes |= reasons.filter_map(Reason::of).count() > 0 || blocked;
            seen.error |= skeleton.error.is_some();
        }
        seen
    }
}

/// The usage that a whole answer, or an array of chunks, reports.
///
/// # Errors
/// When the body is not JSON.
pub(super) fn usage(body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Metered<'a> {
        #[serde(borrow, deserialize_with = "lenient::object")]
        usage_metadata: Option<UsageMetadata<'a>>,
    }
    let read = if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<Vec<Metered<'_>>>(body)
    } else {
        serde_json::from_slice::<Metered<'_>>(body).map(|metered| vec![metered])
    };
    match read {
        Ok(metered) => Ok(metered.iter().rev().find_map(|metered| metered.usage_metadata.as_ref()?.usage())),
        Err(error) if error.is_data() => serde_json::from_slice::<IgnoredAny>(body).map(|_| None),
        Err(error) => Err(error),
    }
}

/// The usage in the tail of an answer too large to hold.
pub(super) fn usage_in_tail(tail: &[u8]) -> Option<Usage> {
    let at = LAST_USAGE.rfind(tail)?;
    let rest = tail[at + LAST_USAGE.needle().len()..].trim_ascii_start();
    let value = rest.strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<UsageMetadata<'_>>();
    values.next()?.ok()?.usage()
}

/// How much a chunk says. Gemini's streams may begin with a chunk that holds nothing but counts of tokens.
pub(super) fn life(data: &[u8]) -> Life {
    let Ok(chunk) = serde_json::from_slice::<Value>(data) else { return Life::Nothing };
    if let Some(chunks) = chunk.as_array() {
        return if chunks.is_empty() { Life::Nothing } else { Life::Says };
    }
    let says = |candidate: &Value| {
        !is_blank(&candidate["finishReason"], &[])
            || !is_blank(&candidate["content"]["parts"], &["thought", "thoughtSignature"])
    };
    let said = chunk["candidates"].as_array().is_some_and(|candidates| candidates.iter().any(says));
    if said || !is_blank(&chunk["promptFeedback"]["blockReason"], &[]) || !is_blank(&chunk["error"], &[]) {
        Life::Says
    } else if is_blank(&chunk, &[]) {
        Life::Nothing
    } else {
        Life::Begins
    }
}
