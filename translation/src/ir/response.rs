//! A whole answer.

use super::part::Part;
use crate::json::Json;

/// A whole answer in the neutral form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model as the provider resolved it.
    pub model: Option<String>,
    /// Epoch seconds, where the provider says.
    pub created: Option<u64>,
    /// Answers. A decoder gives at least one, or an error.
    pub choices: Vec<Choice>,
    /// What it cost.
    pub usage: Option<Usage>,
    /// OpenAI's word for the tier that served it: `default`, `priority`, `flex`.
    pub service_tier: Option<String>,
}

/// One answer of those that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// What the model says, in its order.
    pub parts: Vec<Part>,
    /// Why it stopped.
    pub finish: Option<Finish>,
    /// Which text ended it.
    pub stop_sequence: Option<String>,
    /// Log probabilities, in OpenAI chat's shape (`{"content": [...]}`).
    pub logprobs: Option<Json>,
}

/// What a model that gives no words for declining is taken to say.
pub const DECLINED: &str = "The request was refused by the model's safety system.";

impl Choice {
    /// With words, where it was filtered before it had any: clients show what is said, and an answer of nothing would
    /// be no message.
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
    /// It had said all, or a stop text came.
    Stop,
    /// The limit of tokens, or of the context.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// The provider's safety rules, or the model itself, declined.
    ContentFilter,
    /// Anthropic's `pause_turn`: a long server-side step wants to be continued.
    Pause,
}

/// Token counts. Every count is a part of its sum, whatever the provider's own way of counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens in, those from and to a cache included.
    pub input: u64,
    /// Of those, read from the provider's cache.
    pub cached: u64,
    /// Of those, written to the provider's cache.
    pub cache_write: u64,
    /// Of `cache_write`, those kept for an hour.
    pub cache_write_1h: u64,
    /// Of `input`, sound.
    pub input_audio: u64,
    /// Tokens out, reasoning included.
    pub output: u64,
    /// Of those, spent on reasoning.
    pub reasoning: u64,
    /// Of `output`, sound.
    pub output_audio: u64,
}

impl Usage {
    /// With every count a part of its sum: some vendors' are not, and prices are of the parts.
    #[must_use]
    pub fn fitted(self) -> Self {
        let cached = self.cached.min(self.input);
        let cache_write = self.cache_write.min(self.input - cached);
        Self {
            cached,
            cache_write,
            cache_write_1h: self.cache_write_1h.min(cache_write),
            input_audio: self.input_audio.min(self.input),
            reasoning: self.reasoning.min(self.output),
            output_audio: self.output_audio.min(self.output),
            ..self
        }
    }

    /// In and out.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

#[cfg(test)]
mod tests;
