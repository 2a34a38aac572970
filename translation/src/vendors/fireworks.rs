//! Fireworks AI: <https://docs.fireworks.ai/api-reference/post-chatcompletions>.
//!
//! It serves responses (<https://docs.fireworks.ai/guides/response-api>) and Anthropic's messages, with a bearer key
//! (<https://docs.fireworks.ai/tools-sdks/anthropic-compatibility>). Streams end with usage unasked.
//!
//! Thinking (<https://docs.fireworks.ai/guides/reasoning>): `reasoning_effort`, whose words differ by model
//! (<https://reference.langchain.com/python/deepagents-code/reasoning_effort/FIREWORKS_REASONING_EFFORTS>), or else
//! Anthropic's `thinking` with a budget. Thoughts go back as `reasoning_content` in a loop of tools; models that do not
//! want them ignore them. Some models leave them in the content.

use super::Vendor;
use crate::format::Format;
use crate::ir::Effort;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{BudgetField, EffortField, ThinkingRules, ThoughtField, ThoughtHistory};

const ALWAYS: ThinkingRules = ThinkingRules {
    models: &["gpt-oss", "deepseek-r1", "minimax-m", "kimi-k", "qwen3*-thinking", "qwq"],
    efforts: Some(EffortField::LOW_TO_HIGH),
    budget: Some(BudgetField {
        field: "thinking.budget_tokens",
        beside: &[("thinking.type", "\"enabled\"")],
        range: (1_024, 128_000),
        for_efforts: false,
    }),
    history: ThoughtHistory::in_loop(ThoughtField::ReasoningContent),
    ..ThinkingRules::ALWAYS
};

const OFF: &[(&str, &str)] = &[("reasoning_effort", "\"none\"")];

const THINKING: &[ThinkingRules] = &[
    ThinkingRules {
        models: &["kimi-k2-instruct", "qwen3*-instruct", "qwen3-coder", "qwen2", "llama"],
        ..ThinkingRules::NONE
    },
    ALWAYS,
    ThinkingRules {
        models: &["glm-4", "glm-5"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "high"), (Effort::XHigh, "max")])),
        off: Some(OFF),
        ..ALWAYS
    },
    ThinkingRules {
        models: &["deepseek-v4"],
        efforts: Some(EffortField::usual(&[
            (Effort::Low, "low"),
            (Effort::Medium, "medium"),
            (Effort::High, "high"),
            (Effort::XHigh, "xhigh"),
        ])),
        off: Some(OFF),
        ..ALWAYS
    },
    ThinkingRules { models: &["qwen3", "deepseek-v3p1", "deepseek-v3p2"], off: Some(OFF), ..ALWAYS },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "fireworks",
    title: "Fireworks AI",
    base_url: Some("https://api.fireworks.ai/inference/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    quirks: Quirks {
        reasoning_effort: false,
        stream_usage: false,
        parallel_tool_calls: false,
        thinking: THINKING,
        think_tags: true,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.fireworks.ai/api-reference/post-chatcompletions",
    ..Vendor::COMPATIBLE
};
