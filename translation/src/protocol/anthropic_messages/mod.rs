//! Anthropic's Messages API, `POST /v1/messages` (API reference, "Messages").
//!
//! - `request`: reads a client's request.
//! - `prompt`: writes a request for a provider.
//! - `answer`: reads and writes whole answers.
//! - `stream`: reads and writes streams.
//! - `blocks`: content blocks as they are written.
//! - `error`: reads and writes errors.
//! - `schema`: fits a JSON schema to what structured outputs take.
//! - `signature`: signatures of other families on their way through a client.
//! - `stop`: why the model stopped.
//! - `usage`: token counts.
//! - `watch`: what metering needs of traffic that passes through.
//! - `lenient`: reads JSON of which only a part is known.

mod answer;
mod blocks;
mod error;
mod lenient;
mod models;
mod prompt;
mod request;
mod schema;
mod signature;
mod stop;
mod stream;
mod usage;
mod watch;

use bytes::Bytes;

use super::foreign::{Cleaning, Own};
use crate::format::Format;
use crate::ir::{self, ErrorCode, ProviderError, TranslateError, Usage};
use crate::names::ANTHROPIC_IDS;
use crate::protocol::contract::{
    AnswerContext, Encoded, Life, ListedModel, Protocol, Quirks, StreamDecoder, StreamEncoder, StreamWatcher, Target,
};

/// Anthropic's Messages API.
#[derive(Clone, Copy, Debug)]
pub struct AnthropicMessages;

impl Protocol for AnthropicMessages {
    fn format(&self) -> Format {
        Format::AnthropicMessages
    }

    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError> {
        request::decode(body)
    }

    fn holds_foreign_signatures(&self, body: &[u8]) -> bool {
        signature::holds_foreign(body)
    }

    fn without_foreign(&self, messages: &str, _quirks: &Quirks) -> Option<String> {
        let cleaning = Cleaning {
            fields: &[],
            ids: Some(ANTHROPIC_IDS),
            id_fields: &["id", "tool_use_id"],
            inner: &["content"],
            own: |_| Own::Keep,
        };
        cleaning.clean(messages, false)
    }

    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
        let request = super::state::checked(request, self.format())?;
        prompt::encode(&request, target)
    }

    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError> {
        answer::decode(body)
    }

    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8> {
        answer::encode(response, asked)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::decode(status, body)
    }

    fn encode_error(&self, error: &ProviderError, request_id: &str) -> (u16, Vec<u8>) {
        error::encode(error, request_id)
    }

    fn error_event(&self, error: &ProviderError, request_id: &str) -> Vec<u8> {
        error::event(error, Some(request_id).filter(|id| !id.is_empty()))
    }

    fn tells_error(&self, event: &Bytes) -> bool {
        watch::is_error_event(event)
    }

    fn life(&self, data: &[u8]) -> Life {
        watch::life(data)
    }

    fn keep_alive(&self) -> &'static [u8] {
        stream::PING
    }

    fn end_marker(&self) -> Option<&'static [u8]> {
        Some(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new())
    }

    fn encoder(&self, asked: AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(asked))
    }

    fn encode_models(&self, models: &[ListedModel<'_>]) -> Vec<u8> {
        models::list(models)
    }

    fn encode_model(&self, model: &ListedModel<'_>) -> Vec<u8> {
        models::one(model)
    }

    fn watcher(&self) -> Box<dyn StreamWatcher> {
        Box::new(watch::Watcher::default())
    }

    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
        usage::of_answer(body)
    }

    fn usage_in_tail(&self, tail: &[u8]) -> Option<Usage> {
        usage::in_tail(tail)
    }
}

/// The refusal of a request that has Anthropic keep the conversation (Claude documentation, "Message threads"), where
/// another provider is to answer it. A request that goes on with a thread holds only its last messages, so their answer
/// would be one to another question. Clients, Anthropic's SDKs and Claude Code among them, then send the whole
/// conversation and make no more threads.
pub fn refused_thread(request: &ir::Request) -> Option<TranslateError> {
    let named = |(name, _): &(String, _)| name == "thread";
    (request.origin == Format::AnthropicMessages && request.extensions.iter().any(named)).then(|| {
        let words = "thread: the provider of this model keeps no conversations; send all messages, without 'thread'";
        TranslateError::new(ErrorCode::UnsupportedThread, "thread", words)
    })
}

#[cfg(test)]
mod tests;
