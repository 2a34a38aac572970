//! A piece of a streamed answer.
//!
//! A decoder gives, in this order: [`Event::Start`] once; then pieces; [`Event::Usage`] any number of times, each
//! replacing the one before; [`Event::Finish`] once. Or, at any point, [`Event::Error`], after which nothing follows.
//! It does not give `Finish` for a stream that broke off: that is an error.
//!
//! Streams carry one answer. Text, thinking and refusal have no explicit end: one ends where another kind begins. Tool
//! calls have one, are numbered from 0 without a gap, and may interleave; the ids of one answer differ.
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
    /// More of its text. Never empty.
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
        /// Its number, from 0.
        call: usize,
        /// Names the call; never empty.
        id: String,
        /// Which tool; never empty.
        name: String,
        /// Whether its arguments are JSON.
        kind: CallKind,
        /// Gemini signs the first call of a step.
        signature: Option<Signature>,
    },
    /// More of its arguments. Never empty.
    ToolArguments {
        /// Of which call.
        call: usize,
        /// The piece.
        text: String,
    },
    /// The call is whole. Arguments that never came have been given as `{}` before.
    ToolEnd {
        /// Which call.
        call: usize,
    },
    /// Something that the text so far rests on. Offsets are into the whole text.
    Citation(Citation),
    /// A picture or a sound that the model made.
    Media(Media),
    /// Gemini signs the text so far.
    TextSignature(Signature),
    /// Log probabilities of the text before, in OpenAI chat's shape.
    Logprobs(Json),
    /// Token counts so far: they replace those of before.
    Usage(Usage),
    /// The model stops.
    Finish {
        /// Why.
        reason: Finish,
        /// Which text ended it.
        stop_sequence: Option<String>,
    },
    /// The provider failed, or its stream broke off.
    Error(ProviderError),
}

/// How an answer begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model as the provider resolved it.
    pub model: Option<String>,
    /// Epoch seconds.
    pub created: Option<u64>,
    /// OpenAI's word for the tier that serves it.
    pub service_tier: Option<String>,
    /// What is known of usage at the start.
    pub usage: Option<Usage>,
}
