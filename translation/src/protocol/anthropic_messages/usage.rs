//! Token counts (Messages API reference, `usage`; `docs/TRANSLATION.md` sections 3 and 4.6).

use std::sync::LazyLock;

use memchr::memmem::FinderRev;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::lenient::{Count, List, Object, Text};
use crate::ir::Usage;

/// `usage` as a provider sends it, whole or in pieces.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wire<'a> {
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
    cache_creation: Object<CacheCreation>,
    output_tokens_details: Object<OutputDetails>,
    #[serde(borrow)]
    service_tier: Text<'a>,
    #[serde(borrow)]
    iterations: List<Object<Iteration<'a>>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Count,
}

/// One of the requests that the provider made of this one: for a compaction, an advisor, or a model to fall back on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Iteration<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
    output_tokens: Count,
}

impl Wire<'_> {
    /// OpenAI's word for the tier that served the answer.
    pub(super) fn service_tier(&self) -> Option<&'static str> {
        match self.service_tier.as_str() {
            "standard" => Some("default"),
            "priority" => Some("priority"),
            _ => None,
        }
    }
}

/// Counts that are merged over a stream. A later one replaces an earlier one and is never added to it
/// (`docs/TRANSLATION.md` section 4.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

impl Counts {
    /// Takes what `usage` says.
    pub(super) fn merge(&mut self, usage: &Wire<'_>) {
        let cache = usage.cache_creation.0.unwrap_or_default();
        let by_age = [cache.ephemeral_5m_input_tokens.0, cache.ephemeral_1h_input_tokens.0];
        let written = by_age.into_iter().flatten().reduce(u64::saturating_add);
        let over = |known: &mut Option<u64>, new: Option<u64>| *known = new.or(*known);
        over(&mut self.input, usage.input_tokens.0);
        over(&mut self.cache_write, usage.cache_creation_input_tokens.0.or(written));
        over(&mut self.cache_write_1h, cache.ephemeral_1h_input_tokens.0);
        over(&mut self.cache_read, usage.cache_read_input_tokens.0);
        over(&mut self.output, usage.output_tokens.0);
        over(&mut self.reasoning, usage.output_tokens_details.0.and_then(|details| details.thinking_tokens.0));
        self.iterations(usage.iterations.0.as_deref().unwrap_or_default());
    }

    /// Where there are iterations, the top level counts the last one only, unless another model took over.
    fn iterations(&mut self, iterations: &[Object<Iteration<'_>>]) {
        let iterations = || iterations.iter().filter_map(|iteration| iteration.0.as_ref());
        if iterations().any(|iteration| iteration.r#type.as_str() == "fallback_message") {
            return;
        }
        let counted = || iterations().filter(|one| matches!(one.r#type.as_str(), "message" | "compaction"));
        if counted().next().is_none() {
            return;
        }
        let sum = |count: fn(&Iteration<'_>) -> Count| {
            counted().filter_map(|iteration| count(iteration).0).reduce(u64::saturating_add)
        };
        self.input = sum(|one| one.input_tokens).or(self.input);
        self.output = sum(|one| one.output_tokens).or(self.output);
        self.cache_read = sum(|one| one.cache_read_input_tokens).or(self.cache_read);
        self.cache_write = sum(|one| one.cache_creation_input_tokens).or(self.cache_write);
    }

    /// The usage that the counts come to. None where neither side was counted.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let cached = self.cache_read.unwrap_or_default();
        let cache_write = self.cache_write.unwrap_or_default();
        let usage = Usage {
            capped: false,
            input_image: 0,
            output_image: 0,
            // Anthropic counts the three apart.
            input: self.input.unwrap_or_default().saturating_add(cached).saturating_add(cache_write),
            cached,
            cache_write,
            cache_write_1h: self.cache_write_1h.unwrap_or_default(),
            input_audio: 0,
            output: self.output.unwrap_or_default(),
            reasoning: self.reasoning.unwrap_or_default(),
            output_audio: 0,
        };
        Some(usage.fitted())
    }
}

/// The usage that a single `usage` tells.
pub(super) fn of(usage: &Wire<'_>) -> Option<Usage> {
    let mut counts = Counts::default();
    counts.merge(usage);
    counts.usage()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    usage: Object<Wire<'a>>,
}

/// The usage that a whole answer reports. An answer of `count_tokens` is a count, and costs nothing.
///
/// # Errors
/// When the body is not JSON.
pub(super) fn of_answer(body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
    match serde_json::from_slice::<Answer<'_>>(body) {
        Ok(answer) => Ok(answer.usage.0.as_ref().and_then(of)),
        Err(error) if error.is_data() => serde_json::from_slice::<IgnoredAny>(body).map(|_| None),
        Err(error) => Err(error),
    }
}

static LAST_USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new(br#""usage""#));

/// The usage in the tail of an answer: the last object in a field of that name.
pub(super) fn in_tail(tail: &[u8]) -> Option<Usage> {
    let at = LAST_USAGE.rfind(tail)?;
    let rest = tail[at + br#""usage""#.len()..].trim_ascii_start().strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Object<Wire<'_>>>();
    values.next()?.ok()?.0.as_ref().and_then(of)
}

/// `usage` as a client gets it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Out {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation: OutCreation,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutDetails {
    thinking_tokens: u64,
}

impl Out {
    /// `usage` in Anthropic's way of counting. Clients want all fields to be integers, so what is not known is 0.
    pub(super) fn new(usage: Option<&Usage>, tier: Option<&str>) -> Self {
        let usage = usage.copied().unwrap_or_default();
        let an_hour = usage.cache_write_1h.min(usage.cache_write);
        Self {
            input_tokens: usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cached,
            cache_creation: OutCreation {
                ephemeral_5m_input_tokens: usage.cache_write - an_hour,
                ephemeral_1h_input_tokens: an_hour,
            },
            output_tokens: usage.output,
            output_tokens_details: (usage.reasoning > 0).then_some(OutDetails { thinking_tokens: usage.reasoning }),
            service_tier: match tier {
                Some("default") => Some("standard"),
                Some("priority") => Some("priority"),
                _ => None,
            },
        }
    }
}
