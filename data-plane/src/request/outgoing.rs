//! A request, written for one candidate.

use std::pin::Pin;

use bytes::Bytes;
use http::Uri;
use tokio::time::Instant;
use translation::ir::Dropped;
use translation::protocol::{Back, Format};

use crate::error::GatewayError;
use crate::route::plan::Candidate;
use crate::upstream::Upstream;

/// What has to be done before a request can be written.
pub type Preparation<'p> = Pin<Box<dyn Future<Output = Result<(), GatewayError>> + Send + 'p>>;

/// What can be sent to a candidate.
pub trait Outbound: Send + Sync {
    /// What has to be waited for before it can be written for `candidate`, `until` then at the latest. None, as is usual: nothing.
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
    /// Where it goes.
    pub uri: Uri,
    /// Its body.
    pub body: Bytes,
    /// The format it is in.
    pub format: Format,
    /// The answer is asked for as a stream.
    pub stream: bool,
    /// How its answer becomes the client's. None: the bytes pass.
    pub conversion: Option<Box<Conversion>>,
}

/// How an answer becomes the client's.
#[derive(Debug)]
pub struct Conversion {
    /// Undoes what was done to the request.
    pub back: Back,
    /// What was left out of the request.
    pub dropped: Dropped,
}
