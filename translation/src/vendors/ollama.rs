//! Ollama on this machine: <https://docs.ollama.com/api/openai-compatibility>. In its cloud: `https://ollama.com/v1`.
//!
//! It serves responses (stateless, from 0.13.3) and Anthropic's messages
//! (<https://docs.ollama.com/api/anthropic-compatibility>). Images must be given as data. A model that does not think
//! refuses `reasoning_effort`; `parallel_tool_calls` is not in its reference. A key is asked for by its cloud alone,
//! but a group has one in any case.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "ollama",
    title: "Ollama",
    base_url: Some("http://localhost:11434/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    quirks: Quirks { reasoning_effort: false, parallel_tool_calls: false, media_urls: false, ..Quirks::COMPATIBLE },
    docs: "https://docs.ollama.com/api/openai-compatibility",
    ..Vendor::COMPATIBLE
};
