//! A client's request (Gemini API reference, `models.generateContent`).
//!
//! Google's own SDKs mix camelCase and snake_case keys in one body, and JSON of protocol buffers takes numbers as text:
//! both are read at every level.

mod config;
mod contents;
mod fields;
mod tools;

pub(super) use contents::MADE_UP;
pub(super) use fields::camel;
use fields::{Body, Text, Word, json};

use crate::format::Format;
use crate::ir::{Message, Request, Role, ServiceTier, TranslateError};

/// Reads `body`. The model, and whether a stream is wanted, stand in the URL.
pub(super) fn decode(body: &[u8]) -> Result<Request, TranslateError> {
    let body = Body(body);
    let mut request = Request::new(Format::GeminiGenerate, "");
    let mut system = None;
    let mut contents = None;
    for (name, value) in body.top()?.0 {
        match &*name {
            "contents" => contents = Some(value),
            "systemInstruction" => system = Some(value),
            "generationConfig" => config::read(&body, value, &mut request)?,
            "tools" => tools::read(&body, value, &mut request)?,
            "toolConfig" => tools::read_config(&body, value, &mut request)?,
            "serviceTier" => request.service_tier = Some(service_tier(&body.read::<Word>(value)?)),
            // The model stands in the URL.
            "model" => {}
            _ => request.extensions.push((name.into_owned(), json(value))),
        }
    }
    let contents = contents.ok_or_else(no_contents)?;
    if let Some(system) = system {
        let parts = contents::system(&body, system)?;
        if !parts.is_empty() {
            request.messages.push(Message::new(Role::System, parts, 0));
        }
    }
    let before = request.messages.len();
    contents::read(&body, contents, &mut request.messages)?;
    if request.messages.len() == before {
        return Err(no_contents());
    }
    Ok(request)
}

fn no_contents() -> TranslateError {
    TranslateError::invalid("contents", "contents is not specified: give at least one content with a part")
}

fn service_tier(word: &Text) -> ServiceTier {
    let name = word.0.to_ascii_lowercase();
    match name.strip_prefix("service_tier_").unwrap_or(&name) {
        "unspecified" | "" => ServiceTier::Auto,
        "standard" => ServiceTier::Standard,
        "priority" => ServiceTier::Priority,
        "flex" => ServiceTier::Flex,
        _ => ServiceTier::Other(word.0.clone()),
    }
}
