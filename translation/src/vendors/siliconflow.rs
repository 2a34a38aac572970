//! SiliconFlow: <https://docs.siliconflow.cn/docs/api/chat-completions-post>. International accounts:
//! `https://api.siliconflow.com/v1`.
//!
//! It serves Anthropic's messages with the same keys (<https://docs.siliconflow.cn/docs/api/messages-post>).
//! `json_schema`, `parallel_tool_calls` and `stream_options` are not in its reference, and streams carry usage unasked.
//!
//! Thinking (<https://docs.siliconflow.cn/cn/api-reference/chat-completions/chat-completions>): `enable_thinking` for
//! the models that the reference lists, `thinking_budget` for all that reason, `reasoning_effort` for DeepSeek V4 only.
//! Whether thoughts belong back into the history is not said, so none go back.

use super::Vendor;
use crate::format::Format;
use crate::ir::Effort;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{BudgetField, EffortField, ThinkingRules};

const BUDGET: BudgetField =
    BudgetField { field: "thinking_budget", beside: &[], range: (128, 32_768), for_efforts: true };

const THINKING: &[ThinkingRules] = &[
    ThinkingRules {
        models: &["qwen3*-thinking", "qwq", "deepseek-r1", "glm-z1", "kimi-k2-thinking", "minimax-m", "qwenlong-l1"],
        budget: Some(BUDGET),
        ..ThinkingRules::ALWAYS
    },
    ThinkingRules {
        models: &["deepseek-v4"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "high"), (Effort::XHigh, "max")])),
        ..ThinkingRules::ALWAYS
    },
    ThinkingRules {
        models: &["qwen3*-instruct", "qwen3-coder", "qwen2", "glm-4-", "kimi-k2-", "ling-"],
        ..ThinkingRules::NONE
    },
    ThinkingRules {
        models: &["qwen3", "glm-4.5v", "glm-4.6", "glm-4.7", "glm-5", "hunyuan-a13b", "deepseek-v3.1", "deepseek-v3.2"],
        by_default: true,
        on: Some(&[("enable_thinking", "true")]),
        off: Some(&[("enable_thinking", "false")]),
        budget: Some(BUDGET),
        ..ThinkingRules::NONE
    },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "siliconflow",
    title: "SiliconFlow",
    base_url: Some("https://api.siliconflow.cn/v1"),
    formats: &[Format::OpenAiChat, Format::AnthropicMessages],
    quirks: Quirks {
        json_schema: false,
        reasoning_effort: false,
        stream_usage: false,
        parallel_tool_calls: false,
        thinking: THINKING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.siliconflow.cn/docs/api/chat-completions-post",
    ..Vendor::COMPATIBLE
};
