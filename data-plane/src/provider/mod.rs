//! Whom we call: where a vendor's endpoints are, how a request shows its credential, and what an answer means. What is only data about a vendor
//! stands in [`translation::vendor`]; here is one file for each way of doing it.
//!
//! - [`openai`]: OpenAI and whoever is compatible.
//! - [`anthropic`], [`gemini`]: these.
//! - [`azure`]: OpenAI's API at Azure.
//! - [`verdict`]: what an answer means for the request and for the upstream key.

mod anthropic;
mod azure;
mod gemini;
mod openai;
pub mod verdict;

use std::fmt::Debug;
use std::sync::Arc;

use http::header::InvalidHeaderValue;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use translation::protocol::{Format, Quirks};
use translation::vendor::{self, Vendor};

use crate::error::GatewayError;
use verdict::Verdict;

/// A way of calling vendors.
pub trait Provider: Debug + Send + Sync {
    /// The vendors that are called so.
    fn serves(&self, vendor: &Vendor) -> bool;

    /// Where `call` goes, below `base`, a base URL without a trailing slash. None where the vendor has no such endpoint.
    fn url(&self, base: &str, call: Call<'_>) -> Option<String>;

    /// Whether the URL of chat depends on nothing but the base URL and the format.
    fn fixed_urls(&self) -> bool {
        true
    }

    /// The header that carries `secret`.
    ///
    /// # Errors
    /// When the secret cannot stand in a header.
    fn credential(&self, secret: &str) -> Result<(HeaderName, HeaderValue), InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {secret}"))?;
        value.set_sensitive(true);
        Ok((http::header::AUTHORIZATION, value))
    }

    /// Adds the headers that the vendor demands. Those of the client that are meant for the vendor are there already.
    fn headers(&self, _headers: &mut HeaderMap) {}

    /// What an answer means for the request and for the upstream key.
    fn classify(&self, status: StatusCode, headers: &HeaderMap) -> Verdict {
        verdict::usual(status, headers)
    }
}

/// What is asked of a provider.
#[derive(Clone, Copy, Debug)]
pub enum Call<'c> {
    /// A chat answer.
    Chat {
        /// In which format.
        format: Format,
        /// The vendor's name of the model.
        model: &'c str,
        /// As a stream.
        stream: bool,
    },
    /// Another endpoint of the vendor's API.
    Other {
        /// The client's format, whose API has the endpoint.
        format: Format,
        /// The vendor's name of the model; empty where the endpoint has none.
        model: &'c str,
        /// The path as the client's API has it, behind the version: `/embeddings`, `/messages/count_tokens`, `:countTokens`.
        path: &'c str,
        /// Without the question mark.
        query: Option<&'c str>,
    },
}

/// All ways of this build. The last one takes whatever is compatible with OpenAI.
const PROVIDERS: &[&dyn Provider] = &[&anthropic::Anthropic, &gemini::Gemini, &azure::Azure, &openai::OpenAi];

/// Whom a group calls, and where.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The vendor.
    pub vendor: &'static Vendor,
    /// How it is called.
    pub provider: &'static dyn Provider,
    base: Arc<str>,
    /// Made once where they are always the same.
    fixed: Vec<(Format, Uri)>,
}

impl Endpoint {
    /// The endpoint of a group; none for a vendor that this build does not serve, or a base URL that is none.
    pub fn of(provider_type: &str, base: &Arc<str>) -> Option<Self> {
        let vendor = vendor::by_name(provider_type)?;
        let provider = *PROVIDERS.iter().find(|provider| provider.serves(vendor))?;
        let mut fixed = Vec::new();
        for &format in vendor.formats {
            let call = Call::Chat { format, model: "", stream: false };
            let url = provider.url(base, call)?.parse().ok()?;
            if provider.fixed_urls() {
                fixed.push((format, url));
            }
        }
        Some(Self { vendor, provider, base: Arc::clone(base), fixed })
    }

    /// Whether it takes `format` as it is.
    pub fn speaks(&self, format: Format) -> bool {
        self.vendor.formats.contains(&format)
    }

    /// The format to translate into.
    pub fn preferred(&self) -> Format {
        self.vendor.formats.first().copied().unwrap_or(Format::OpenAiChat)
    }

    /// Where it differs from the owner of the format.
    pub fn quirks(&self) -> &'static Quirks {
        &self.vendor.quirks
    }

    /// Where chat in `format` is asked for.
    ///
    /// # Errors
    /// When the model's name cannot stand in a URL.
    pub fn uri(&self, format: Format, model: &str, stream: bool) -> Result<Uri, GatewayError> {
        if let Some((_, uri)) = self.fixed.iter().find(|(fixed, _)| *fixed == format) {
            return Ok(uri.clone());
        }
        self.call(Call::Chat { format, model, stream })
    }

    /// Where `call` goes.
    ///
    /// # Errors
    /// When the vendor has no such endpoint, or a name cannot stand in a URL.
    pub fn call(&self, call: Call<'_>) -> Result<Uri, GatewayError> {
        let url = self.provider.url(&self.base, call).ok_or(GatewayError::NoEndpoint { vendor: self.vendor.title })?;
        url.parse().map_err(|_| GatewayError::Internal("the URL of the provider's endpoint is malformed"))
    }
}

/// `base` with `path` behind it, and `version` between them unless the operator gave it: both `https://host` and `https://host/v1` are
/// what people paste.
fn versioned(base: &str, version: &str, path: &str) -> String {
    let has_version = base.rsplit('/').next().is_some_and(|last| {
        last.strip_prefix('v').is_some_and(|rest| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
    });
    if has_version { format!("{base}{path}") } else { format!("{base}/{version}{path}") }
}

/// `name` as one segment of a path.
fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'@') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A query, with its question mark.
fn with_query(mut url: String, query: Option<&str>) -> String {
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str(query);
    }
    url
}

#[cfg(test)]
mod tests;
