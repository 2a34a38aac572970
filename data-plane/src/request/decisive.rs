//! The fields of a request on which a limit, a price or a policy depends. What the gateway reads of them has to be what
//! the provider reads. A request that readers understand differently is refused, whichever way it would be understood:
//! one with a field that stands twice, with a name that differs from one of these in case, or with such a name in the
//! query.

use bytes::Bytes;
use translation::Format;
use translation::ir::{Dropped, TranslateError};
use translation::object::{Edits, Object, alike};

use crate::error::GatewayError;
use crate::route::candidate::Candidate;

/// The fields of all APIs, as they are spelled there.
const DECISIVE: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "stream_format",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "messages",
    "input",
    "contents",
    "content",
    "prompt",
    "system",
    "instructions",
    "tools",
    "tool_choice",
    "functions",
    "service_tier",
    "previous_response_id",
    "conversation",
    "store",
    "background",
    "thinking",
    "reasoning",
    "reasoning_effort",
    "modalities",
    "size",
    "quality",
    "dimensions",
    "encoding_format",
    "input_file_id",
    "requests",
    "generationConfig",
    "generation_config",
    "generateContentRequest",
    "generate_content_request",
    "systemInstruction",
    "system_instruction",
    "cachedContent",
    "cached_content",
];

/// Objects in which such fields stand, and those fields.
const WITHIN: &[(&str, &[&str])] = &[
    ("stream_options", &["include_usage"]),
    ("thinking", &["type", "budget_tokens"]),
    ("reasoning", &["effort", "max_tokens", "enabled"]),
    ("generationConfig", GENERATION),
    ("generation_config", GENERATION),
];

const GENERATION: &[&str] = &[
    "maxOutputTokens",
    "max_output_tokens",
    "candidateCount",
    "candidate_count",
    "thinkingConfig",
    "thinking_config",
    "responseModalities",
    "response_modalities",
];

/// Fields of Gemini's API that have two names each, as all JSON that is made for protocol buffers has.
const TWO_NAMES: &[(&str, &str)] = &[
    ("generationConfig", "generation_config"),
    ("generateContentRequest", "generate_content_request"),
    ("systemInstruction", "system_instruction"),
    ("cachedContent", "cached_content"),
    ("maxOutputTokens", "max_output_tokens"),
    ("candidateCount", "candidate_count"),
    ("thinkingConfig", "thinking_config"),
];

/// The field with which a request names the models that may answer it, as OpenRouter's API has it.
pub const MODELS: &str = "models";

/// Fields with which some gateways and vendors let a request name further models to fall back on.
const FURTHER_MODELS: &[&str] = &[MODELS, "fallbacks", "fallback_models"];

/// Fields of Gemini's API that hold a whole request, or several, each with a name of a model.
const INNER_REQUESTS: [&str; 3] = ["generateContentRequest", "generate_content_request", "requests"];

/// Refuses the object of `body` where readers of JSON may understand a decisive field differently.
///
/// # Errors
/// [`GatewayError::Field`].
pub fn check(object: &Object<'_>, body: &Bytes, format: Format) -> Result<(), GatewayError> {
    check_names(object, DECISIVE, format)?;
    for (field, decisive) in WITHIN {
        if let Some(inner) = object.non_null(field)
            && inner.starts_with('{')
        {
            let inner = body.slice_ref(inner.as_bytes());
            check_names(&Object::read(&inner)?, decisive, format)?;
        }
    }
    Ok(())
}

fn check_names(object: &Object<'_>, decisive: &[&'static str], format: Format) -> Result<(), GatewayError> {
    object.unambiguous(decisive).map_err(GatewayError::field)?;
    if format == Format::GeminiGenerate
        && let Some((name, _)) =
            TWO_NAMES.iter().find(|(one, other)| object.get(one).is_some() && object.get(other).is_some())
    {
        let problem = format!("the field '{name}' stands twice in the request, under two names");
        return Err(GatewayError::field(TranslateError::invalid(*name, problem)));
    }
    Ok(())
}

/// Refuses a body that names another model than `model`, that of the URL.
///
/// # Errors
/// [`GatewayError::Field`].
pub fn check_model_of_url(object: &Object<'_>, body: &Bytes, model: &str) -> Result<(), GatewayError> {
    same_model(object, model)?;
    for field in INNER_REQUESTS {
        let Some(value) = object.non_null(field) else { continue };
        let values: Vec<&str> = if value.starts_with('[') {
            let values =
                serde_json::from_str::<Vec<&serde_json::value::RawValue>>(value).map_err(GatewayError::Json)?;
            values.into_iter().map(serde_json::value::RawValue::get).collect()
        } else {
            vec![value]
        };
        for value in values.into_iter().filter(|value| value.starts_with('{')) {
            let inner = body.slice_ref(value.as_bytes());
            let inner = Object::read(&inner)?;
            inner.unambiguous(DECISIVE).map_err(GatewayError::field)?;
            same_model(&inner, model)?;
        }
    }
    Ok(())
}

fn same_model(object: &Object<'_>, model: &str) -> Result<(), GatewayError> {
    let Some(named) = object.string("model").map_err(GatewayError::field)? else { return Ok(()) };
    let bare = |name: &str| name.strip_prefix("models/").unwrap_or(name).to_owned();
    if bare(&named) == bare(model) {
        return Ok(());
    }
    let problem = "the field 'model' names another model than the URL";
    Err(GatewayError::field(TranslateError::invalid("model", problem)))
}

/// Whether the body names further models, which a key that is limited to some may not ask for.
pub fn names_further_models(object: &Object<'_>) -> bool {
    object.has_any_like(FURTHER_MODELS)
}

/// Takes the names of further models out of what `candidate` gets, where its vendor does not know them.
///
/// # Errors
/// As [`Candidate::endpoint`].
pub fn without_models(
    object: &Object<'_>,
    edits: &mut Edits<'_, '_>,
    candidate: &Candidate,
) -> Result<Dropped, GatewayError> {
    let mut dropped = Dropped::default();
    if object.get(MODELS).is_some() && !candidate.endpoint()?.quirks().model_lists {
        edits.remove(MODELS);
        dropped.named(MODELS);
    }
    Ok(dropped)
}

/// Refuses a query with a decisive field: some readers of forms take what stands in the URL for a field of the body.
///
/// # Errors
/// [`GatewayError::Field`].
pub fn check_query(query: Option<&str>) -> Result<(), GatewayError> {
    for pair in query.unwrap_or_default().split(['&', ';']) {
        for (name, _) in form_urlencoded::parse(pair.as_bytes()) {
            if let Some(meant) = meant_by(&name) {
                let problem = format!("the field '{meant}' belongs into the body of the request, not into its query");
                return Err(GatewayError::field(TranslateError::invalid(meant, problem)));
            }
        }
    }
    Ok(())
}

/// Whether some reader of forms takes `name` for the field that names several models.
pub(super) fn means_models(name: &str) -> bool {
    alike(name.split('[').next().unwrap_or_default(), MODELS)
}

/// The decisive field that some reader of forms takes `name` for: case, and the brackets of a list, may not count.
pub(super) fn meant_by(name: &str) -> Option<&'static str> {
    let stem = name.split('[').next().unwrap_or_default();
    DECISIVE.iter().copied().find(|decisive| alike(stem, decisive))
}

#[cfg(test)]
mod tests;
