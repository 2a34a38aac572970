//! Any other server that speaks the chat completions of OpenAI. Whether it lists its models is for it to say.

use super::Vendor;

pub(super) const VENDOR: Vendor = Vendor {
    name: "openai_compatible",
    title: "OpenAI-compatible server",
    docs: "https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create",
    ..Vendor::COMPATIBLE
};
