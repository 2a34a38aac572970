//! Moonshot AI (Kimi): <https://platform.kimi.ai/docs/api/chat>. Accounts in China: `https://api.moonshot.cn/v1`.
//!
//! It serves responses too (<https://platform.kimi.ai/docs/api/overview>); Anthropic's messages are under another base
//! URL, `https://api.moonshot.ai/anthropic`, which a group of `anthropic` can have. A model that thinks refuses a
//! history whose tool calls come without their `reasoning_content`. `json_schema`, `parallel_tool_calls` and the words
//! of `reasoning_effort` differ by model.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

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
        reasoning_history: true,
        ..Quirks::COMPATIBLE
    },
    docs: "https://platform.kimi.ai/docs/api/chat",
    ..Vendor::COMPATIBLE
};
