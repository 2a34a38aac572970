//! What is checked of a request for every format: that it refers to nothing which only the provider of another format
//! has, and that its calls of tools have their results.

use std::borrow::Cow;

use crate::format::{Format, FormatFacts};
use crate::ir::pairing::paired;
use crate::ir::{Message, Part, Request, TranslateError};

/// `request` as it can be written in `format`, with the results of tools behind their calls.
///
/// # Errors
/// Names the field, or the call, at fault.
pub(super) fn checked(request: &Request, format: Format) -> Result<Cow<'_, Request>, TranslateError> {
    refuse(request, format)?;
    // Calls may stand in the part of the conversation that the provider keeps.
    if field_of(request, request.origin.facts()).is_some() {
        return Ok(Cow::Borrowed(request));
    }
    paired(request)
}

/// Refuses `request` where it refers to what a provider of the target's `format` does not keep. Without that the
/// request would be another conversation.
///
/// # Errors
/// Names the field.
fn refuse(request: &Request, format: Format) -> Result<(), TranslateError> {
    if request.origin == format {
        return Ok(());
    }
    let facts = request.origin.facts();
    let Some(field) = field_of(request, facts) else { return refuse_shape(request, facts) };
    let conversation = facts.fields.messages;
    let problem = format!(
        "'{field}' refers to something that the provider of another API keeps and this one ({format}) does not have: send the whole conversation in '{conversation}'"
    );
    Err(TranslateError::unsupported(field, problem))
}

/// The first field of `request` that refers to what only a provider of the format with these `facts` keeps.
pub(super) fn field_of(request: &Request, facts: &'static FormatFacts) -> Option<&'static str> {
    let is_named = |field: &&str| request.extensions.iter().any(|(name, _)| name == field);
    let refers = |kind| request.messages.iter().any(|message| refers(message, kind));
    let field = facts.stateful_fields.iter().copied().find(is_named);
    field.or_else(|| facts.reference_item.filter(|kind| refers(kind)).map(|_| facts.fields.messages))
}

/// Whether `message` holds an item of this `kind`, which stands for something that the client does not give.
fn refers(message: &Message, kind: &str) -> bool {
    message.parts.iter().any(|part| match part {
        Part::Opaque { block, .. } => {
            block.get().contains(kind) && block.read::<serde_json::Value>().is_ok_and(|item| item["type"] == kind)
        }
        _ => false,
    })
}

/// Refuses a shape of the answer that no other format has, such as Gemini's `text/x.enum`: the client could not read an
/// answer of another shape.
fn refuse_shape(request: &Request, facts: &FormatFacts) -> Result<(), TranslateError> {
    let is_named = |field: &&str| request.extensions.iter().any(|(name, _)| name == field);
    match facts.own_answer_shape.filter(is_named) {
        Some(field) => {
            let words = "the provider of this model answers in 'text/plain' or 'application/json' only";
            Err(TranslateError::unsupported(field, words))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
