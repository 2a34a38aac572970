//! Mistral AI: <https://docs.mistral.ai/api>.
//!
//! It refuses fields that it does not know, `stream_options.include_usage` among them
//! (<https://github.com/openai/openai-agents-python/issues/442>), and reports usage at the end of each stream unasked.
//! `reasoning_effort` is for few models and words. To make a model call a tool it says `any`. Ids of tool calls are
//! nine letters and digits.

use super::Vendor;
use crate::protocol::contract::Quirks;

pub(super) const VENDOR: Vendor = Vendor {
    name: "mistral",
    title: "Mistral AI",
    base_url: Some("https://api.mistral.ai/v1"),
    quirks: Quirks {
        reasoning_effort: false,
        stream_usage: false,
        required_word: "any",
        call_id_length: Some(9),
        ..Quirks::COMPATIBLE
    },
    docs: "https://docs.mistral.ai/api",
    ..Vendor::COMPATIBLE
};
