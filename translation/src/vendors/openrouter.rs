//! OpenRouter: <https://openrouter.ai/docs/api/api-reference/chat/send-chat-completion-request>.
//!
//! It serves Anthropic's messages (<https://openrouter.ai/docs/api/api-reference/anthropic-messages/create-a-message>)
//! and responses (a beta that keeps nothing) for all models, and leaves out for a model what that does not know. Links
//! of images it passes on.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "openrouter",
    title: "OpenRouter",
    base_url: Some("https://openrouter.ai/api/v1"),
    formats: &[Format::OpenAiChat, Format::AnthropicMessages, Format::OpenAiResponses],
    quirks: Quirks { max_completion_tokens: true, ..Quirks::COMPATIBLE },
    docs: "https://openrouter.ai/docs/api/api-reference/chat/send-chat-completion-request",
    ..Vendor::COMPATIBLE
};
