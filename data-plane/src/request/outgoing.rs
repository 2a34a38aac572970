//! A request, written for one candidate.

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderValue, Method, Uri};
use tokio::time::Instant;
use translation::Format;
use translation::back::Back;
use translation::ir::Dropped;

use super::passing::Passing;
use crate::error::GatewayError;
use crate::route::candidate::Candidate;
use crate::upstream::Upstream;

/// Work that has to be done before a request can be written.
pub type Preparation<'p> = Pin<Box<dyn Future<Output = Result<(), GatewayError>> + Send + 'p>>;

/// A request that can be sent to a candidate.
pub trait Outbound: Send + Sync {
    /// Work that has to be done, `until` then at the latest, before the request can be written for `candidate`. Most
    /// requests have none.
    fn prepare<'p>(
        &'p self,
        _candidate: &'p Candidate,
        _upstream: &'p Upstream,
        _until: Instant,
    ) -> Option<Preparation<'p>> {
        None
    }

    /// Writes the request for `candidate`.
    ///
    /// # Errors
    /// [`GatewayError`] when this candidate cannot be asked for it. Another candidate may.
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError>;
}

/// A request, written for one candidate.
#[derive(Debug)]
pub struct Outgoing {
    /// The method of the request.
    pub method: Method,
    /// The URL of the request.
    pub uri: Uri,
    /// The body of the request.
    pub body: Bytes,
    /// What the body is.
    pub content: Content,
    /// A body that is not held, in place of `body`.
    pub passing: Option<Passing>,
    /// The format of the request.
    pub format: Format,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// Whether the answer may be of any type, such as sound.
    pub any_answer: bool,
    /// Whether the request is no chat. Keys are often limited to some endpoints, so a key that may not do this may
    /// still be good for chat.
    pub beside_chat: bool,
    /// How the provider's answer becomes the client's. None where the bytes pass.
    pub conversion: Option<Box<Conversion>>,
    /// What was left out of a request that passes.
    pub dropped: Dropped,
}

impl Outgoing {
    /// A request with a JSON body, for a JSON answer.
    pub fn json(uri: Uri, body: Bytes, format: Format) -> Self {
        Self {
            method: Method::POST,
            uri,
            body,
            content: Content::Json,
            passing: None,
            format,
            stream: false,
            any_answer: false,
            beside_chat: false,
            conversion: None,
            dropped: Dropped::default(),
        }
    }
}

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is no body.
    None,
    /// The body is JSON.
    Json,
    /// The body is what this `Content-Type` says.
    Typed(HeaderValue),
}

/// How a provider's answer becomes the client's.
#[derive(Debug, Default)]
pub struct Conversion {
    /// Undoes what translation did to the request.
    pub back: Back,
    /// What translation left out of the request.
    pub dropped: Dropped,
}
