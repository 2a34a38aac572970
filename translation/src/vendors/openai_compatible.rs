//! Any other server that speaks OpenAI's chat completions. Such a server may list its models or not, and may be a
//! gateway that lets a request name several.

use super::Vendor;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "openai_compatible",
    title: "OpenAI-compatible server",
    quirks: Quirks { model_lists: true, ..Quirks::COMPATIBLE },
    docs: "https://developers.openai.com/api/reference/resources/chat/subresources/completions/methods/create",
    ..Vendor::COMPATIBLE
};
