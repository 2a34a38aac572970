//! Moonshot AI (Kimi): <https://platform.kimi.ai/docs/api/chat>. Accounts in China: `https://api.moonshot.cn/v1`.
//!
//! It serves responses too (<https://platform.kimi.ai/docs/api/overview>); Anthropic's messages are under another base
//! URL, `https://api.moonshot.ai/anthropic`, which a group of `anthropic` can have. `json_schema` and
//! `parallel_tool_calls` differ by model.
//!
//! Which model takes what: <https://platform.kimi.ai/docs/api/models-overview>. Kimi K2.5 and K2.6 think unless they
//! are told not to, K2.7 and K2 Thinking always (<https://platform.kimi.ai/docs/guide/use-kimi-k2-thinking-model>), K3
//! and newer always and by words (<https://platform.kimi.ai/docs/guide/use-thinking-effort>). From K2.5 on, sampling
//! cannot be set in either mode. A model that thinks cannot be forced to call a tool; K3 can, but not to call a certain
//! one (<https://github.com/UKGovernmentBEIS/inspect_ai/pull/5152>). It refuses a history whose tool calls come without
//! their `reasoning_content`. Moonshot v1 and the first K2 do not think.

use super::Vendor;
use crate::format::Format;
use crate::ir::{Effort, Field};
use crate::protocol::contract::Quirks;
use crate::protocol::thinking_rules::{
    EffortField, ForcedCalls, ThinkingRules, ThoughtField, ThoughtHistory, ThoughtTurns,
};

const FIXED: &[Field] = &[Field::Temperature, Field::TopP, Field::PresencePenalty, Field::FrequencyPenalty];

const THOUGHTS: ThoughtHistory =
    ThoughtHistory { field: Some(ThoughtField::ReasoningContent), turns: ThoughtTurns::WithCalls, required: true };

const ALWAYS: ThinkingRules =
    ThinkingRules { forced_calls: ForcedCalls::WithoutThinking, history: THOUGHTS, ..ThinkingRules::ALWAYS };

const THINKING: &[ThinkingRules] = &[
    ThinkingRules { models: &["kimi-k2.7"], on: Some(&[("thinking.type", "\"enabled\"")]), refused: FIXED, ..ALWAYS },
    ThinkingRules {
        models: &["kimi-k2."],
        refused: FIXED,
        forced_calls: ForcedCalls::WithoutThinking,
        history: THOUGHTS,
        ..ThinkingRules::SWITCHED
    },
    ThinkingRules { models: &["kimi-k2-thinking", "kimi-thinking"], ..ALWAYS },
    ThinkingRules { models: &["kimi-k2", "kimi-latest", "moonshot-"], ..ThinkingRules::NONE },
    ThinkingRules {
        models: &["kimi-"],
        efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::Medium, "high"), (Effort::XHigh, "max")])),
        refused: FIXED,
        forced_calls: ForcedCalls::AnyToolWhileThinking,
        history: ThoughtHistory { turns: ThoughtTurns::All, ..THOUGHTS },
        ..ThinkingRules::ALWAYS
    },
];

pub(super) const VENDOR: Vendor = Vendor {
    name: "moonshot",
    title: "Moonshot AI (Kimi)",
    base_url: Some("https://api.moonshot.ai/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    quirks: Quirks {
        max_completion_tokens: true,
        json_schema: false,
        reasoning_effort: false,
        parallel_tool_calls: false,
        thinking: THINKING,
        ..Quirks::COMPATIBLE
    },
    docs: "https://platform.kimi.ai/docs/api/chat",
    ..Vendor::COMPATIBLE
};
