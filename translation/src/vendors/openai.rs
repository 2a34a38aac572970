//! OpenAI: <https://developers.openai.com/api/reference/overview>.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "openai",
    title: "OpenAI",
    base_url: Some("https://api.openai.com/v1"),
    formats: &[Format::OpenAiChat, Format::OpenAiResponses],
    quirks: Quirks::NONE,
    docs: "https://developers.openai.com/api/reference/overview",
    ..Vendor::COMPATIBLE
};
