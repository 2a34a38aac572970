//! How a provider's answer begins. Nothing of it is taken for an answer before it has said something: until then an
//! error is an error, whatever the status, and another key or group may be asked.
//!
//! - [`open`]: waits for the beginning. [`ProviderBody`] is the body with what has been read of it in front.
//! - [`mod@whole`]: an answer that is read whole; `held`: a stream that is held back; `looks`: which of the two it is.

mod body;
mod held;
mod looks;
pub mod whole;

use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;
use translation::Format;
use translation::ir::{self, ErrorKind, Finish, Part, ProviderError, Usage};

use crate::body::collect::Patience;
use crate::body::unpack::is_packed;
use crate::error::GatewayError;

pub use body::ProviderBody;
pub use looks::{is_json, is_stream};

use held::Hold;
use looks::Looks;
use whole::Read;

/// Largest size of an answer whose bytes pass that is read whole, in bytes. Larger ones are written on as they come.
pub const HELD: usize = 1024 * 1024;

/// What an answer is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// An answer of the chat API of this format. Its bytes pass, or it is converted.
    Chat {
        /// The format of the answer.
        format: Format,
        /// Whether the client gets the bytes as they are.
        passes: bool,
        /// Whether it is no answer where it ends well and holds nothing.
        says: bool,
        /// Whether it is no answer where the provider's filter has left nothing of it.
        refusable: bool,
    },
    /// An answer of another endpoint beside that of this format: JSON, or a stream.
    Beside(Format),
    /// Anything, of which nothing is known.
    Any,
}

/// An answer that has begun.
#[derive(Debug)]
pub enum Opened {
    /// A stream that has begun to say something.
    Stream(ProviderBody),
    /// A whole answer of the format that was expected, whose bytes pass, and the usage that it reports.
    Whole(Bytes, Option<Usage>),
    /// A whole answer, read for a client of another format.
    Decoded(Box<ir::Response>),
    /// An answer of which no more is known than its first bytes.
    Unread(ProviderBody),
}

/// Why an answer with the status of success is none.
#[derive(Debug)]
pub enum OpeningFault {
    /// The provider says that it failed.
    Said {
        /// What it says.
        error: Box<ProviderError>,
        /// Its words, where they are a document of their own.
        document: Bytes,
        /// The tokens that it reports all the same.
        usage: Option<Box<Usage>>,
    },
    /// No answer has come.
    Missing(GatewayError),
}

impl From<GatewayError> for OpeningFault {
    fn from(error: GatewayError) -> Self {
        Self::Missing(error)
    }
}

impl Opened {
    /// Whether the answer is a stream. `head` is that of the answer.
    pub fn streams(&self, head: &Parts) -> bool {
        match self {
            Self::Stream(_) => true,
            Self::Whole(..) | Self::Decoded(_) => false,
            Self::Unread(_) => is_stream(&head.headers),
        }
    }

    /// The body of the answer. An answer that was read for a client of another format has none.
    pub fn into_body(self) -> ProviderBody {
        match self {
            Self::Stream(body) | Self::Unread(body) => body,
            Self::Whole(body, _) => ProviderBody::whole(body),
            Self::Decoded(_) => ProviderBody::whole(Bytes::new()),
        }
    }
}

/// How long a stream is held back once it has begun, until it says something.
const HOLD: Duration = Duration::from_secs(10);

/// Waits until the answer with this `head` has begun, and finds out what it is.
///
/// # Errors
/// [`OpeningFault`]: it is no answer.
pub async fn open(
    expected: Expected,
    head: &Parts,
    body: Incoming,
    patience: Patience,
) -> Result<Opened, OpeningFault> {
    let labelled = is_stream(&head.headers);
    let body = ProviderBody::unread(body);
    let (format, passes, chat, wants) = match expected {
        Expected::Chat { format, passes, says, refusable } => (format, passes, true, Wants { says, refusable }),
        Expected::Beside(format) if labelled || is_json(&head.headers) => (format, true, false, Wants::default()),
        // What looks like text may be sound.
        Expected::Beside(_) | Expected::Any => return Ok(Opened::Unread(body)),
    };
    if is_packed(&head.headers) {
        return match (labelled, chat) {
            (true, _) => Err(GatewayError::Unusable("it is a compressed stream, which was not asked for").into()),
            (false, true) => whole(format, head, body, (passes, wants), patience).await,
            (false, false) => Ok(Opened::Unread(body)),
        };
    }
    let (body, looks) = looks::look(format, body, patience.first).await?;
    let streams = match looks {
        Looks::Stream => true,
        Looks::Json => false,
        Looks::Nothing if chat || labelled => {
            let why = if labelled { "it is an empty stream" } else { "it is empty" };
            return Err(GatewayError::Unusable(why).into());
        }
        Looks::Nothing | Looks::Other => labelled,
    };
    match (streams, chat) {
        (true, _) => {
            let hold = Hold { format, passes, chat, wants, until: Instant::now() + HOLD, patience };
            held::hold(body, hold).await.map(Opened::Stream)
        }
        (false, true) => whole(format, head, body, (passes, wants), patience).await,
        (false, false) => beside(format, head, body, patience).await,
    }
}

/// Reads a whole answer of a chat API.
async fn whole(
    format: Format,
    head: &Parts,
    body: ProviderBody,
    (passes, wants): (bool, Wants),
    patience: Patience,
) -> Result<Opened, OpeningFault> {
    let protocol = format.protocol();
    if !passes {
        let body = whole::whole(head, body, patience).await?;
        return match protocol.decode_response(&body) {
            Ok(response) => {
                wants.satisfied_by(&response, format, &body)?;
                Ok(Opened::Decoded(Box::new(response)))
            }
            Err(error) => Err(said(format, error, body)),
        };
    }
    let body = match whole::read(head, body, HELD, patience).await? {
        Read::Whole(body) => body,
        Read::Larger { start, rest } => return Ok(Opened::Unread(rest.behind(start))),
    };
    if body.trim_ascii().is_empty() {
        return Err(GatewayError::Unusable("it is empty").into());
    }
    if std::str::from_utf8(&body).is_err() {
        return Err(GatewayError::Unusable("its text is not UTF-8").into());
    }
    let usage = protocol.usage(&body).map_err(|_| GatewayError::Unusable("it is not JSON"))?;
    if usage.is_none() && !body.trim_ascii_start().starts_with(b"{") {
        return Err(GatewayError::Unusable("it is no JSON object").into());
    }
    // An answer that its provider keeps may be one that is still to be made, which has no usage.
    let doubtful = (usage.is_none() && !format.facts().keeps_answers) || whole::may_be_error(&body);
    if doubtful || wants.says || wants.refusable {
        match protocol.decode_response(&body) {
            Ok(response) => wants.satisfied_by(&response, format, &body)?,
            // What is not read otherwise passes as it is.
            Err(error) if doubtful => return Err(said(format, error, body)),
            _ => {}
        }
    }
    Ok(Opened::Whole(body, usage))
}

/// The error of an answer that ends well and holds nothing.
const EMPTY: GatewayError = GatewayError::Unusable("it holds nothing");

/// What an answer must be, beside well formed.
#[derive(Clone, Copy, Debug, Default)]
struct Wants {
    /// It must not end well and hold nothing.
    says: bool,
    /// The provider's filter must have left something of it.
    refusable: bool,
}

impl Wants {
    /// Whether `response`, which was read from `body`, is such an answer.
    fn satisfied_by(self, response: &ir::Response, format: Format, body: &Bytes) -> Result<(), OpeningFault> {
        if self.says && is_empty(response) {
            return Err(EMPTY.into());
        }
        if self.refusable && is_filtered(response) {
            let usage = format.protocol().usage(body).ok().flatten().map(Box::new);
            return Err(OpeningFault::Said { error: Box::new(filtered()), document: Bytes::new(), usage });
        }
        Ok(())
    }
}

/// The error of an answer of which a provider's filter has left nothing.
fn filtered() -> ProviderError {
    ProviderError::new(ErrorKind::InvalidRequest, "the provider's filter has refused to answer").code("content_filter")
}

/// Whether the provider's filter has left nothing of the answer but words that say so.
fn is_filtered(response: &ir::Response) -> bool {
    let silent = |part: &Part| match part {
        Part::Text { text, .. } => text.is_empty(),
        part => matches!(part, Part::Refusal(_)),
    };
    let filtered =
        |choice: &ir::Choice| choice.finish == Some(Finish::ContentFilter) && choice.parts.iter().all(silent);
    !response.choices.is_empty() && response.choices.iter().all(filtered)
}

/// Whether the model has stopped as if it had said all, and has said nothing: no word, no thought, no call.
fn is_empty(response: &ir::Response) -> bool {
    response.choices.iter().all(|choice| {
        let silent = |part: &Part| matches!(part, Part::Text { text, .. } if text.is_empty());
        choice.finish == Some(Finish::Stop) && choice.parts.iter().all(silent)
    })
}

fn said(format: Format, error: ProviderError, body: Bytes) -> OpeningFault {
    let usage = format.protocol().usage(&body).ok().flatten();
    let document = if whole::is_error(&body) { body } else { Bytes::new() };
    OpeningFault::Said { error: Box::new(error), document, usage: usage.map(Box::new) }
}

/// Reads the beginning of a JSON answer of an endpoint beside chat. Only an error document is none.
async fn beside(format: Format, head: &Parts, body: ProviderBody, patience: Patience) -> Result<Opened, OpeningFault> {
    if !body.begins().is_some_and(whole::may_begin_error) {
        return Ok(Opened::Unread(body));
    }
    match whole::read(head, body, whole::LONGEST_ERROR, patience).await? {
        Read::Whole(body) if whole::is_error(&body) => match format.protocol().decode_response(&body) {
            Err(error) => Err(OpeningFault::Said { error: Box::new(error), document: body, usage: None }),
            Ok(_) => Ok(Opened::Unread(ProviderBody::whole(body))),
        },
        Read::Whole(body) => Ok(Opened::Unread(ProviderBody::whole(body))),
        Read::Larger { start, rest } => Ok(Opened::Unread(rest.behind(start))),
    }
}

#[cfg(test)]
mod tests;
