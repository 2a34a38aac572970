//! Anthropic (<https://docs.claude.com/en/api/overview>).

use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use translation::protocol::Format;
use translation::vendor::{Auth, Vendor};

use super::{Call, Provider, verdict, versioned, with_query};
use crate::provider::verdict::Verdict;

/// The version that translated requests are written for: newer ones refuse sampling parameters at any value (translation specification, 1.1). A client that
/// speaks the format itself says which it wants.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

#[derive(Debug)]
pub(super) struct Anthropic;

impl Provider for Anthropic {
    fn serves(&self, vendor: &Vendor) -> bool {
        vendor.auth == Auth::XApiKey
    }

    fn url(&self, base: &str, call: Call<'_>) -> Option<String> {
        match call {
            Call::Chat { format: Format::AnthropicMessages, .. } => Some(versioned(base, "v1", "/messages")),
            Call::Other { format: Format::AnthropicMessages, path, query, .. } => {
                Some(with_query(versioned(base, "v1", path), query))
            }
            Call::Chat { .. } | Call::Other { .. } => None,
        }
    }

    fn credential(&self, secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(secret)?;
        value.set_sensitive(true);
        Ok((HeaderName::from_static("x-api-key"), value))
    }

    fn headers(&self, headers: &mut HeaderMap) {
        headers.entry("anthropic-version").or_insert(VERSION);
    }

    fn classify(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        match verdict::usual(status, headers) {
            // Says when its windows are open again, where it gives no pause.
            Verdict::RateLimited(None) => Verdict::RateLimited(verdict::reset(headers, "anthropic-ratelimit-")),
            verdict => verdict,
        }
    }
}
