//! Mistral AI: <https://docs.mistral.ai/api>.
//!
//! It refuses fields that it does not know, `stream_options.include_usage` among them
//! (<https://github.com/openai/openai-agents-python/issues/442>), and reports usage at the end of each stream unasked.
//! To make a model call a tool it says `any`. Ids of tool calls are nine letters and digits.
//!
//! Thinking (<https://docs.mistral.ai/capabilities/reasoning/>): Small 4 and Medium 3.5 have `reasoning_effort` of
//! `high` and `none`, Large 4 has `low`, `medium` and `high` too
//! (<https://docs.mistral.ai/inference/conversations/reasoning>). Magistral always thinks, by `prompt_mode`. Thoughts
//! are parts of the content, and go back as such.

use super::Vendor;
use crate::ir::Effort;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{EffortField, ThinkingRules, ThoughtField, ThoughtHistory, ThoughtTurns};

const ADJUSTABLE: ThinkingRules = ThinkingRules {
    models: &[
        "mistral-small-latest",
        "mistral-small-2603",
        "mistral-small-4",
        "mistral-medium-3-5",
        "mistral-medium-3.5",
    ],
    on: Some(&[("reasoning_effort", "\"high\"")]),
    off: Some(&[("reasoning_effort", "\"none\"")]),
    history: ThoughtHistory { field: Some(ThoughtField::ContentPart), turns: ThoughtTurns::All, required: false },
    ..ThinkingRules::NONE
};

const THINKING: &[ThinkingRules] = &[
    ThinkingRules {
        models: &["mistral-large-4"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::Medium, "medium"), (Effort::High, "high")])),
        ..ADJUSTABLE
    },
    ThinkingRules {
        models: &["magistral-"],
        by_default: true,
        on: Some(&[("prompt_mode", "\"reasoning\"")]),
        off: None,
        ..ADJUSTABLE
    },
    ADJUSTABLE,
];

/// It has parts of thoughts itself.
const FOREIGN: &[&str] = &[
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "thinking_blocks",
    "provider_specific_fields",
    "extra_content",
    "cache_control",
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "mistral",
    title: "Mistral AI",
    base_url: Some("https://api.mistral.ai/v1"),
    quirks: Quirks {
        reasoning_effort: false,
        stream_usage: false,
        required_word: "any",
        call_id_length: Some(9),
        thinking: THINKING,
        foreign_fields: FOREIGN,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.mistral.ai/api",
    ..Vendor::COMPATIBLE
};
