//! DeepSeek: <https://api-docs.deepseek.com/>.
//!
//! Beside chat it serves responses (stateless, <https://api-docs.deepseek.com/guides/responses_api>) and Anthropic's
//! messages, with the same keys (<https://api-docs.deepseek.com/guides/anthropic_api>). Of `response_format` it knows
//! `json_object` only; `reasoning_effort` of any word; thoughts belong back into the history where tools are called
//! (<https://api-docs.deepseek.com/guides/thinking_mode>). `parallel_tool_calls` and `max_completion_tokens` are not in
//! its reference.

use super::Vendor;
use crate::format::{Format, Path};
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "deepseek",
    title: "DeepSeek",
    base_url: Some("https://api.deepseek.com"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    paths: &[(Format::AnthropicMessages, Path::one("/anthropic/v1/messages"))],
    quirks: Quirks { json_schema: false, parallel_tool_calls: false, reasoning_history: true, ..Quirks::COMPATIBLE },
    docs: "https://api-docs.deepseek.com/api/create-chat-completion",
    ..Vendor::COMPATIBLE
};
