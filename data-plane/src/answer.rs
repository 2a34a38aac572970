//! What a walk over a plan ends in: the answer of a provider whose body is to come, or why there is none.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use translation::Format;
use translation::ir::{Dropped, ProviderError, Usage};

use crate::error::GatewayError;
use crate::opening::Opened;
use crate::request::Conversion;
use crate::route::candidate::Candidate;

/// A provider's answer, which has begun.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: Parts,
    /// What has come of the body, and the rest of it.
    pub opened: Opened,
    /// Who answers.
    pub candidate: Candidate,
    /// The format of the body.
    pub format: Format,
    /// How the body becomes the client's. Without one, its bytes pass.
    pub conversion: Option<Box<Conversion>>,
    /// What was left out of a request that passed.
    pub dropped: Dropped,
    /// When all of it has to be there, where its group says so.
    pub end: Option<Instant>,
}

/// Why a walk ended without an answer.
#[derive(Debug)]
pub enum Failure {
    /// No provider gave a status of its own that the client may see.
    Gateway(GatewayError),
    /// What a provider said.
    Provider(Box<ProviderAnswer>),
}

/// The error answer of a provider.
#[derive(Debug)]
pub struct ProviderAnswer {
    /// The status of the answer.
    pub status: StatusCode,
    /// The headers of the answer.
    pub headers: HeaderMap,
    /// The body of the answer, unpacked. It is empty where none came in time.
    pub body: Bytes,
    /// Who answered.
    pub candidate: Candidate,
    /// The format of the body.
    pub format: Format,
    /// What the body says, independent of its format.
    pub error: ProviderError,
    /// The tokens that the provider reports all the same.
    pub usage: Option<Usage>,
}

impl Answer {
    /// Whether the answer is a stream.
    pub fn streams(&self) -> bool {
        self.opened.streams(&self.head)
    }
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        Self::Gateway(error)
    }
}
