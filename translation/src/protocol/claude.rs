//! How Claude is asked to think, at Anthropic as on Bedrock (`docs/TRANSLATION.md` section 2.5).

use crate::facts::ModelFacts;
use crate::format::Format;
use crate::ir::{Effort, Reasoning, Request, Thinking};

/// What the client wants. Its own `thinking` goes before an effort.
pub(super) fn wanted(request: &Request, reasoning: &Reasoning, effort: Option<Effort>) -> Option<Thinking> {
    if reasoning.thinking.is_some() {
        return reasoning.thinking;
    }
    if reasoning.effort == Some(Effort::None) {
        return Some(Thinking::Off);
    }
    // In Anthropic's own words an effort alone does not make a model think.
    (effort.is_some() && request.origin != Format::AnthropicMessages).then_some(Thinking::Adaptive)
}

/// The nearest effort. More than `high` stays more than that where there is a word for it.
pub(super) fn nearest(facts: &ModelFacts, effort: Effort) -> Option<Effort> {
    let more =
        effort == Effort::XHigh && !facts.efforts.contains(&Effort::XHigh) && facts.efforts.contains(&Effort::Max);
    if more { Some(Effort::Max) } else { facts.nearest_effort(effort) }
}

/// Tokens to think with where the model knows no efforts.
pub(super) fn budget_of(effort: Effort) -> u64 {
    match effort {
        Effort::None | Effort::Minimal => 1024,
        Effort::Low => 2048,
        Effort::Medium => 10_000,
        Effort::High => 16_384,
        Effort::XHigh | Effort::Max => 32_768,
    }
}
