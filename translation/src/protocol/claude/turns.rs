//! The turns of a conversation, and what follows from the last of them.

use std::borrow::Cow;

use serde::Serialize;

use crate::facts::ModelFacts;
use crate::ir::{Field, Request, TranslateError};

/// A turn of the user or of the model.
#[derive(Debug, Serialize)]
pub(in crate::protocol) struct Turn<B> {
    role: &'static str,
    pub(in crate::protocol) content: Vec<B>,
}

impl<B> Turn<B> {
    /// A turn of the user.
    pub(in crate::protocol) fn of_user(content: Vec<B>) -> Self {
        Self { role: "user", content }
    }

    /// A turn of the model.
    pub(in crate::protocol) fn of_model(content: Vec<B>) -> Self {
        Self { role: "assistant", content }
    }

    /// Whether `other` is of the same speaker.
    pub(in crate::protocol) fn same_role(&self, other: &Self) -> bool {
        self.role == other.role
    }

    /// Whether the user speaks.
    pub(in crate::protocol) fn is_users(&self) -> bool {
        self.role == "user"
    }

    /// Whether the model speaks.
    pub(in crate::protocol) fn is_models(&self) -> bool {
        self.role == "assistant"
    }
}

/// A content block, as one of the two APIs writes it.
pub(in crate::protocol) trait Block<'r> {
    /// Whether it holds a thought, readable or not.
    fn is_thought(&self) -> bool;

    /// Whether it holds the result of a tool call.
    fn is_result(&self) -> bool;

    /// Whether the model goes on from the block by itself. A step at the provider that was paused is continued by
    /// giving it back.
    fn is_paused(&self) -> bool {
        false
    }

    /// Its text, if it is plain text.
    fn text_mut(&mut self) -> Option<&mut Cow<'r, str>>;
}

/// Cuts white space off the end of a model's turn that is to be continued, which Claude answers 400 to.
pub(in crate::protocol) fn trim_last<'r, B: Block<'r>>(turns: &mut [Turn<B>]) {
    let Some(turn) = turns.last_mut().filter(|turn| turn.is_models()) else { return };
    if let Some(text) = turn.content.last_mut().and_then(Block::text_mut) {
        *text = match std::mem::take(text) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end().len());
                Cow::Owned(text)
            }
        };
    }
}

/// Whether the last turn is the model's own words, for it to go on from.
///
/// # Errors
/// When the model does not continue a turn of its own.
pub(in crate::protocol) fn prefilled<'r, B: Block<'r>>(
    request: &Request,
    facts: &ModelFacts,
    turns: &[Turn<B>],
) -> Result<bool, TranslateError> {
    let Some(last) = turns.last().filter(|turn| turn.is_models()) else { return Ok(false) };
    if last.content.last().is_some_and(Block::is_paused) {
        return Ok(false);
    }
    if facts.prefill {
        return Ok(true);
    }
    let words = "This model does not continue a message of its own: the last message has to be the user's.";
    Err(TranslateError::unsupported(Field::Messages.name(request.origin), words))
}

/// Whether results are given to calls of a turn in which the model has not thought since the user last spoke, so that
/// its thoughts were lost on the way.
pub(in crate::protocol) fn is_thoughtless_loop<'r, B: Block<'r>>(turns: &[Turn<B>]) -> bool {
    let gives_results = |turn: &Turn<B>| turn.content.iter().any(Block::is_result);
    if !turns.last().is_some_and(gives_results) {
        return false;
    }
    let in_loop = turns.iter().rev().take_while(|turn| turn.is_models() || gives_results(turn));
    !in_loop.flat_map(|turn| &turn.content).any(Block::is_thought)
}
