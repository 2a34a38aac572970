//! A request for embeddings. It passes as it is to a provider of the client's format, and is translated between
//! OpenAI's and Gemini's (`docs/TRANSLATION.md` section 12).

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use translation::Format;
use translation::ir::TranslateError;
use translation::protocol::embeddings::{EmbeddingsInput, EmbeddingsProtocol};

use super::json::{JsonEndpoint, JsonRequest};
use super::outgoing::{Begins, Outbound, Outgoing};
use crate::body::growth::Growth;
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
    protocol: &'static dyn EmbeddingsProtocol,
    /// The first text that the next attempt asks for, where the provider does not take all at once.
    first: usize,
    /// The neutral form, read when the first candidate needs it.
    neutral: OnceLock<Result<EmbeddingsInput, TranslateError>>,
}

impl<'b> EmbeddingsRequest<'b> {
    /// Reads `body`.
    ///
    /// # Errors
    /// As [`JsonRequest::read`].
    pub fn read(asked: JsonEndpoint<'b>, body: &'b Bytes) -> Result<Self, GatewayError> {
        let format = asked.format;
        let protocol =
            format.embeddings().ok_or(GatewayError::Internal("clients of this API ask for no embeddings"))?;
        let json = JsonRequest::read(asked, body)?;
        Ok(Self { json, body, format, protocol, first: 0, neutral: OnceLock::new() })
    }

    /// Whether the client wants its vectors in base64, as OpenAI's packages do by themselves.
    pub fn wants_base64(&self) -> bool {
        self.json.text("encoding_format").as_deref() == Some("base64")
    }

    /// The request in the neutral form.
    ///
    /// # Errors
    /// [`GatewayError::Translate`] when the request is malformed, or cannot be translated.
    pub fn neutral(&self) -> Result<&EmbeddingsInput, GatewayError> {
        Growth::of(self.body).check_values()?;
        let read = || self.protocol.decode_request(&self.json.asked.path, self.body);
        self.neutral.get_or_init(read).as_ref().map_err(|error| GatewayError::Translate(error.clone()))
    }

    /// Has the next attempt ask for the texts from the one at `first` on.
    pub fn from(&mut self, first: usize) {
        self.first = first;
    }

    /// The texts of `input` that the next attempt asks a provider for that speaks `protocol`.
    fn texts(&self, input: &EmbeddingsInput, protocol: &dyn EmbeddingsProtocol) -> Range<usize> {
        let all = input.texts.len();
        self.first..protocol.most_texts().map_or(all, |most| all.min(self.first + most))
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
        let others = Format::ALL.into_iter().filter(|format| *format != self.format);
        let served = others.filter_map(|format| Some((format, format.embeddings()?))).find_map(|(format, protocol)| {
            let uri = endpoint.call(Call { format, model, path: protocol.path(), query: None }).ok()?;
            Some((format, protocol, uri))
        });
        let Some((format, protocol, uri)) = served else { return Err(elsewhere) };
        let input = self.neutral()?;
        let body = protocol.encode_request(input, self.texts(input, protocol), model);
        Ok(Outgoing { begins: Begins::Beside, beside_chat: true, ..Outgoing::json(uri, body.into(), format) })
    }
}
