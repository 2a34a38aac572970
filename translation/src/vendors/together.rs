//! Together AI: <https://docs.together.ai/docs/openai-api-compatibility>, where neither responses nor Anthropic's
//! messages are named.
//!
//! Structured output is for some models only. Its list of models is a bare JSON list.
//!
//! Thinking (<https://docs.together.ai/docs/inference/chat/reasoning>): `reasoning.enabled` switches hybrid models,
//! `reasoning_effort` sizes GPT-OSS, GLM-5.2 and newer (<https://docs.together.ai/docs/glm-5.3-quickstart>) and Kimi K3
//! (<https://docs.together.ai/docs/kimi-k3-quickstart>). Which turns want their thoughts back is not said there, so
//! none go back.

use super::Vendor;
use crate::ir::Effort;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{EffortField, ThinkingRules};

const TO_MAX: EffortField = EffortField::usual(&[
    (Effort::Low, "low"),
    (Effort::Medium, "medium"),
    (Effort::High, "high"),
    (Effort::XHigh, "max"),
]);

const HYBRID: ThinkingRules = ThinkingRules {
    models: &["deepseek-v4", "glm-5", "glm-4.", "kimi-k2.", "qwen3.", "cogito", "nemotron"],
    by_default: true,
    on: Some(&[("reasoning.enabled", "true")]),
    off: Some(&[("reasoning.enabled", "false")]),
    ..ThinkingRules::NONE
};

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["gpt-oss"], efforts: Some(EffortField::LOW_TO_HIGH), ..ThinkingRules::ALWAYS },
    ThinkingRules { models: &["glm-5.2"], efforts: Some(TO_MAX), ..HYBRID },
    ThinkingRules { models: &["glm-5.1"], ..HYBRID },
    ThinkingRules { models: &["glm-5."], efforts: Some(TO_MAX), ..ThinkingRules::ALWAYS },
    ThinkingRules {
        models: &["kimi-k3"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::Medium, "high"), (Effort::XHigh, "max")])),
        ..ThinkingRules::ALWAYS
    },
    ThinkingRules {
        models: &["deepseek-r1", "kimi-k2-thinking", "minimax-m", "qwen3*-thinking"],
        ..ThinkingRules::ALWAYS
    },
    ThinkingRules { models: &["deepseek-v3.1"], by_default: false, ..HYBRID },
    HYBRID,
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "together",
    title: "Together AI",
    base_url: Some("https://api.together.ai/v1"),
    quirks: Quirks {
        json_schema: false,
        reasoning_effort: false,
        parallel_tool_calls: false,
        thinking: THINKING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.together.ai/reference/chat-completions",
    ..Vendor::COMPATIBLE
};
