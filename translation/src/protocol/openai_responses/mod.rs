//! OpenAI's Responses API (`POST /v1/responses`, API reference, "Responses"), as clients and providers speak it.
//!
//! - `request_in`, `input`: a client's request, and its items of input.
//! - `request_out`, `history`: a request for a provider, and the conversation as items.
//! - `foreign`: what other families left in the items of a request that passes.
//! - `given`: the tools of such a request; `fields`: the values of a client's fields.
//! - `tools`, `shape`: what requests and answers share.
//! - `item`: items, which requests and answers share as well.
//! - `answer`: a provider's whole answer.
//! - `decoder`, `streamed`: a provider's stream, and the items in it.
//! - `encoder`, `output`, `document`: an answer for a client, whole or as a stream.
//! - `signature`: how signatures of thoughts travel.
//! - `meter`: what metering needs of answers that pass through.
//! - `lenient`: reads JSON that need not be of the documented type.

use memchr::memmem;

use super::{openai_error, openai_models, sse, state};
use crate::format::Format;
use crate::ir::{self, Part, ProviderError, Start, TranslateError, Usage};
use crate::protocol::contract::{
    AnswerContext, Encoded, Life, ListedModel, Protocol, Quirks, StreamDecoder, StreamEncoder, StreamWatcher, Target,
};

mod answer;
mod decoder;
mod document;
mod encoder;
mod fields;
mod foreign;
mod given;
mod history;
mod input;
mod item;
mod lenient;
mod meter;
mod output;
mod request_in;
mod request_out;
pub mod resolve;
mod shape;
mod signature;
mod streamed;
mod tools;

#[cfg(test)]
mod tests;

pub use meter::response_id;

/// OpenAI's Responses API.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiResponses;

/// The first field of `request` that refers to state which the provider keeps: `previous_response_id`, `conversation`,
/// `prompt`, `background`, or an item of `input` that the client names and does not give. Such a request cannot be
/// expressed in another format, and means nothing to another account.
pub fn stateful_field(request: &ir::Request) -> Option<&'static str> {
    state::field_of(request, Format::OpenAiResponses.facts())
}

impl Protocol for OpenAiResponses {
    fn format(&self) -> Format {
        Format::OpenAiResponses
    }

    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError> {
        request_in::decode(body)
    }

    fn holds_foreign_signatures(&self, body: &[u8]) -> bool {
        memmem::find(body, signature::PREFIX.as_bytes()).is_some()
    }

    fn without_foreign(&self, messages: &str, quirks: &Quirks) -> Option<String> {
        if !quirks.owner {
            return None;
        }
        // Ids of items need a look wherever there are calls, and breakpoints of the prompt cache are refused.
        let calls = memmem::find(messages.as_bytes(), b"_call\"").is_some();
        let marked = memmem::find(messages.as_bytes(), b"cache_control").is_some();
        foreign::CLEANING.clean(messages, calls || marked)
    }

    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
        let request = state::checked(request, self.format())?;
        request_out::encode(&request, target)
    }

    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError> {
        answer::decode(body)
    }

    fn encode_response(&self, response: &ir::Response, asked: &AnswerContext) -> Vec<u8> {
        let mut out = Vec::with_capacity(2_048);
        let mut encoder = encoder::Encoder::new(asked.clone(), true);
        let service_tier = response.service_tier.clone();
        encoder.start(&Start { service_tier, usage: response.usage, ..Start::default() }, &mut out);
        if let Some(choice) = response.choices.first() {
            encoder.finish(choice.finish);
            let last_text = choice.parts.iter().rposition(|part| matches!(part, Part::Text { .. }));
            for (at, part) in choice.parts.iter().enumerate() {
                encode_part(&mut encoder, part, &mut out);
                if let Some(logprobs) = choice.logprobs.as_ref().filter(|_| Some(at) == last_text) {
                    encoder.logprobs(logprobs);
                }
            }
        }
        encoder.document(&mut out);
        out
    }

    fn decode_error(&self, status: u16, body: &[u8]) -> ProviderError {
        openai_error::decode(status, body)
    }

    fn encode_error(&self, error: &ProviderError, _request_id: &str) -> (u16, Vec<u8>) {
        openai_error::encode(error)
    }

    fn error_event(&self, error: &ProviderError, request_id: &str) -> Vec<u8> {
        encoder::failure(error, request_id)
    }

    fn life(&self, data: &[u8]) -> Life {
        meter::life(data)
    }

    fn keep_alive(&self) -> &'static [u8] {
        sse::KEEP_ALIVE
    }

    fn decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::new())
    }

    fn encoder(&self, asked: AnswerContext) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(asked, false))
    }

    fn encode_models(&self, models: &[ListedModel<'_>]) -> Vec<u8> {
        openai_models::list(models)
    }

    fn encode_model(&self, model: &ListedModel<'_>) -> Vec<u8> {
        openai_models::one(model)
    }

    fn encode_count(&self, tokens: u64) -> Vec<u8> {
        format!(r#"{{"object":"response.input_tokens","input_tokens":{tokens}}}"#).into_bytes()
    }

    fn watcher(&self) -> Box<dyn StreamWatcher> {
        Box::new(meter::Watcher)
    }

    fn usage(&self, body: &[u8]) -> Result<Option<Usage>, serde_json::Error> {
        meter::usage(body)
    }

    fn usage_in_tail(&self, tail: &[u8]) -> Option<Usage> {
        meter::usage_in_tail(tail)
    }
}

/// Tells a part of a whole answer as the events of a stream would.
fn encode_part(encoder: &mut encoder::Encoder, part: &Part, out: &mut Vec<u8>) {
    match part {
        Part::Text { text, citations, .. } => {
            // Each text stays a piece of its own, in which its citations count.
            encoder.close_piece(out);
            let base = encoder.characters();
            encoder.text(text, false, out);
            for citation in citations {
                let moved = |at: Option<u64>| at.map(|at| at + base);
                let citation =
                    ir::Citation { start: moved(citation.start), end: moved(citation.end), ..citation.clone() };
                encoder.citation(&citation, out);
            }
        }
        Part::Refusal(words) => {
            encoder.close_piece(out);
            encoder.text(words, true, out);
        }
        Part::Thinking { text, signature } => {
            encoder.close_thoughts(out);
            if !text.is_empty() {
                encoder.thought(text, out);
            }
            match signature {
                Some(signature) => encoder.signed(signature, signature::Signs::Thought, out),
                None => encoder.close_thoughts(out),
            }
        }
        Part::RedactedThinking(signature) => encoder.signed(signature, signature::Signs::Redacted, out),
        Part::ToolCall(call) => {
            let number = encoder.call((call.id.clone(), call.name.clone(), call.kind), call.signature.as_ref(), out);
            encoder.arguments(number, &call.arguments, out);
            encoder.call_ended(number, out);
        }
        Part::Media(media) => encoder.media(media, out),
        Part::Opaque { family: crate::format::Family::OpenAi, block } => encoder.opaque(block, out),
        Part::Opaque { .. } | Part::ToolResult(_) => {}
    }
}
