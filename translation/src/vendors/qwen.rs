//! Alibaba Cloud Model Studio (Qwen), in DashScope's compatible mode:
//! <https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope>.
//!
//! The default is the region Beijing; keys belong to a region. Others:
//! `https://dashscope-intl.aliyuncs.com/compatible-mode/v1` (Singapore),
//! `https://dashscope-us.aliyuncs.com/compatible-mode/v1`, and the workspace's own
//! `https://WORKSPACE.REGION.maas.aliyuncs.com/compatible-mode/v1`. Responses are for a few models only, so not counted
//! on; Anthropic's messages are under another path (`/apps/anthropic`). `json_schema` is for some models. A list of
//! models is not in its reference.
//!
//! Thinking (<https://www.alibabacloud.com/help/en/model-studio/deep-thinking>) is switched by `enable_thinking` and
//! sized by `thinking_budget`, for Qwen and for other makers' models alike. Qwen3.5 and newer think by default, the
//! older commercial models do not, the open models of Qwen3 do and in streams only. While a model thinks, forced tools
//! are refused (<https://github.com/QwenLM/qwen-code/issues/7659>).

use super::Vendor;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{BudgetField, ForcedCalls, ThinkingRules, ThoughtField, ThoughtHistory};

const BUDGET: BudgetField =
    BudgetField { field: "thinking_budget", beside: &[], range: (1, 32_768), for_efforts: true };

const HYBRID: ThinkingRules = ThinkingRules {
    models: &["qwen3.", "qwen4", "glm-", "deepseek-v4", "kimi-"],
    by_default: true,
    on: Some(&[("enable_thinking", "true")]),
    off: Some(&[("enable_thinking", "false")]),
    budget: Some(BUDGET),
    forced_calls: ForcedCalls::WithoutThinking,
    history: ThoughtHistory::in_loop(ThoughtField::ReasoningContent),
    ..ThinkingRules::NONE
};

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["qwq", "qvq", "deepseek-r1"], on: None, off: None, budget: None, ..HYBRID },
    ThinkingRules { models: &["qwen3*-thinking", "kimi-k2-thinking", "minimax-"], on: None, off: None, ..HYBRID },
    ThinkingRules {
        models: &[
            "qwen3*-instruct",
            "qwen3-coder",
            "qwen2",
            "qwen1",
            "qwen-coder",
            "qwen-long",
            "qwen-vl",
            "qwen-max",
            "qwen-mt",
            "kimi-k2-",
            "moonshot-",
        ],
        ..ThinkingRules::NONE
    },
    ThinkingRules {
        models: &["qwen-plus", "qwen-turbo", "qwen-flash", "qwen3-max", "qwen3-vl", "qwen3-omni", "deepseek-v3"],
        by_default: false,
        ..HYBRID
    },
    ThinkingRules { models: &["qwen3-*b"], only_streamed: true, ..HYBRID },
    HYBRID,
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "qwen",
    title: "Alibaba Cloud Model Studio (Qwen)",
    base_url: Some("https://dashscope.aliyuncs.com/compatible-mode/v1"),
    models_path: None,
    quirks: Quirks { json_schema: false, reasoning_effort: false, thinking: THINKING, ..Quirks::COMPATIBLE },
    docs: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
    ..Vendor::COMPATIBLE
};
