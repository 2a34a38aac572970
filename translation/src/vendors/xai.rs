//! xAI: <https://docs.x.ai/developers/rest-api-reference/inference/chat>.
//!
//! Its Anthropic-compatible messages are deprecated, so not counted on.
//!
//! Thinking (<https://docs.x.ai/developers/model-capabilities/text/reasoning>): `reasoning_effort` of Grok 4.3 has
//! `none` too, 4.5 and newer cannot be turned off, 4.6 and 4.7 know `xhigh`; Grok 4 to 4.20 answer 400 to the field.
//! Models that reason refuse penalties and stop texts. Chat has no field for earlier thoughts.

use super::Vendor;
use crate::format::Format;
use crate::ir::{Effort, Field};
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{EffortField, ThinkingRules};

const ALWAYS: ThinkingRules = ThinkingRules {
    models: &["grok-"],
    efforts: Some(EffortField::LOW_TO_HIGH),
    refused_thinking: &[Field::PresencePenalty, Field::FrequencyPenalty, Field::Stop],
    ..ThinkingRules::ALWAYS
};

const TO_XHIGH: EffortField = EffortField::usual(&[
    (Effort::Low, "low"),
    (Effort::Medium, "medium"),
    (Effort::High, "high"),
    (Effort::XHigh, "xhigh"),
]);

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["*non-reasoning", "grok-2", "grok-vision"], ..ThinkingRules::NONE },
    ThinkingRules {
        models: &["grok-3-mini"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::High, "high")])),
        ..ALWAYS
    },
    ThinkingRules { models: &["grok-3"], ..ThinkingRules::NONE },
    ThinkingRules { models: &["grok-4.3"], off: Some(&[("reasoning_effort", "\"none\"")]), ..ALWAYS },
    ThinkingRules { models: &["grok-4.6", "grok-4.7", "grok-*multi-agent"], efforts: Some(TO_XHIGH), ..ALWAYS },
    ThinkingRules { models: &["grok-4.20", "grok-4.1", "grok-4-", "grok-code", "grok-build"], efforts: None, ..ALWAYS },
    ThinkingRules { models: &["grok-4."], ..ALWAYS },
    ThinkingRules { models: &["grok-4"], efforts: None, ..ALWAYS },
    ALWAYS,
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "xai",
    title: "xAI",
    base_url: Some("https://api.x.ai/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    quirks: Quirks { max_completion_tokens: true, reasoning_effort: false, thinking: THINKING, ..Quirks::COMPATIBLE },
    docs: "https://docs.x.ai/developers/rest-api-reference/inference/chat",
    ..Vendor::COMPATIBLE
};
