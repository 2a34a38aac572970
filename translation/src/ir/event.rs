//! A piece of a streamed answer.
//!
//! A decoder gives [`Event::Start`] once and first, then pieces, and [`Event::Finish`] once and last. [`Event::Usage`]
//! may come any number of times, and each replaces the one before. [`Event::Error`] may come at any point, and nothing
//! follows it. A stream that breaks off ends in an error and not in `Finish`.
//!
//! Streams carry one answer. Text, thinking and refusal have no explicit end: one ends where another kind begins. Tool
//! calls have an end, are numbered from 0 without a gap, and may interleave. The ids of one answer differ.
//! `tests/streams.rs` holds every decoder to this, whatever it reads.

use super::error::ProviderError;
use super::part::{CallKind, Citation, Media, Signature};
use super::response::{Finish, Usage};
use crate::json::Json;

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The answer begins.
    Start(Start),
    /// More of the text of the answer. Never empty.
    Text(String),
    /// More of a thought. Never empty.
    Thinking(String),
    /// The thought so far (which may be empty) is signed and ends.
    ThinkingSignature(Signature),
    /// A thought that only its family can read.
    RedactedThinking(Signature),
    /// More of the words with which the model declines.
    Refusal(String),
    /// A tool call begins.
    ToolStart {
        /// The number of the call, from 0.
        call: usize,
        /// The id of the call, which is never empty.
        id: String,
        /// The name of the tool, which is never empty.
        name: String,
        /// Whether its arguments are JSON.
        kind: CallKind,
        /// Gemini's signature of the first call of a step.
        signature: Option<Signature>,
    },
    /// More of the arguments of a call. Never empty.
    ToolArguments {
        /// The number of the call.
        call: usize,
        /// The next piece of the arguments.
        text: String,
    },
    /// A call is whole. Arguments that never came have been given as `{}` before.
    ToolEnd {
        /// The number of the call.
        call: usize,
    },
    /// Something that the text so far rests on. Offsets count characters of the whole text.
    Citation(Citation),
    /// A picture or a sound that the model made.
    Media(Media),
    /// Gemini's signature of the text so far.
    TextSignature(Signature),
    /// Log probabilities of the text before, in OpenAI chat's shape.
    Logprobs(Json),
    /// The token counts so far, which replace those before.
    Usage(Usage),
    /// The model stops.
    Finish {
        /// Why the model stops.
        reason: Finish,
        /// The stop text that ended the answer.
        stop_sequence: Option<String>,
    },
    /// The provider failed, or its stream broke off.
    Error(ProviderError),
}

/// How an answer begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model as the provider resolved it.
    pub model: Option<String>,
    /// When the answer was made, in epoch seconds.
    pub created: Option<u64>,
    /// OpenAI's word for the tier that serves the request.
    pub service_tier: Option<String>,
    /// What is known of the token counts at the start.
    pub usage: Option<Usage>,
}
