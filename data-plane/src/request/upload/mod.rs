//! A multipart request (`multipart/form-data`, RFC 7578): sound to transcribe, images to edit, files. The model stands
//! in one of its fields, which may come behind the file. The request is read until the model is known and then sent on
//! as it comes, so that uploads of any length cost the same memory.
//!
//! - [`scanner`]: finds the model in the bytes; [`part`] reads the headers of its parts.
//! - [`body`]: holds what came before the model was known, and streams the rest behind it.
//!
//! A request that fits into memory whole can be sent to a further candidate, like any other. A larger one makes a
//! single attempt, because its body is partly gone when the attempt fails.

pub mod body;
pub mod part;
pub mod scanner;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::time::{Instant, timeout_at};
use translation::Format;
use translation::ir::TranslateError;

use self::body::{Held, Incoming, Uploading};
use self::scanner::{ModelField, Scanner};
use super::decisive;
use super::model::missing_model;
use super::outgoing::{Content, Outbound, Outgoing, Proof};
use super::passing::{Passing, UploadProgress};
use crate::body::unpack::is_packed;
use crate::error::GatewayError;
use crate::limits::RequestLimits;
use crate::provider::Call;
use crate::route::candidate::Candidate;

/// How much of an upload is held in memory, in bytes.
pub const HELD: usize = 1024 * 1024;

/// Where an upload goes.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The path behind the version.
    pub path: &'static str,
    /// The client's query, without a credential.
    pub query: Option<String>,
    /// Whether the upload is for a model at all.
    pub has_model: bool,
    /// The model that the provider takes where the request names none.
    pub default_model: Option<&'static str>,
}

/// A multipart request, read until it is known which model it is for.
#[derive(Debug)]
pub struct UploadRequest {
    destination: Destination,
    content_type: HeaderValue,
    boundary: String,
    field: Option<ModelField>,
    /// The model, as the client named it. Empty where the upload is for none.
    pub model: String,
    /// The body. None once it has been sent without being held whole.
    upload: Mutex<Option<Upload>>,
    progress: Arc<UploadProgress>,
}

#[derive(Debug)]
struct Upload {
    held: Held,
    rest: Option<Incoming>,
    /// The length of the whole in bytes, where the client says.
    length: Option<u64>,
}

impl UploadRequest {
    /// Reads `body` until the model is known, or there is none.
    ///
    /// # Errors
    /// [`GatewayError`]: the body is no multipart, names no model, is too large, too slow, or breaks off.
    pub async fn read(
        destination: Destination,
        headers: &HeaderMap,
        body: Body,
        limits: &RequestLimits,
    ) -> Result<Self, GatewayError> {
        let content_type = headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(""));
        let wrong = || {
            let problem = "the request must be multipart/form-data, and its Content-Type must name one boundary";
            GatewayError::field(TranslateError::invalid("body", problem))
        };
        let boundary = part::boundary(&content_type).ok_or_else(wrong)?;
        let content_type = part::content_type(&boundary).ok_or_else(wrong)?;
        decisive::check_query(destination.query.as_deref())?;
        if is_packed(headers) {
            let encoding = headers.get(http::header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
            return Err(GatewayError::Encoding(encoding.unwrap_or_default().to_owned()));
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > limits.max_upload_bytes) {
            return Err(body::too_large(limits.max_upload_bytes));
        }
        let progress = Arc::new(UploadProgress::default());
        let mut incoming = Incoming::new(body, Scanner::new(&boundary), limits, Arc::clone(&progress));
        let mut held = Held::new(HELD, limits);
        let mut whole = false;
        let until = Instant::now() + limits.upload_wait;
        // A small upload is held whole, so that it can be tried again. A large one is held until its model is known.
        while held.fits() || (destination.has_model && incoming.field().is_none()) {
            let next = timeout_at(until, incoming.next()).await.map_err(|_elapsed| GatewayError::BodyTimeout)?;
            let Some(data) = next? else {
                whole = true;
                break;
            };
            held.push(data).await?;
        }
        if whole && !incoming.is_complete() {
            return Err(body::unclosed());
        }
        held.rewind().await?;
        let field = incoming.field().cloned();
        let model = match (&field, destination.has_model) {
            (_, false) => String::new(),
            (Some(field), true) => field.value.clone(),
            (None, true) => destination.default_model.ok_or_else(missing_model)?.to_owned(),
        };
        let upload = Upload { held, rest: (!whole).then_some(incoming), length };
        Ok(Self { destination, content_type, boundary, field, model, upload: Mutex::new(Some(upload)), progress })
    }

    /// Bytes that have come from the client so far.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes()
    }

    /// The bytes that replace the client's name of the model for `candidate`, and where. None where the names are the
    /// same.
    fn replacement<'c>(&self, candidate: &'c Candidate) -> Option<(Range<u64>, Cow<'c, [u8]>)> {
        let model = &*candidate.upstream_model;
        if !self.destination.has_model || *model == *self.model {
            return None;
        }
        if let Some(field) = &self.field {
            return Some((field.range.clone(), model.as_bytes().into()));
        }
        // Config maps the default model to another than the provider's own. The provider is told in a field before the
        // others.
        let disposition = "Content-Disposition: form-data; name=\"model\"";
        let part = format!("--{}\r\n{disposition}\r\n\r\n{model}\r\n", self.boundary);
        Some((0..0, part.into_bytes().into()))
    }
}

impl Outbound for UploadRequest {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let Destination { path, query, .. } = &self.destination;
        let (format, model) = (Format::OpenAiChat, &*candidate.upstream_model);
        let uri = candidate.endpoint()?.call(Call { format, model, path, query: query.as_deref() })?;
        let replaced = self.replacement(candidate);
        let replaced = replaced.as_ref().map(|(range, value)| (range.clone(), &**value));
        let mut slot = self.upload.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = GatewayError::Internal("an upload that is not held can be sent once");
        let upload = slot.as_ref().ok_or(sent)?;
        let outgoing = Outgoing {
            content: Content::Typed(self.content_type.clone()),
            any_answer: true,
            beside_chat: true,
            once: true,
            proves: if self.destination.has_model { Proof::Key } else { Proof::Nothing },
            ..Outgoing::json(uri, bytes::Bytes::new(), format)
        };
        if upload.rest.is_none()
            && let Some(body) = upload.held.whole(replaced.clone())
        {
            return Ok(Outgoing { body, ..outgoing });
        }
        let Some(Upload { held, rest, length }) = slot.take() else {
            return Err(GatewayError::Internal("an upload that is not held can be sent once"));
        };
        let body = UnsyncBoxBody::new(Uploading::new(held, replaced, rest, length, Arc::clone(&self.progress)));
        Ok(Outgoing { passing: Some(Passing { body, progress: Arc::clone(&self.progress) }), ..outgoing })
    }
}

#[cfg(test)]
mod tests;
