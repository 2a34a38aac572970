//! Gemini's `generateContent` and `streamGenerateContent`, as AI Studio and Vertex AI serve them (Gemini API reference,
//! "Generating content").
//!
//! - `read`: a client's request.
//! - `write`: a request for a provider.
//! - `schema`: between JSON schema and the subset of OpenAPI that older fields take.
//! - `answer`, `lenient`, `finish`, `citations`, `logprobs`, `partial`: what a provider's answer is made of.
//! - `decode_response`, `frames`, `decoder`: a provider's answer, whole and as a stream.
//! - `part`, `encode_response`, `encoder`: an answer for a client, whole and as a stream.
//! - `signature`: proofs of thoughts, also of other families.
//! - `error`: errors, both ways.
//! - `watch`: what metering needs of answers that pass through.

mod answer;
mod citations;
mod decode_response;
mod decoder;
mod encode_response;
mod encoder;
mod error;
mod finish;
mod frames;
mod lenient;
mod logprobs;
mod models;
mod part;
mod partial;
mod read;
mod schema;
mod signature;
mod watch;
mod write;

use crate::format::Format;
use crate::ir::{self, ProviderError, TranslateError, Usage};
use crate::protocol::contract::{
    AnswerContext, Encoded, Life, ListedModel, Protocol, StreamDecoder, StreamEncoder, StreamWatcher, Target,
};

/// Gemini's format.
#[derive(Clone, Copy, Debug)]
pub struct GeminiGenerate;

impl Protocol for GeminiGenerate {
    fn format(&self) -> Format {
        Format::GeminiGenerate
    }

    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError> {
        read::decode(body)
    }

    fn holds_foreign_signatures(&self, body: &[u8]) -> bool {
        signature::holds_foreign(body)
    }

    fn unsigned(&self, body: &[u8]) -> Option<Vec<u8>> {
        signature::unsigned(body)
    }

    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
        let request = super::state::checked(request, self.format())?;
        write::encode(&request, target)
    }

    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError> {
        decode_response::decode(body)
    }

    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8> {
        encode_response::encode(response, asked)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::decode(status, body)
    }

    fn is_error_document(&self, body: &[u8]) -> bool {
        error::is_document(body)
    }

    fn encode_error(&self, error: &ProviderError, request_id: &str) -> (u16, Vec<u8>) {
        error::encode(error, request_id)
    }

    fn error_event(&self, error: &ProviderError, request_id: &str) -> Vec<u8> {
        let (_, document) = error::encode(error, request_id);
        // Google ends its own events like this.
        [b"data: ", &*document, b"\r\n\r\n"].concat()
    }

    fn life(&self, data: &[u8]) -> Life {
        watch::life(data)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::new())
    }

    fn encoder(&self, asked: AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(encoder::Framing::Events, asked))
    }

    fn encode_models(&self, models: &[ListedModel<'_>]) -> Vec<u8> {
        models::list(models)
    }

    fn encode_model(&self, model: &ListedModel<'_>) -> Vec<u8> {
        models::one(model)
    }

    fn encode_count(&self, tokens: u64) -> Vec<u8> {
        format!(r#"{{"totalTokens":{tokens}}}"#).into_bytes()
    }

    fn watcher(&self) -> Box<dyn StreamWatcher> {
        Box::new(watch::Watcher)
    }

    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
        watch::usage(body)
    }

    fn usage_in_tail(&self, tail: &[u8]) -> Option<Usage> {
        watch::usage_in_tail(tail)
    }
}

/// Writes a stream for a client that did not ask for `alt=sse`: one JSON array of chunks.
pub fn array_encoder(asked: AnswerContext) -> Box<dyn StreamEncoder> {
    Box::new(encoder::Encoder::new(encoder::Framing::Array, asked))
}

#[cfg(test)]
mod tests;
