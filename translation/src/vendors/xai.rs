//! xAI: <https://docs.x.ai/developers/rest-api-reference/inference/chat>.
//!
//! Its Anthropic-compatible messages are deprecated, so not counted on. Models that reason on their own terms refuse
//! `reasoning_effort`.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "xai",
    title: "xAI",
    base_url: Some("https://api.x.ai/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    quirks: Quirks { max_completion_tokens: true, reasoning_effort: false, ..Quirks::COMPATIBLE },
    docs: "https://docs.x.ai/developers/rest-api-reference/inference/chat",
    ..Vendor::COMPATIBLE
};
