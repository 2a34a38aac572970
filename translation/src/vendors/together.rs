//! Together AI: <https://docs.together.ai/docs/openai-api-compatibility>, where neither responses nor Anthropic's
//! messages are named.
//!
//! Structured output and `reasoning_effort` are for some models only. Its list of models is a bare JSON list.

use super::Vendor;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "together",
    title: "Together AI",
    base_url: Some("https://api.together.ai/v1"),
    quirks: Quirks { json_schema: false, reasoning_effort: false, parallel_tool_calls: false, ..Quirks::COMPATIBLE },
    docs: "https://docs.together.ai/reference/chat-completions",
    ..Vendor::COMPATIBLE
};
