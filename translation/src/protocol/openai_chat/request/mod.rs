//! Reads a client's request (API reference, "Create chat completion").
//!
//! - [`body`]: the fields, as they stand.
//! - [`message`]: messages; [`content`]: what they hold.
//! - [`tools`]: tools, and the choice among them.
//! - [`settings`]: the rest.

mod body;
mod content;
mod message;
mod settings;
mod tools;
mod value;

use self::body::{Body, Fields};
use self::value::{read, required};
use super::path;
use crate::format::Format;
use crate::ir::{Request, TranslateError};
use crate::json::Json;

/// Reads `body`.
pub(super) fn decode(text: &[u8]) -> Result<Request, TranslateError> {
    let mut body: Body<'_> = serde_json::from_slice(text).map_err(|error| path::refusal(text, "", &error))?;
    let Some(model) = body.model.take().filter(|model| !model.is_empty()) else {
        return Err(required("model"));
    };
    let mut request = Request::new(Format::OpenAiChat, model);
    request.messages = message::messages(body.messages.take().ok_or_else(|| required("messages"))?)?;
    tools::read(&mut body, &mut request)?;
    request.max_output_tokens = max_output_tokens(&body)?;
    request.reasoning = settings::reasoning(&mut body)?;
    request.output = settings::output(body.response_format.take())?;
    request.user = settings::user(&mut body)?;
    request.stream = body.stream.unwrap_or_default();
    request.temperature = body.temperature;
    request.top_p = body.top_p;
    // Open-source servers write "no limit" as 0 or -1.
    request.top_k = body.top_k.and_then(|top_k| u64::try_from(top_k).ok()).filter(|top_k| *top_k > 0);
    request.seed = body.seed;
    request.presence_penalty = body.presence_penalty;
    request.frequency_penalty = body.frequency_penalty;
    request.stop = body.stop.take().map(|stop| stop.0).unwrap_or_default();
    request.candidates = match body.n {
        Some(0) => return Err(TranslateError::invalid("n", "n: must be at least 1")),
        n => n,
    };
    request.logprobs = body.logprobs;
    request.top_logprobs = body.top_logprobs;
    request.verbosity = body.verbosity.take();
    request.modalities = body.modalities.take().unwrap_or_default();
    request.modalities.iter_mut().for_each(|modality| modality.make_ascii_lowercase());
    request.service_tier = body.service_tier.take().and_then(settings::service_tier);
    request.cache = body.cache_control.take().map(Into::into);
    if let Some(mut options) = body.stream_options.take() {
        if let Some(asked) = options.take("include_usage") {
            request.include_usage = read(&asked, "stream_options.include_usage")?.unwrap_or_default();
        }
        request.extensions.extend(below("stream_options", options));
    }
    request.extensions.extend(below("output_config", body.output_config.take().unwrap_or_default()));
    match body.extra_body.take().and_then(Json::non_null) {
        Some(extra) if extra.is_object() => {
            let fields: Fields = read(&extra, "extra_body")?.unwrap_or_default();
            request.extensions.extend(below("extra_body", fields));
        }
        Some(extra) => request.extensions.push(("extra_body".to_owned(), extra)),
        None => {}
    }
    if let Some(metadata) = body.metadata.take().filter(|metadata| !metadata.0.is_empty()) {
        let object: serde_json::Map<String, serde_json::Value> =
            metadata.0.iter().filter_map(|(name, value)| Some((name.clone(), value.read().ok()?))).collect();
        request.extensions.push(("metadata".to_owned(), Json::of(&object)));
    }
    request.extensions.append(&mut body.rest);
    Ok(request)
}

fn max_output_tokens(body: &Body<'_>) -> Result<Option<u64>, TranslateError> {
    // The newer name wins (`docs/TRANSLATION.md` section 2).
    let (param, limit) = match body.max_completion_tokens {
        Some(limit) => ("max_completion_tokens", Some(limit)),
        None => ("max_tokens", body.max_tokens),
    };
    if limit == Some(0) {
        return Err(TranslateError::invalid(param, format!("{param}: must be at least 1")));
    }
    Ok(limit)
}

fn below(name: &'static str, fields: Fields) -> impl Iterator<Item = (String, Json)> {
    fields.0.into_iter().map(move |(field, value)| (format!("{name}.{field}"), value))
}

#[cfg(test)]
mod tests;
