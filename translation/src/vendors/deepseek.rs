//! DeepSeek: <https://api-docs.deepseek.com/>.
//!
//! Beside chat it serves responses (stateless, <https://api-docs.deepseek.com/guides/responses_api>) and Anthropic's
//! messages, with the same keys (<https://api-docs.deepseek.com/guides/anthropic_api>). Of `response_format` it knows
//! `json_object` only. `parallel_tool_calls` and `max_completion_tokens` are not in its reference.
//!
//! Thinking (<https://api-docs.deepseek.com/guides/thinking_mode>) is on unless it is turned off. While it is on,
//! temperature and penalties have no effect, and forced tools are refused
//! (<https://github.com/cloudwego/eino/issues/994>). A turn in which tools were called has to come back with its
//! thoughts in every later request. `deepseek-chat` and `deepseek-reasoner` are older names, without and with thinking.

use super::Vendor;
use crate::format::{Format, Path};
use crate::ir::{Effort, Field};
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{
    EffortField, ForcedCalls, ThinkingRules, ThoughtField, ThoughtHistory, ThoughtTurns,
};

const RULES: ThinkingRules = ThinkingRules {
    models: &["deepseek"],
    efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::Medium, "high"), (Effort::Max, "max")])),
    refused_thinking: &[Field::Temperature, Field::PresencePenalty, Field::FrequencyPenalty],
    forced_calls: ForcedCalls::WithoutThinking,
    history: ThoughtHistory {
        field: Some(ThoughtField::ReasoningContent),
        turns: ThoughtTurns::WithCalls,
        required: true,
    },
    ..ThinkingRules::SWITCHED
};

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["deepseek-chat"], by_default: false, ..RULES },
    ThinkingRules { models: &["deepseek-reasoner"], on: None, off: None, ..RULES },
    RULES,
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "deepseek",
    title: "DeepSeek",
    base_url: Some("https://api.deepseek.com"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    paths: &[(Format::AnthropicMessages, Path::one("/anthropic/v1/messages"))],
    quirks: Quirks { json_schema: false, parallel_tool_calls: false, thinking: THINKING, ..Quirks::COMPATIBLE },
    docs: "https://api-docs.deepseek.com/api/create-chat-completion",
    ..Vendor::COMPATIBLE
};
