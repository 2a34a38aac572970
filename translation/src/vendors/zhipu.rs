//! Zhipu AI (GLM, Z.ai): <https://docs.bigmodel.cn/api-reference>. International accounts:
//! `https://api.z.ai/api/paas/v4` (<https://docs.z.ai/api-reference/llm/chat-completion>).
//!
//! Of `tool_choice` it knows `auto` only, of `response_format` `json_object`; usage comes at the end of each stream
//! unasked. Anthropic's messages are under another path (`/api/anthropic`), which a group of `anthropic` can have. A
//! list of models is not in its reference.
//!
//! Thinking (<https://docs.z.ai/guides/capabilities/thinking-mode>) is on from GLM-4.5 on unless it is turned off.
//! `reasoning_effort` is for GLM-5.2 and newer; from GLM-5.3 on it has three words, and nothing turns thinking off
//! (<https://openrouter.ai/z-ai/glm-5.3/api>). Thoughts belong back into the history while a loop of tools is under way;
//! those of earlier turns are cleared.

use super::Vendor;
use crate::ir::Effort;
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{EffortField, ForcedCalls, ThinkingRules, ThoughtField, ThoughtHistory};

const THOUGHTS: ThoughtHistory = ThoughtHistory::in_loop(ThoughtField::ReasoningContent);

const SWITCHED: ThinkingRules =
    ThinkingRules { forced_calls: ForcedCalls::No, history: THOUGHTS, ..ThinkingRules::SWITCHED };

const THINKING: &[ThinkingRules] = &[
    ThinkingRules {
        models: &["glm-5.2"],
        efforts: Some(EffortField::usual(&[
            (Effort::Minimal, "minimal"),
            (Effort::Low, "low"),
            (Effort::Medium, "medium"),
            (Effort::High, "high"),
            (Effort::XHigh, "xhigh"),
            (Effort::Max, "max"),
        ])),
        ..SWITCHED
    },
    ThinkingRules { models: &["glm-5-", "glm-5v", "glm-5.1", "glm-4.5", "glm-4.6", "glm-4.7"], ..SWITCHED },
    ThinkingRules { models: &["glm-z1", "glm-4.1v-thinking"], forced_calls: ForcedCalls::No, ..ThinkingRules::ALWAYS },
    ThinkingRules {
        models: &["glm-4", "glm-3", "charglm", "codegeex"],
        forced_calls: ForcedCalls::No,
        ..ThinkingRules::NONE
    },
    ThinkingRules {
        models: &["glm-5.", "glm-6", "glm-7"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::Medium, "high"), (Effort::XHigh, "max")])),
        forced_calls: ForcedCalls::No,
        history: THOUGHTS,
        ..ThinkingRules::ALWAYS
    },
    ThinkingRules { models: &["glm-5"], ..SWITCHED },
    ThinkingRules { models: &["*"], forced_calls: ForcedCalls::No, ..ThinkingRules::NONE },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "zhipu",
    title: "Zhipu AI (GLM)",
    base_url: Some("https://open.bigmodel.cn/api/paas/v4"),
    models_path: None,
    quirks: Quirks {
        json_schema: false,
        reasoning_effort: false,
        stream_usage: false,
        parallel_tool_calls: false,
        thinking: THINKING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.z.ai/api-reference/llm/chat-completion",
    ..Vendor::COMPATIBLE
};
