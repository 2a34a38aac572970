//! Requests for what only the provider of their own format has.

use super::{Format, openai_responses};
use crate::ir::{Field, Request, TranslateError};

/// Refuses `request` where it refers to what a provider that is spoken to in `format` does not have. Left out, it would
/// be another conversation.
///
/// # Errors
/// Names the field.
pub(super) fn refuse(request: &Request, format: Format) -> Result<(), TranslateError> {
    let field = match request.origin {
        origin if origin == format => None,
        Format::OpenAiResponses => openai_responses::stateful_field(request),
        Format::GeminiGenerate => {
            request.extensions.iter().any(|(name, _)| name == "cachedContent").then_some("cachedContent")
        }
        _ => None,
    };
    let Some(field) = field else { return shape(request, format) };
    let conversation = Field::Messages.name(request.origin);
    let problem = format!(
        "'{field}' refers to something that the provider of another API keeps and this one ({format}) does not have: send the whole conversation in '{conversation}'"
    );
    Err(TranslateError::unsupported(field, problem))
}

/// Refuses a shape of the answer that only Gemini knows, such as `text/x.enum`: without it the answer would be one that
/// the client cannot read.
fn shape(request: &Request, format: Format) -> Result<(), TranslateError> {
    let field = "generationConfig.responseMimeType";
    let asks = request.origin == Format::GeminiGenerate && request.extensions.iter().any(|(name, _)| name == field);
    if format == request.origin || !asks {
        return Ok(());
    }
    let words = "the provider of this model answers in 'text/plain' or 'application/json' only";
    Err(TranslateError::unsupported(field, words))
}

#[cfg(test)]
mod tests;
