//! OpenRouter: <https://openrouter.ai/docs/api/api-reference/chat/send-chat-completion-request>.
//!
//! It serves Anthropic's messages (<https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-a-message>)
//! and responses (a beta that keeps nothing) for all models, and leaves out for a model what that does not know. Links
//! of images it passes on. `models` names those that answer where `model` does not
//! (<https://openrouter.ai/docs/guides/routing/model-fallbacks>).
//!
//! Thinking (<https://openrouter.ai/docs/use-cases/reasoning-tokens>) is asked for in one way for all models:
//! `reasoning` with an effort, or else with tokens. Thoughts go back as `reasoning_details` with what was signed.

use super::Vendor;
use crate::format::Format;
use crate::ir::Effort;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{
    BudgetField, EffortField, ThinkingRules, ThoughtField, ThoughtHistory, ThoughtTurns,
};

const THINKING: &[ThinkingRules] = &[ThinkingRules {
    models: &["*"],
    on: Some(&[("reasoning.enabled", "true")]),
    off: Some(&[("reasoning.effort", "\"none\"")]),
    efforts: Some(EffortField {
        field: "reasoning.effort",
        words: &[
            (Effort::Minimal, "minimal"),
            (Effort::Low, "low"),
            (Effort::Medium, "medium"),
            (Effort::High, "high"),
            (Effort::XHigh, "xhigh"),
            (Effort::Max, "max"),
        ],
    }),
    budget: Some(BudgetField {
        field: "reasoning.max_tokens",
        beside: &[],
        range: (1_024, 128_000),
        for_efforts: false,
    }),
    history: ThoughtHistory { field: Some(ThoughtField::Details), turns: ThoughtTurns::All, required: false },
    ..ThinkingRules::NONE
}];

pub(super) const VENDOR: Vendor = Vendor {
    name: "openrouter",
    title: "OpenRouter",
    base_url: Some("https://openrouter.ai/api/v1"),
    formats: &[Format::OpenAiChat, Format::AnthropicMessages, Format::OpenAiResponses],
    quirks: Quirks { max_completion_tokens: true, model_lists: true, thinking: THINKING, ..Quirks::COMPATIBLE },
    docs: "https://openrouter.ai/docs/api/api-reference/chat/send-chat-completion-request",
    ..Vendor::COMPATIBLE
};
