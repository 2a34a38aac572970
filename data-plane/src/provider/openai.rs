//! OpenAI, and whoever speaks its API at another base URL (<https://platform.openai.com/docs/api-reference>).

use translation::protocol::Format;
use translation::vendor::Vendor;

use super::{Call, Provider, with_query};

/// The base URL ends in the version (`/v1`), as OpenAI's SDKs take it.
#[derive(Debug)]
pub(super) struct OpenAi;

impl Provider for OpenAi {
    fn serves(&self, _vendor: &Vendor) -> bool {
        true
    }

    fn url(&self, base: &str, call: Call<'_>) -> Option<String> {
        Some(match call {
            Call::Chat { format: Format::OpenAiChat, .. } => format!("{base}/chat/completions"),
            Call::Chat { format: Format::OpenAiResponses, .. } => format!("{base}/responses"),
            // Some vendors serve Anthropic's API beside OpenAI's.
            Call::Chat { format: Format::AnthropicMessages, .. } => format!("{base}/messages"),
            Call::Other { format: Format::OpenAiChat | Format::OpenAiResponses, path, query, .. } => {
                with_query(format!("{base}{path}"), query)
            }
            Call::Chat { .. } | Call::Other { .. } => return None,
        })
    }
}
