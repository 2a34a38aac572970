//! Amazon Bedrock's Converse API, `POST /model/{model}/converse` and `/converse-stream` (Amazon Bedrock API Reference,
//! "Converse" and "ConverseStream"). Only providers are spoken to in it; no client asks in it.
//!
//! - `prompt`: writes a request.
//! - `answer`: reads whole answers.
//! - `stream`: reads streams, which are AWS event streams.
//! - `error`: reads errors.
//! - `stop`: why the model stopped; `signature`: what signs the model's thoughts.
//! - `usage`: token counts.
//! - `maker`: who made the model, since each maker's models take other things.

mod answer;
mod error;
mod maker;
mod prompt;
mod signature;
mod stop;
mod stream;
mod usage;

use super::unserved::Unserved;
use crate::format::Format;
use crate::ir::{self, ProviderError, TranslateError, Usage};
use crate::protocol::contract::{
    AnswerContext, Encoded, ListedModel, Protocol, StreamDecoder, StreamEncoder, StreamWatcher, Target,
};

/// Amazon Bedrock's Converse API, as a provider speaks it.
#[derive(Clone, Copy, Debug)]
pub struct BedrockConverse;

/// The methods that only a client's format needs.
const CLIENTS: Unserved = Unserved(Format::BedrockConverse);

impl Protocol for BedrockConverse {
    fn format(&self) -> Format {
        Format::BedrockConverse
    }

    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError> {
        CLIENTS.decode_request(body)
    }

    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
        let request = super::state::checked(request, self.format())?;
        prompt::encode(&request, target)
    }

    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError> {
        answer::decode(body)
    }

    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8> {
        CLIENTS.encode_response(response, asked)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::decode(status, body)
    }

    fn encode_error(&self, error: &ProviderError, request_id: &str) -> (u16, Vec<u8>) {
        CLIENTS.encode_error(error, request_id)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::default())
    }

    fn encoder(&self, asked: AnswerContext) -> Box<dyn StreamEncoder> {
        CLIENTS.encoder(asked)
    }

    fn encode_models(&self, models: &[ListedModel<'_>]) -> Vec<u8> {
        CLIENTS.encode_models(models)
    }

    fn encode_model(&self, model: &ListedModel<'_>) -> Vec<u8> {
        CLIENTS.encode_model(model)
    }

    fn watcher(&self) -> Box<dyn StreamWatcher> {
        CLIENTS.watcher()
    }

    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
        usage::of_answer(body)
    }

    fn usage_in_tail(&self, tail: &[u8]) -> Option<Usage> {
        CLIENTS.usage_in_tail(tail)
    }
}

#[cfg(test)]
mod tests;
