//! Reads a client's request (API reference, "Create a message").
//!
//! - [`content`]: the conversation.
//! - [`settings`]: tools, thinking and the shape of the answer.

use serde_json::value::RawValue;

use super::lenient::Fields;
use crate::format::Format;
use crate::ir::{Message, Request, Role, ServiceTier, TranslateError};

mod content;
pub(super) use content::{DOCUMENT_CITATIONS, WireCitation};
mod settings;
mod value;

use value::{cache, extension, read, required};

/// Reads `body`.
pub(super) fn decode(body: &[u8]) -> Result<Request, TranslateError> {
    let Fields(fields) = serde_json::from_slice(body)
        .map_err(|error| TranslateError::invalid("body", format!("The request body is not valid JSON: {error}")))?;
    let mut request = Request::new(Format::AnthropicMessages, "");
    let mut system = None;
    let mut has_model = false;
    let mut has_messages = false;
    for (name, value) in fields {
        // `null` counts as absent.
        if value.get() == "null" {
            continue;
        }
        match &*name {
            "model" => (request.model, has_model) = (read("model", value)?, true),
            "messages" => {
                content::messages(value, &mut request)?;
                has_messages = true;
            }
            "system" => system = Some(content::system(value, &mut request)?),
            "max_tokens" => request.max_output_tokens = Some(max_tokens(value)?),
            "stream" => request.stream = read("stream", value)?,
            "temperature" => request.temperature = Some(read("temperature", value)?),
            "top_p" => request.top_p = Some(read("top_p", value)?),
            "top_k" => request.top_k = Some(read("top_k", value)?),
            "stop_sequences" => request.stop = read("stop_sequences", value)?,
            "tools" => settings::tools(value, &mut request)?,
            "tool_choice" => settings::tool_choice(value, &mut request)?,
            "thinking" => settings::thinking(value, &mut request)?,
            "output_config" => settings::output_config(value, &mut request)?,
            "output_format" => settings::output_format("output_format", value, &mut request)?,
            "metadata" => metadata(value, &mut request)?,
            "service_tier" => request.service_tier = Some(service_tier(read("service_tier", value)?)),
            "cache_control" => request.cache = cache("cache_control", Some(value))?,
            _ => extension(&mut request, name.into_owned(), value),
        }
    }
    if !has_model {
        return Err(required("model"));
    }
    if request.max_output_tokens.is_none() {
        return Err(required("max_tokens"));
    }
    if !has_messages {
        return Err(required("messages"));
    }
    if request.messages.is_empty() {
        return Err(TranslateError::invalid("messages", "messages: at least one message is required"));
    }
    if let Some(system) = system.filter(|parts| !parts.is_empty()) {
        request.messages.insert(0, Message::new(Role::System, system, 0));
    }
    Ok(request)
}

fn max_tokens(value: &RawValue) -> Result<u64, TranslateError> {
    match read::<i64>("max_tokens", value)? {
        ..=0 => Err(TranslateError::invalid("max_tokens", "max_tokens: Input should be greater than or equal to 1")),
        tokens => Ok(tokens.unsigned_abs()),
    }
}

fn metadata(value: &RawValue, request: &mut Request) -> Result<(), TranslateError> {
    let Fields(fields) = read("metadata", value)?;
    for (name, value) in fields {
        if value.get() == "null" {
            continue;
        }
        if name == "user_id" {
            request.user = Some(read("metadata.user_id", value)?);
        } else {
            extension(request, format!("metadata.{name}"), value);
        }
    }
    Ok(())
}

fn service_tier(word: String) -> ServiceTier {
    match word.as_str() {
        "auto" => ServiceTier::Auto,
        "standard_only" => ServiceTier::Standard,
        _ => ServiceTier::Other(word),
    }
}
