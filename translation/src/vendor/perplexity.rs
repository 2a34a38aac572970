//! Perplexity: its Agent API, which is compatible with OpenAI's responses: <https://docs.perplexity.ai/docs/agent-api/openai-compatibility>.
//!
//! Models are listed by <https://docs.perplexity.ai/api-reference/models-get>. Sonar's chat completions, at another base URL, came to their end on 27 September 2026
//! (<https://docs.perplexity.ai/docs/agent-api/migrate-from-sonar/overview>).

use super::Vendor;
use crate::protocol::Format;

pub(super) const VENDOR: Vendor = Vendor {
    name: "perplexity",
    title: "Perplexity",
    base_url: Some("https://api.perplexity.ai/v1"),
    formats: &[Format::OpenAiResponses],
    docs: "https://docs.perplexity.ai/docs/agent-api/openai-compatibility",
    ..Vendor::COMPATIBLE
};
