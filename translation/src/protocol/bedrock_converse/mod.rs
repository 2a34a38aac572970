//! Amazon Bedrock's Converse API, `POST /model/{model}/converse` and `/converse-stream` (Amazon Bedrock API Reference,
//! "Converse" and "ConverseStream"). It is spoken to providers only: no client asks in it.
//!
//! - `prompt`: writes a request.
//! - `answer`: reads whole answers.
//! - `stream`: reads streams, which are AWS event streams.
//! - `error`: reads errors.
//! - `usage`: token counts.
//! - `maker`: whose model it is: each maker's takes other things.

mod answer;
mod error;
mod maker;
mod prompt;
mod stream;
mod usage;

use super::unserved::Unserved;
use super::{Asked, Encoded, Format, Protocol, StreamDecoder, StreamEncoder, StreamWatcher, Target};
use crate::ir::{self, Family, Finish, ProviderError, Signature, TranslateError, Usage};

/// Amazon Bedrock's Converse API, as a provider speaks it.
#[derive(Clone, Copy, Debug)]
pub struct BedrockConverse;

/// What no client asks for.
const CLIENTS: Unserved = Unserved(Format::BedrockConverse);

impl Protocol for BedrockConverse {
    fn format(&self) -> Format {
        Format::BedrockConverse
    }

    fn decode_request(&self, body: &[u8]) -> Result<ir::Request, TranslateError> {
        CLIENTS.decode_request(body)
    }

    fn encode_request(&self, request: &ir::Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
        super::state::refuse(request, self.format())?;
        prompt::encode(request, target)
    }

    fn decode_response(&self, body: &[u8]) -> Result<ir::Response, ProviderError> {
        answer::decode(body)
    }

    fn encode_response(&self, response: &ir::Response, asked: &Asked) -> Vec<u8> {
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

    fn encoder(&self, asked: Asked) -> Box<dyn StreamEncoder> {
        CLIENTS.encoder(asked)
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

/// Why the model stopped, by `stopReason`. A reason that is not known says nothing but that it did; and some makers'
/// models say that they just stopped where they want tools called.
fn finish_of(stop_reason: &str, called: bool) -> Finish {
    match stop_reason {
        "tool_use" => Finish::ToolCalls,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "guardrail_intervened" | "content_filtered" | "refusal" => Finish::ContentFilter,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// Whether the model wrote what Bedrock could not read.
fn is_malformed(stop_reason: &str) -> bool {
    matches!(stop_reason, "malformed_model_output" | "malformed_tool_use")
}

/// What a model that gives no reason for declining is taken to say.
const REFUSAL: &str = "The answer was withheld by the provider's safety system.";

/// Reasoning of OpenAI's models begins so, in base64 (`rsn_`). It carries an id of Bedrock's own that opens it nowhere
/// else.
const OPENAIS: &str = "cnNuX";

/// A thought that cannot be read, in the manner in which it has to be given back. Only that of Claude is of use to
/// anybody.
fn redacted(content: String) -> Option<Signature> {
    (!content.is_empty() && !content.starts_with(OPENAIS)).then(|| signature(content))
}

/// A signature. Only Claude signs its thoughts.
fn signature(data: String) -> Signature {
    Signature { family: Family::Anthropic, data }
}

#[cfg(test)]
mod tests;
