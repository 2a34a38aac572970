//! OpenAI by its Responses API alone, for groups whose models are not to be asked by chat completions:
//! <https://developers.openai.com/api/reference/resources/responses/methods/create>.

use super::Vendor;
use crate::format::Format;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "openai_responses",
    title: "OpenAI (Responses API only)",
    base_url: Some("https://api.openai.com/v1"),
    formats: &[Format::OpenAiResponses],
    quirks: Quirks::NONE,
    docs: "https://developers.openai.com/api/reference/resources/responses/methods/create",
    ..Vendor::COMPATIBLE
};
