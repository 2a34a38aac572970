//! Fireworks AI: <https://docs.fireworks.ai/api-reference/post-chatcompletions>.
//!
//! It serves responses (<https://docs.fireworks.ai/guides/response-api>) and Anthropic's messages, with a bearer key
//! (<https://docs.fireworks.ai/tools-sdks/anthropic-compatibility>). Streams end with usage unasked. `reasoning_effort`
//! is for models that reason.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "fireworks",
    title: "Fireworks AI",
    base_url: Some("https://api.fireworks.ai/inference/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    quirks: Quirks { reasoning_effort: false, stream_usage: false, parallel_tool_calls: false, ..Quirks::COMPATIBLE },
    docs: "https://docs.fireworks.ai/api-reference/post-chatcompletions",
    ..Vendor::COMPATIBLE
};
