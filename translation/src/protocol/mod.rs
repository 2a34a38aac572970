//! The list of wire formats: one folder for each, behind one trait.
//!
//! - [`contract`]: the trait, and what it speaks of.
//! - [`openai_chat`]: OpenAI chat completions.
//! - [`anthropic_messages`]: Anthropic's Messages API.
//! - [`gemini_generate`]: Gemini's `generateContent`.
//! - [`openai_responses`]: OpenAI's Responses API.
//! - [`embeddings`]: embeddings, which are no chat.
//! - [`bedrock_converse`]: Amazon Bedrock's Converse API.
//!
//! Several formats share these:
//!
//! - `builtin`: tools that run at a provider.
//! - `claude`: what Anthropic's API and Bedrock have in common.
//! - [`openai_error`], `openai_models`: errors and lists of models of OpenAI's APIs; `openai_limits`: what they refuse
//!   of other formats' values.
//! - `foreign`: what other families left in a history that passes; `raw`: edits within JSON that passes.
//! - [`sse`]: server-sent events, whatever they carry.
//! - `blank`: whether a part of a stream says anything.
//! - [`listing`]: lists of models, as providers answer with them.
//! - [`served`]: the tier of service that an answer was given.
//! - `state`: requests for what only the provider of their own format has.
//! - [`thinking_rules`]: how compatible vendors are told to think.
//! - `unserved`: refuses what a format cannot do here.
//! - `wording`: how providers say that the request itself is at fault.
//!
//! A format imports the contract and what is shared, and nothing from this list.

use crate::format::Format;

pub mod anthropic_messages;
pub mod bedrock_converse;
mod blank;
mod builtin;
mod claude;
pub mod contract;
pub mod embeddings;
mod foreign;
pub mod gemini_generate;
pub mod listing;
pub mod openai_chat;
pub mod openai_error;
mod openai_limits;
mod openai_models;
pub mod openai_responses;
mod raw;
pub mod served;
pub mod sse;
mod state;
pub mod thinking_rules;
mod unserved;
pub(crate) mod wording;

use contract::Protocol;
use embeddings::EmbeddingsProtocol;

impl Format {
    /// The format's implementation.
    pub fn protocol(self) -> &'static dyn Protocol {
        match self {
            Self::OpenAiChat => &openai_chat::OpenAiChat,
            Self::OpenAiResponses => &openai_responses::OpenAiResponses,
            Self::AnthropicMessages => &anthropic_messages::AnthropicMessages,
            Self::GeminiGenerate => &gemini_generate::GeminiGenerate,
            Self::BedrockConverse => &bedrock_converse::BedrockConverse,
        }
    }

    /// How clients of the format ask for embeddings. None where the format has no embeddings of its own.
    pub fn embeddings(self) -> Option<&'static dyn EmbeddingsProtocol> {
        match self {
            Self::OpenAiChat => Some(&embeddings::openai::OpenAiEmbeddings),
            Self::GeminiGenerate => Some(&embeddings::gemini::GeminiEmbeddings),
            Self::OpenAiResponses | Self::AnthropicMessages | Self::BedrockConverse => None,
        }
    }
}
