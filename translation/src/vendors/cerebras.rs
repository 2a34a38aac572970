//! Cerebras: <https://inference-docs.cerebras.ai/api-reference/chat-completions>.
//!
//! Its page on compatibility (<https://inference-docs.cerebras.ai/resources/openai>) names neither responses nor
//! Anthropic's messages, and has named `parallel_tool_calls` among the fields that are refused. `reasoning_effort`
//! differs by model.

use super::Vendor;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "cerebras",
    title: "Cerebras",
    base_url: Some("https://api.cerebras.ai/v1"),
    quirks: Quirks {
        max_completion_tokens: true,
        reasoning_effort: false,
        parallel_tool_calls: false,
        ..Quirks::COMPATIBLE
    },
    docs: "https://inference-docs.cerebras.ai/api-reference/chat-completions",
    ..Vendor::COMPATIBLE
};
