//! Cerebras: <https://inference-docs.cerebras.ai/api-reference/chat-completions>.
//!
//! Its page on compatibility (<https://inference-docs.cerebras.ai/resources/openai>) names neither responses nor
//! Anthropic's messages, and has named `parallel_tool_calls` among the fields that are refused.
//!
//! Thinking: <https://inference-docs.cerebras.ai/capabilities/reasoning>. GLM has `reasoning_effort` of `none` and no
//! other word. Qwen's thoughts stand in the content unless `reasoning_format` says otherwise. `reasoning_content` in
//! the history is refused (<https://github.com/NousResearch/hermes-agent/issues/45655>), and no thoughts are asked back.

use super::Vendor;
use crate::protocol::contract::{FOREIGN_BUT_REASONING, Quirks};
use crate::protocol::thinking_rules::{EffortField, ThinkingRules};

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["gpt-oss"], efforts: Some(EffortField::LOW_TO_HIGH), ..ThinkingRules::ALWAYS },
    ThinkingRules { models: &["zai-glm"], off: Some(&[("reasoning_effort", "\"none\"")]), ..ThinkingRules::ALWAYS },
    ThinkingRules { models: &["qwen-3*-instruct", "qwen-3-coder", "llama"], ..ThinkingRules::NONE },
    ThinkingRules { models: &["qwen-3"], beside: &[("reasoning_format", "\"parsed\"")], ..ThinkingRules::ALWAYS },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "cerebras",
    title: "Cerebras",
    base_url: Some("https://api.cerebras.ai/v1"),
    quirks: Quirks {
        max_completion_tokens: true,
        reasoning_effort: false,
        parallel_tool_calls: false,
        thinking: THINKING,
        think_tags: true,
        foreign_fields: FOREIGN_BUT_REASONING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://inference-docs.cerebras.ai/api-reference/chat-completions",
    ..Vendor::COMPATIBLE
};
