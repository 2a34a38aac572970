//! What the listener itself refuses, whatever is asked for.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode, Version, request};
use serde_json::json;

use crate::ids::new_id;

/// Why the listener refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request names no host, or more than one (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
    Host,
    /// So many connections have requests under way that there is room for nothing but the probes.
    Crowded,
}

/// Writes the answer to a request that the listener refuses.
pub type Refuse = fn(&request::Parts, Fault) -> Response;

impl Fault {
    /// What is wrong with `request`.
    pub(super) fn of<B>(request: &Request<B>) -> Option<Self> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (first, second) = (hosts.next(), hosts.next());
        let authority = request.uri().authority();
        let valid = match (first, second) {
            (_, Some(_)) => false,
            (None, None) => {
                request.version() < Version::HTTP_11 || (request.version() >= Version::HTTP_2 && authority.is_some())
            }
            (Some(host), None) => {
                let names_one = !host.as_bytes().iter().any(|byte| b" ,/?#@\\".contains(byte));
                let same = request.version() < Version::HTTP_2
                    || authority
                        .is_none_or(|authority| authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()));
                names_one && same
            }
        };
        (!valid).then_some(Self::Host)
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::BAD_REQUEST,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What is told to the client.
    pub fn words(self) -> &'static str {
        match self {
            Self::Host => "the request must name exactly one host, in one 'Host' header",
            Self::Crowded => "this server has as many connections as it can hold; try again shortly",
        }
    }

    /// How long a client is to wait, in seconds.
    pub fn retry_after(self) -> Option<u64> {
        (self == Self::Crowded).then_some(1)
    }
}

/// The answer as a problem document (RFC 9457).
pub fn problem(_request: &request::Parts, fault: Fault) -> Response {
    let status = fault.status();
    let title = status.canonical_reason().unwrap_or_default();
    let document = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": fault.words() });
    let mut response = Response::new(Body::from(document.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.extend(HeaderValue::from_str(&new_id()).ok().map(|id| (http::HeaderName::from_static("x-request-id"), id)));
    headers.extend(fault.retry_after().map(|pause| (RETRY_AFTER, HeaderValue::from(pause))));
    response
}

#[cfg(test)]
mod tests;
