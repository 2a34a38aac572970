//! SiliconFlow: <https://docs.siliconflow.cn/docs/api/chat-completions-post>. International accounts:
//! `https://api.siliconflow.com/v1`.
//!
//! It serves Anthropic's messages with the same keys (<https://docs.siliconflow.cn/docs/api/messages-post>).
//! `reasoning_effort` is for a few models; `json_schema`, `parallel_tool_calls` and `stream_options` are not in its
//! reference, and streams carry usage unasked.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

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
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.siliconflow.cn/docs/api/chat-completions-post",
    ..Vendor::COMPATIBLE
};
