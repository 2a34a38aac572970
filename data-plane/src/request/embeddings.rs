//! A request for embeddings. It passes as it is to a provider of the client's format, and is translated between
//! OpenAI's and Gemini's (`docs/TRANSLATION.md` section 12).

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use translation::Format;
use translation::ir::TranslateError;
use translation::protocol::embeddings::{Request, gemini, openai};

use super::json::{JsonEndpoint, JsonRequest};
use super::outgoing::{Outbound, Outgoing};
use crate::error::GatewayError;
use crate::provider::Call;
use crate::route::candidate::Candidate;

/// A request for embeddings.
#[derive(Debug)]
pub struct EmbeddingsRequest<'b> {
    /// The request as it came.
    pub json: JsonRequest<'b>,
    body: &'b Bytes,
    format: Format,
    single: bool,
    /// The first text that the next attempt asks for, where the provider does not take all at once.
    first: usize,
    /// The neutral form, read when the first candidate needs it.
    neutral: OnceLock<Result<Request, TranslateError>>,
}

impl<'b> EmbeddingsRequest<'b> {
    /// Reads `body`.
    ///
    /// # Errors
    /// As [`JsonRequest::read`].
    pub fn read(asked: JsonEndpoint<'b>, body: &'b Bytes) -> Result<Self, GatewayError> {
        let (format, single) = (asked.format, asked.path == ":embedContent");
        let json = JsonRequest::read(asked, body)?;
        Ok(Self { json, body, format, single, first: 0, neutral: OnceLock::new() })
    }

    /// The request in the neutral form.
    ///
    /// # Errors
    /// [`GatewayError::Translate`] when the request is malformed, or cannot be translated.
    pub fn neutral(&self) -> Result<&Request, GatewayError> {
        let read = || match (self.format, self.single) {
            (Format::GeminiGenerate, true) => gemini::decode_request(self.body),
            (Format::GeminiGenerate, false) => gemini::decode_batch(self.body),
            _ => openai::decode_request(self.body),
        };
        self.neutral.get_or_init(read).as_ref().map_err(|error| GatewayError::Translate(error.clone()))
    }

    /// Has the next attempt ask for the texts from the one at `first` on.
    pub fn from(&mut self, first: usize) {
        self.first = first;
    }

    fn batch(&self, request: &Request) -> Range<usize> {
        self.first..request.texts.len().min(self.first + gemini::BATCH)
    }
}

impl Outbound for EmbeddingsRequest<'_> {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        let elsewhere = match self.json.write(candidate) {
            Err(error @ GatewayError::NoEndpoint { .. }) => error,
            other => return other,
        };
        let endpoint = candidate.endpoint()?;
        let model = &*candidate.upstream_model;
        let (format, path) = match self.format {
            Format::OpenAiChat => (Format::GeminiGenerate, ":batchEmbedContents"),
            _ => (Format::OpenAiChat, "/embeddings"),
        };
        let Ok(uri) = endpoint.call(Call { format, model, path, query: None }) else { return Err(elsewhere) };
        let request = self.neutral()?;
        let body = if format == Format::GeminiGenerate {
            gemini::encode_batch(request, self.batch(request), model)
        } else {
            openai::encode_request(request, model)
        };
        Ok(Outgoing { beside_chat: true, ..Outgoing::json(uri, body.into(), format) })
    }
}
