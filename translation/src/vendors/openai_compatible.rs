//! Any other server that speaks OpenAI's chat completions. Such a server may list its models or not.

use super::Vendor;

pub(super) const VENDOR: Vendor = Vendor {
    name: "openai_compatible",
    title: "OpenAI-compatible server",
    docs: "https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create",
    ..Vendor::COMPATIBLE
};
