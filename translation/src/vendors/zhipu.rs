//! Zhipu AI (GLM, Z.ai): <https://docs.bigmodel.cn/api-reference>. International accounts:
//! `https://api.z.ai/api/paas/v4` (<https://docs.z.ai/api-reference/llm/chat-completion>).
//!
//! Of `tool_choice` it knows `auto` only, of `response_format` `json_object`; usage comes at the end of each stream
//! unasked. Anthropic's messages are under another path (`/api/anthropic`), which a group of `anthropic` can have. A
//! list of models is not in its reference.

use super::Vendor;
use crate::protocol::contract::Quirks;

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
        required_word: "auto",
        reasoning_history: true,
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.z.ai/api-reference/llm/chat-completion",
    ..Vendor::COMPATIBLE
};
