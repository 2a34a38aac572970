//! Perplexity: its Agent API, which is compatible with OpenAI's responses:
//! <https://docs.perplexity.ai/docs/agent-api/openai-compatibility>.
//!
//! Models are listed by <https://docs.perplexity.ai/api-reference/models-get>. Sonar's chat completions, at another
//! base URL, were served until 27 September 2026
//! (<https://github.com/vercel/ai/releases/tag/@ai-sdk%2Fperplexity@3.1.0>).

use super::Vendor;
use crate::format::Format;

pub(super) const VENDOR: Vendor = Vendor {
    name: "perplexity",
    title: "Perplexity",
    base_url: Some("https://api.perplexity.ai/v1"),
    formats: &[Format::OpenAiResponses],
    docs: "https://docs.perplexity.ai/docs/agent-api/openai-compatibility",
    ..Vendor::COMPATIBLE
};
