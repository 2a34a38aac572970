//! A request about what a provider keeps, such as a file, a batch or a response. It passes as it is.

use bytes::Bytes;
use http::Method;
use translation::Format;

use super::outgoing::{Content, Outbound, Outgoing, Proof};
use crate::error::GatewayError;
use crate::provider::{Call, Endpoint};
use crate::route::candidate::Candidate;

/// A request about what a provider keeps.
#[derive(Clone, Debug)]
pub struct ObjectRequest {
    /// The format whose API has the object.
    pub format: Format,
    /// The method of the request.
    pub method: Method,
    /// The path behind the version.
    pub path: String,
    /// The client's query, without a credential.
    pub query: Option<String>,
    /// The body, which is JSON or empty.
    pub body: Bytes,
}

impl ObjectRequest {
    /// Asks for the object at `path`.
    pub fn get(format: Format, path: String) -> Self {
        Self { format, method: Method::GET, path, query: None, body: Bytes::new() }
    }

    /// Whether `endpoint` may have such an object.
    pub fn is_served(&self, endpoint: &Endpoint) -> bool {
        let call = Call { format: self.format, model: "", path: &self.path, query: None };
        endpoint.call(call).is_ok()
    }
}

impl Outbound for ObjectRequest {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let (format, path, query) = (self.format, self.path.as_str(), self.query.as_deref());
        let uri = candidate.endpoint()?.call(Call { format, model: "", path, query })?;
        Ok(Outgoing {
            method: self.method.clone(),
            content: if self.body.is_empty() { Content::None } else { Content::Json },
            any_answer: true,
            beside_chat: true,
            once: self.method == Method::POST,
            proves: Proof::Nothing,
            ..Outgoing::json(uri, self.body.clone(), format)
        })
    }
}
