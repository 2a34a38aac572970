//! Groq: <https://console.groq.com/docs/api-reference>.
//!
//! `json_schema` and `reasoning_effort` are refused by models that lack them, which are many. Its responses API is a
//! beta without `store`, `include` and `previous_response_id` (<https://console.groq.com/docs/responses-api>), so a
//! client of it is better off translated. Also refused: `logprobs`, `logit_bias`, names of messages
//! (<https://console.groq.com/docs/openai>).

use super::Vendor;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "groq",
    title: "Groq",
    base_url: Some("https://api.groq.com/openai/v1"),
    quirks: Quirks { max_completion_tokens: true, json_schema: false, reasoning_effort: false, ..Quirks::COMPATIBLE },
    docs: "https://console.groq.com/docs/api-reference",
    ..Vendor::COMPATIBLE
};
