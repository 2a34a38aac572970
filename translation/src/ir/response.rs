//! A whole answer.

use super::part::Part;
use crate::json::Json;

/// A whole answer in the neutral form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model as the provider resolved it.
    pub model: Option<String>,
    /// When the answer was made, in epoch seconds, where the provider says.
    pub created: Option<u64>,
    /// The answers. A decoder gives at least one, or an error.
    pub choices: Vec<Choice>,
    /// The tokens that it took.
    pub usage: Option<Usage>,
    /// OpenAI's word for the tier that served the request: `default`, `priority`, `flex`.
    pub service_tier: Option<String>,
}

/// One answer of those that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What the model says, in its order.
    pub parts: Vec<Part>,
    /// Why the model stopped.
    pub finish: Option<Finish>,
    /// The stop text that ended the answer.
    pub stop_sequence: Option<String>,
    /// Log probabilities, in OpenAI chat's shape (`{"content": [...]}`).
    pub logprobs: Option<Json>,
}

/// The words of a refusal for which the model gives none.
pub const DECLINED: &str = "The request was refused by the model's safety system.";

impl Choice {
    /// Adds words to an answer that was filtered before it had any: clients show what is said, and an answer of nothing
    /// would be no message.
    #[must_use]
    pub fn with_words(mut self) -> Self {
        let nothing = |part: &Part| match part {
            Part::Thinking { .. } | Part::RedactedThinking(_) | Part::Opaque { .. } => true,
            Part::Text { text, .. } => text.is_empty(),
            _ => false,
        };
        if self.finish == Some(Finish::ContentFilter) && self.parts.iter().all(nothing) {
            self.parts.push(Part::Refusal(DECLINED.to_owned()));
        }
        self
    }
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model had said all, or a stop text came.
    Stop,
    /// The answer reached the limit of tokens, or of the context.
    Length,
    /// The model wants tools called.
    ToolCalls,
    /// The provider's safety rules, or the model itself, declined.
    ContentFilter,
    /// Anthropic's `pause_turn`: a long server-side step wants to be continued.
    Pause,
}

/// The most tokens that a count can be: twice the largest context that any vendor offers. The ledger has the same bound
/// (`shared::tokens`).
pub const MOST_TOKENS: u64 = 20_000_000;

/// What readers make of a negative count, as there is none of this type. [`Usage::fitted`] makes it 0.
pub(crate) const NEGATIVE: u64 = 1 << 62;

/// Token counts. Every count is a part of its sum, whatever the provider's own way of counting is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens in, with those read from and written to a cache.
    pub input: u64,
    /// The part of `input` that was read from the provider's cache.
    pub cached: u64,
    /// The part of `input` that was written to the provider's cache.
    pub cache_write: u64,
    /// The part of `cache_write` that is kept for an hour.
    pub cache_write_1h: u64,
    /// The part of `input` that is sound.
    pub input_audio: u64,
    /// The part of `input` that is images, where the provider says so.
    pub input_image: u64,
    /// Tokens out, with reasoning.
    pub output: u64,
    /// The part of `output` that was spent on reasoning.
    pub reasoning: u64,
    /// The part of `output` that is sound.
    pub output_audio: u64,
    /// The part of `output` that is images, where the provider says so.
    pub output_image: u64,
    /// Whether a count was none that can be: negative, or more than any model takes. It is capped then.
    pub capped: bool,
}

impl Usage {
    /// The counts, with each at most its sum, and at most what can be. Some vendors count otherwise, and the parts have
    /// prices of their own.
    #[must_use]
    pub fn fitted(self) -> Self {
        let mut capped = self.capped;
        let mut possible = |count: u64| {
            capped |= count > MOST_TOKENS;
            let negative = (NEGATIVE..NEGATIVE + NEGATIVE / 2).contains(&count);
            if negative { 0 } else { count.min(MOST_TOKENS) }
        };
        let (input, output) = (possible(self.input), possible(self.output));
        let cached = possible(self.cached).min(input);
        let cache_write = possible(self.cache_write).min(input - cached);
        Self {
            input,
            cached,
            cache_write,
            cache_write_1h: possible(self.cache_write_1h).min(cache_write),
            input_audio: possible(self.input_audio).min(input),
            input_image: possible(self.input_image).min(input),
            output,
            reasoning: possible(self.reasoning).min(output),
            output_audio: possible(self.output_audio).min(output),
            output_image: possible(self.output_image).min(output),
            capped,
        }
    }

    /// Tokens in and out.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

#[cfg(test)]
mod tests;
