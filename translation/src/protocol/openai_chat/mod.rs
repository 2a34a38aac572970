//! OpenAI chat completions (API reference, "Chat"): `POST /v1/chat/completions`, as clients and as OpenAI-compatible
//! providers speak it.
//!
//! - `request`: reads a client's request.
//! - `target`: writes a request for a provider.
//! - `answer`: whole answers and errors, both ways.
//! - `stream`: streams, both ways.
//! - `passing`: how a request that passes asks a compatible vendor for thinking.
//! - `thoughts`: thoughts and signatures, in all places where they are found.
//! - `soft`: values that may be of another type than documented; `path`: where a reader failed.

mod answer;
mod passing;
mod path;
mod request;
mod soft;
mod stream;
mod target;
mod thoughts;

use bytes::Bytes;

use super::foreign::{Cleaning, Own};
use super::sse::{self, KEEP_ALIVE};
use super::{openai_error, openai_models};
use crate::format::Format;
use crate::ir::{self, ProviderError, TranslateError, Usage};
use crate::names::{OPENAI_IDS, Rule};
use crate::protocol::contract::{
    AnswerContext, Encoded, Life, ListedModel, Protocol, Quirks, StreamDecoder, StreamEncoder, StreamWatcher, Target,
    ThinkingEdits,
};

/// OpenAI chat completions.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

impl Protocol for OpenAiChat {
    fn format(&self) -> Format {
        Format::OpenAiChat
    }

    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError> {
        request::decode(body)
    }

    fn without_foreign(&self, messages: &str, quirks: &Quirks) -> Option<String> {
        let bounded = quirks.owner || quirks.call_id_length.is_some();
        let cleaning = Cleaning {
            fields: quirks.foreign_fields,
            ids: bounded.then_some(Rule { exact: quirks.call_id_length, ..OPENAI_IDS }),
            id_fields: &["id", "tool_call_id"],
            inner: &["tool_calls", "content"],
            own: |_| Own::Keep,
        };
        // Breakpoints of the prompt cache alone are no reason to write anew what goes to OpenAI itself.
        let marked = !quirks.owner && !quirks.foreign_fields.is_empty() && messages.contains("cache_control");
        cleaning.clean(messages, marked)
    }

    fn thinking_edits<'b>(
        &self,
        given: &dyn Fn(&str) -> Option<&'b str>,
        target: &Target<'_>,
    ) -> Option<ThinkingEdits> {
        passing::edits(given, target)
    }

    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
        let request = super::state::checked(request, self.format())?;
        target::encode(&request, target)
    }

    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError> {
        answer::decode::response(body)
    }

    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8> {
        answer::encode::response(response, asked)
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError {
        openai_error::decode(status, body)
    }

    fn encode_error(&self, error: &ProviderError, _request_id: &str) -> (u16, Vec<u8>) {
        openai_error::encode(error)
    }

    fn tells_error(&self, event: &Bytes) -> bool {
        sse::data(event).is_none_or(|data| stream::watcher::is_plain_error(&data))
    }

    fn life(&self, data: &[u8]) -> Life {
        stream::watcher::life(data)
    }

    fn keep_alive(&self) -> &'static [u8] {
        KEEP_ALIVE
    }

    fn end_marker(&self) -> Option<&'static [u8]> {
        Some(b"data: [DONE]\n\n")
    }

    fn usage_event(&self, last: &[u8]) -> Vec<u8> {
        stream::encoder::usage_event(last)
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::decoder::Decoder::new())
    }

    fn encoder(&self, asked: AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(stream::encoder::Encoder::new(asked))
    }

    fn encode_models(&self, models: &[ListedModel<'_>]) -> Vec<u8> {
        openai_models::list(models)
    }

    fn encode_model(&self, model: &ListedModel<'_>) -> Vec<u8> {
        openai_models::one(model)
    }

    fn watcher(&self) -> Box<dyn StreamWatcher> {
        Box::new(stream::watcher::Watcher)
    }

    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
        stream::watcher::usage(body)
    }

    fn usage_in_tail(&self, tail: &[u8]) -> Option<Usage> {
        stream::watcher::usage_in_tail(tail)
    }
}

#[cfg(test)]
mod tests;
