//! A request, written for one candidate.

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderValue, Method, Uri};
use tokio::time::Instant;
use translation::ir::Dropped;
use translation::protocol::{Back, Format};

use super::passing::Passing;
use crate::error::GatewayError;
use crate::route::candidate::Candidate;
use crate::upstream::Upstream;

/// What has to be done before a request can be written.
pub type Preparation<'p> = Pin<Box<dyn Future<Output = Result<(), GatewayError>> + Send + 'p>>;

/// What can be sent to a candidate.
pub trait Outbound: Send + Sync {
    /// What has to be waited for before it can be written for `candidate`, `until` then at the latest. None, as is
    /// usual: nothing.
    fn prepare<'p>(
        &'p self,
        _candidate: &'p Candidate,
        _upstream: &'p Upstream,
        _until: Instant,
    ) -> Option<Preparation<'p>> {
        None
    }

    /// Writes it for `candidate`.
    ///
    /// # Errors
    /// [`GatewayError`]: this candidate cannot be asked for that; another may.
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError>;
}

/// A request, written for one candidate.
#[derive(Debug)]
pub struct Outgoing {
    /// How it is sent.
    pub method: Method,
    /// Where it goes.
    pub uri: Uri,
    /// Its body.
    pub body: Bytes,
    /// What the body is.
    pub content: Content,
    /// Instead of `body`, one that is not held.
    pub passing: Option<Passing>,
    /// The format it is in.
    pub format: Format,
    /// The answer is asked for as a stream.
    pub stream: bool,
    /// The answer may be of any type, such as sound.
    pub any_answer: bool,
    /// It is no chat: keys are often allowed one thing and not another, so what is forbidden here says nothing of what
    /// the key is good for.
    pub beside_chat: bool,
    /// How its answer becomes the client's. None: the bytes pass.
    pub conversion: Option<Box<Conversion>>,
}

impl Outgoing {
    /// A JSON body for a JSON answer.
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
        }
    }
}

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is none.
    None,
    /// JSON.
    Json,
    /// What its `Content-Type` says.
    Typed(HeaderValue),
}

/// How an answer becomes the client's.
#[derive(Debug, Default)]
pub struct Conversion {
    /// Undoes what was done to the request.
    pub back: Back,
    /// What was left out of the request.
    pub dropped: Dropped,
}
