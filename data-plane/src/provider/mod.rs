//! The providers that we call: where a vendor's endpoints are, how a request shows its credential. The differences
//! between vendors are data, in [`translation::vendors`]; this room reads them.
//!
//! - [`credential`]: how a request proves who sends it.
//! - [`redact`]: takes an upstream key out of an answer that repeats it.

pub mod credential;
pub mod redact;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use shared::snapshot::Group;
use translation::Format;
use translation::protocol::contract::Quirks;
use translation::vendors::{self, Vendor};

use crate::error::GatewayError;

/// What is asked of a provider that is no chat.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// The client's format, whose API has the endpoint.
    pub format: Format,
    /// The vendor's name of the model; empty where the endpoint has none.
    pub model: &'c str,
    /// The path as the client's API has it, behind the version: `/embeddings`, `/messages/count_tokens`,
    /// `:countTokens`.
    pub path: &'c str,
    /// The query, without the question mark.
    pub query: Option<&'c str>,
}

/// The vendor that a group calls, and where its API is.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The vendor.
    pub vendor: &'static Vendor,
    base: Arc<str>,
    api_version: Option<Arc<str>>,
    /// The header that names the version of the API, made once.
    version: Option<(HeaderName, HeaderValue)>,
    /// The chat URLs in which no model stands, made once.
    fixed: Vec<(Format, Uri)>,
}

impl Endpoint {
    /// The endpoint of a group; none for a vendor that this build does not serve, or a base URL that is none.
    pub fn of(group: &Group) -> Option<Self> {
        let vendor = vendors::by_name(&group.provider_type)?;
        let version = vendor
            .version_header(group.api_version.as_deref())
            .and_then(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?)));
        let (base, api_version) = (Arc::clone(&group.base_url), group.api_version.clone());
        let mut endpoint = Self { vendor, base, api_version, version, fixed: Vec::new() };
        for &format in vendor.formats_of("", group.api_version.as_deref()) {
            let url = |model, stream| endpoint.chat_url(format, model, stream);
            let uri = url("m", false).parse().ok()?;
            if url("m", false) == url("n", true) {
                endpoint.fixed.push((format, uri));
            }
        }
        Some(endpoint)
    }

    fn chat_url(&self, format: Format, model: &str, stream: bool) -> String {
        join(&self.base, &self.vendor.path(format, model, stream, self.api_version.as_deref()))
    }

    /// The formats that the vendor takes for `model`, the preferred one first.
    pub fn formats(&self, model: &str) -> &'static [Format] {
        self.vendor.formats_of(model, self.api_version.as_deref())
    }

    /// Where the vendor differs from the owner of the format.
    pub fn quirks(&self) -> &'static Quirks {
        self.vendor.quirks_of(self.api_version.as_deref())
    }

    /// The URL of chat in `format`.
    ///
    /// # Errors
    /// When the model's name cannot stand in a URL.
    pub fn uri(&self, format: Format, model: &str, stream: bool) -> Result<Uri, GatewayError> {
        match self.fixed.iter().find(|(fixed, _)| *fixed == format) {
            Some((_, uri)) => Ok(uri.clone()),
            None => parsed(&self.chat_url(format, model, stream)),
        }
    }

    /// The URL of `call`, which stands beside the chat endpoint of its format.
    ///
    /// # Errors
    /// When the vendor has no such API.
    pub fn call(&self, call: Call<'_>) -> Result<Uri, GatewayError> {
        let missing = || GatewayError::NoEndpoint { vendor: self.vendor.title };
        let served = self.formats(call.model);
        let beside = call.format.facts().beside;
        let format = *beside.iter().find(|format| served.contains(format)).ok_or_else(missing)?;
        let end = format.facts().endpoint.ok_or_else(missing)?;
        let mut chat = self.chat_url(format, call.model, false);
        if call.model.is_empty() {
            // In Azure's older API, endpoints without a model stand beside the deployments.
            chat = chat.replace("/deployments//", "/");
        }
        let (path, version) = chat.split_once('?').map_or((&*chat, None), |(path, query)| (path, Some(query)));
        let mut url = format!("{}{}", path.strip_suffix(end).ok_or_else(missing)?, call.path);
        for query in [version, call.query].into_iter().flatten().filter(|query| !query.is_empty()) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(query);
        }
        parsed(&url)
    }

    /// The URL of the list of models, or of a page of it, which is the name and the value of a parameter.
    ///
    /// # Errors
    /// When the vendor lists none.
    pub fn models(&self, page: Option<(&str, &str)>) -> Result<Uri, GatewayError> {
        let path = self.vendor.models_page(self.api_version.as_deref(), page);
        let path = path.ok_or(GatewayError::NoEndpoint { vendor: self.vendor.title })?;
        parsed(&join(&self.base, &path))
    }

    /// Adds the headers that the vendor demands. Those that the client has sent for the vendor are there already, and
    /// stay.
    pub fn headers(&self, headers: &mut HeaderMap) {
        if let Some((name, value)) = &self.version {
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

fn parsed(url: &str) -> Result<Uri, GatewayError> {
    url.parse().map_err(|_| GatewayError::Internal("the URL of the provider's endpoint is malformed"))
}

/// The URL of `path` below `base`. People paste both `https://host` and `https://host/v1`, so a version at the end of
/// `base` replaces the one at the beginning of `path`.
fn join(base: &str, path: &str) -> String {
    let is_version = |segment: &str| {
        segment.strip_prefix('v').is_some_and(|rest| rest.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
    };
    let first = path[1.min(path.len())..].split(['/', '?']).next().unwrap_or_default();
    if is_version(first) && base.rsplit('/').next().is_some_and(is_version) {
        return format!("{base}{}", &path[1 + first.len()..]);
    }
    format!("{base}{path}")
}

#[cfg(test)]
mod tests;
