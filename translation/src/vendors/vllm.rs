//! A vLLM server on this machine: <https://docs.vllm.ai/en/latest/serving/openai_compatible_server/>.
//!
//! It serves responses and Anthropic's messages for what it runs. The words of `reasoning_effort` that it takes differ
//! by version.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "vllm",
    title: "vLLM",
    base_url: Some("http://localhost:8000/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses, Format::AnthropicMessages],
    quirks: Quirks { reasoning_effort: false, ..Quirks::COMPATIBLE },
    docs: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server/",
    ..Vendor::COMPATIBLE
};
