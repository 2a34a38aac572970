//! OpenAI's API at Azure (<https://learn.microsoft.com/azure/ai-foundry/openai/latest>).
//!
//! A base URL that ends in `/openai/v1` is the newer API, whose paths are OpenAI's. Any other is a resource
//! (`https://NAME.openai.azure.com`), where a model is a deployment in the path and the API's version stands in the query.

use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue};
use translation::protocol::Format;
use translation::vendor::{Auth, Vendor};

use super::{Call, Provider, segment, with_query};

/// The last version of the deployment API that is generally available.
const API_VERSION: &str = "2024-10-21";

#[derive(Debug)]
pub(super) struct Azure;

impl Provider for Azure {
    fn serves(&self, vendor: &Vendor) -> bool {
        vendor.auth == Auth::AzureApiKey
    }

    fn url(&self, base: &str, call: Call<'_>) -> Option<String> {
        let (model, path, query) = match call {
            Call::Chat { format: Format::OpenAiChat, model, .. } => (model, "/chat/completions", None),
            Call::Chat { format: Format::OpenAiResponses, model, .. } => (model, "/responses", None),
            Call::Other { format: Format::OpenAiChat | Format::OpenAiResponses, model, path, query } => {
                (model, path, query)
            }
            Call::Chat { .. } | Call::Other { .. } => return None,
        };
        // The operator may have put the version of the API into the base URL.
        let (base, version) = base.split_once("?api-version=").unwrap_or((base, API_VERSION));
        if base.ends_with("/v1") {
            return Some(with_query(format!("{base}{path}"), query));
        }
        let base = base.strip_suffix("/openai").unwrap_or(base);
        let url = if model.is_empty() || path == "/responses" {
            format!("{base}/openai{path}?api-version={version}")
        } else {
            format!("{base}/openai/deployments/{}{path}?api-version={version}", segment(model))
        };
        Some(with_query(url, query))
    }

    fn fixed_urls(&self) -> bool {
        false
    }

    fn credential(&self, secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(secret)?;
        value.set_sensitive(true);
        Ok((HeaderName::from_static("api-key"), value))
    }
}
