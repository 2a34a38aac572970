//! Whom we call: one file for each vendor, with its URLs, authentication and classification of answers. The list is the only
//! place that names them all.

mod openai;

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;

/// A vendor.
pub trait Provider: Debug + Send + Sync {
    /// What config calls it, in a group's `providerType`.
    fn name(&self) -> &'static str;

    /// Where chat completions are asked for, below a group's base URL.
    fn chat_path(&self) -> &'static str;

    /// The header that carries `secret`.
    ///
    /// # Errors
    /// When the secret cannot stand in a header.
    fn credential(&self, secret: &str) -> Result<(HeaderName, HeaderValue), http::header::InvalidHeaderValue>;

    /// Whether streams are asked to end with a count of tokens.
    fn reports_usage_on_request(&self) -> bool;

    /// The request to send. `headers` are those of the client that go upstream.
    fn prepare(&self, target: &Target<'_>, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>>;

    /// What an answer means for the request and for the upstream key.
    fn classify(&self, status: StatusCode, headers: &HeaderMap) -> Verdict;
}

/// Where a request goes.
#[derive(Debug)]
pub struct Target<'t> {
    /// The endpoint.
    pub url: &'t Uri,
    /// From [`Provider::credential`].
    pub credential: &'t (HeaderName, HeaderValue),
    /// Headers of the group, over all others.
    pub headers: &'t HeaderMap,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the answer.
    Success,
    /// The request is at fault: the client gets it, and the key is not harmed.
    ClientFault,
    /// The key is to rest, so long if the provider says; another may answer.
    RateLimited(Option<Duration>),
    /// The key does not open the provider; another may.
    KeyRefused,
    /// The provider is at fault; another key may answer.
    Retryable,
    /// Nothing that an API answers with, such as a redirect.
    Unusable(&'static str),
}

/// All vendors of this build.
const PROVIDERS: &[&dyn Provider] = &[&openai::OpenAi];

/// The vendor that config calls `name`.
pub fn by_type(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name() == name)
}
