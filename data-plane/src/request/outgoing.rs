//! A request, written for one candidate.

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderValue, Method, Uri};
use tokio::time::Instant;
use translation::Format;
use translation::back::Back;
use translation::format::OptionalField;
use translation::ir::Dropped;
use translation::object::Edits;

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
    /// The body in pieces, in place of `body`, where it is large and nearly all of it is the client's own.
    pub pieces: Vec<Bytes>,
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
    /// How the answer begins.
    pub begins: Begins,
    /// Whether an answer that a provider's filter has left nothing of is none: another model is asked then.
    pub refusable: bool,
    /// What of the request is the gateway's own.
    pub added: Added,
    /// Whether the request is no chat. Keys are often limited to some endpoints, so a key that may not do this may
    /// still be good for chat.
    pub beside_chat: bool,
    /// Whether the request makes or changes something, or costs much: what may have been carried out is not sent again.
    pub once: bool,
    /// What a success says of the upstream key.
    pub proves: Proof,
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
            pieces: Vec::new(),
            content: Content::Json,
            passing: None,
            format,
            stream: false,
            any_answer: false,
            begins: Begins::Any,
            refusable: false,
            added: Added::Nothing,
            beside_chat: false,
            once: false,
            proves: Proof::Key,
            conversion: None,
            dropped: Dropped::default(),
        }
    }

    /// The same with the client's body after `edits`. A large one is not copied.
    pub fn edited(uri: Uri, length: usize, edits: Edits<'_, '_>, format: Format) -> Self {
        if length < IN_PIECES {
            return Self::json(uri, edits.apply(), format);
        }
        let mut pieces = edits.apply_in_pieces();
        let body = if pieces.len() == 1 { pieces.remove(0) } else { Bytes::new() };
        Self { pieces, ..Self::json(uri, body, format) }
    }

    /// Makes one of the pieces of the body, for who has to read it.
    pub fn join(&mut self) {
        if !self.pieces.is_empty() {
            self.body = std::mem::take(&mut self.pieces).concat().into();
        }
    }
}

/// From this size on, in bytes, an edited body is kept in pieces.
const IN_PIECES: usize = 256 * 1024;
/// What an answer is known by once it begins, before which it is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// It is an answer of a chat API.
    Chat,
    /// It is JSON or a stream of another endpoint that a model answers.
    Beside,
    /// Nothing.
    Any,
}

/// What the success of a request says of the upstream key that it was made with. An account without money may still
/// list what it has, and a request that is counted by no limit says nothing of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: the request costs nothing and no limit counts it with those that a model answers.
    Nothing,
    /// The key works for the model. The request costs nothing.
    Model,
    /// The key works, and its account has money.
    Key,
}

/// What of a request the gateway has added. Where a provider refuses that, it is asked again without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Nothing that could be left out.
    Nothing,
    /// The wish that a stream ends with a count of tokens.
    StreamUsage,
    /// All of it: the request was translated.
    All,
}

impl Added {
    /// The fields of a request in `format` that the gateway can leave out again.
    pub fn fields(self, format: Format) -> impl Iterator<Item = &'static OptionalField> {
        format.facts().optional_fields.iter().filter(move |field| match self {
            Self::Nothing => false,
            Self::StreamUsage => field.paths == STREAM_USAGE,
            Self::All => true,
        })
    }
}

/// Where the wish for a count of tokens stands.
const STREAM_USAGE: &[&str] = &["stream_options"];

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
