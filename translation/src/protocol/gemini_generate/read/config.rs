//! `generationConfig`.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::{Body, Real, Text, Whole, Word, fields, json};
use crate::ir::{Effort, Output, Reasoning, Request, Schema, Summary, Thinking, TranslateError};
use crate::json::Json;
use crate::protocol::gemini_generate::schema;

/// Reads `generationConfig` into `request`. A field without a neutral form becomes an extension.
pub(super) fn read<'a>(body: &Body<'a>, value: &'a RawValue, request: &mut Request) -> Result<(), TranslateError> {
    let mut mime: Option<&RawValue> = None;
    let (mut response_schema, mut json_schema) = (None, None);
    for (name, value) in fields(body, value)?.0 {
        let real = || body.read::<Real>(value).map(|real| Some(real.0));
        let count = |least: i64| count(body, value, least).map(Some);
        match &*name {
            "temperature" => request.temperature = real()?,
            "topP" => request.top_p = real()?,
            "topK" => request.top_k = Some(top_k(body, value)?),
            "presencePenalty" => request.presence_penalty = real()?,
            "frequencyPenalty" => request.frequency_penalty = real()?,
            "seed" => request.seed = Some(body.read::<Whole>(value)?.0),
            "maxOutputTokens" => request.max_output_tokens = count(1)?,
            "candidateCount" => request.candidates = count(1)?.and_then(|count| u32::try_from(count).ok()),
            "responseLogprobs" => request.logprobs = Some(body.read(value)?),
            "logprobs" => request.top_logprobs = count(0)?.and_then(|count| u32::try_from(count).ok()),
            "stopSequences" => request.stop = body.read(value)?,
            "responseModalities" => {
                let words = body.read::<Vec<String>>(value)?;
                request.modalities = words.iter().map(|word| word.to_ascii_lowercase()).collect();
            }
            "thinkingConfig" => request.reasoning = reasoning(body, value)?,
            "responseMimeType" => mime = Some(value),
            "responseSchema" => response_schema = Some(value),
            "responseJsonSchema" => json_schema = Some(value),
            _ => request.extensions.push((format!("generationConfig.{name}"), json(value))),
        }
    }
    output(body, mime, response_schema, json_schema, request)
}

fn count(body: &Body<'_>, value: &RawValue, least: i64) -> Result<u64, TranslateError> {
    let number = body.read::<Whole>(value)?.0;
    u64::try_from(number).ok().filter(|_| number >= least).ok_or_else(|| {
        let words = format!("{number} must be at least {least}.");
        body.invalid(value, &words)
    })
}

/// Reads `topK`, which Vertex AI has as a real number.
fn top_k(body: &Body<'_>, value: &RawValue) -> Result<u64, TranslateError> {
    let number = body.read::<Real>(value)?.0.round();
    if !(0.0..1e9).contains(&number) {
        return Err(body.invalid(value, "it must not be negative."));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Ok(number as u64)
}

fn output(
    body: &Body<'_>,
    mime: Option<&RawValue>,
    response_schema: Option<&RawValue>,
    json_schema: Option<&RawValue>,
    request: &mut Request,
) -> Result<(), TranslateError> {
    let word = mime.map(|mime| body.read::<Text>(mime)).transpose()?.map(|mime| mime.0);
    match word.as_deref() {
        Some("" | "text/plain") => return Ok(()),
        None | Some("application/json") => {}
        Some(_) => {
            // Only Gemini itself can give `text/x.enum`, and other types that may come.
            let kept = [("responseMimeType", mime), ("responseSchema", response_schema)];
            for (name, value) in kept {
                let value = value.map(|value| (format!("generationConfig.{name}"), json(value)));
                request.extensions.extend(value);
            }
            return Ok(());
        }
    }
    let given = match (json_schema, response_schema) {
        (Some(schema), _) => Some(object(body, schema)?),
        (None, Some(schema)) => {
            object(body, schema)?;
            Some(Json::of(&schema::to_json_schema(&body.read::<Value>(schema)?)))
        }
        (None, None) => None,
    };
    request.output = match given {
        Some(schema) => Output::JsonSchema(Schema { name: None, description: None, schema, strict: None }),
        None if word.is_some() => Output::JsonObject,
        None => Output::Text,
    };
    Ok(())
}

fn object(body: &Body<'_>, value: &RawValue) -> Result<Json, TranslateError> {
    if value.get().starts_with('{') { Ok(json(value)) } else { Err(body.invalid(value, "a schema is an object.")) }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ThinkingConfig {
    #[serde(alias = "include_thoughts")]
    include_thoughts: Option<bool>,
    #[serde(alias = "thinking_budget")]
    thinking_budget: Option<Whole>,
    #[serde(alias = "thinking_level")]
    thinking_level: Option<Word>,
}

fn reasoning<'a>(body: &Body<'a>, value: &'a RawValue) -> Result<Option<Reasoning>, TranslateError> {
    let config: ThinkingConfig = body.read(value)?;
    let thinking = config.thinking_budget.map(|budget| match u64::try_from(budget.0) {
        Ok(0) => Thinking::Off,
        Ok(budget) => Thinking::Budget(budget),
        // -1 leaves the budget to the model.
        Err(_) => Thinking::Adaptive,
    });
    let effort = match config.thinking_level {
        Some(level) if !level.0.to_ascii_uppercase().ends_with("UNSPECIFIED") => {
            let effort = Effort::of(&level.0);
            let unknown = || body.invalid(value, "thinkingLevel is none of MINIMAL, LOW, MEDIUM, HIGH.");
            Some(effort.ok_or_else(unknown)?)
        }
        _ => None,
    };
    let summary = config.include_thoughts.map(|shown| if shown { Summary::Auto } else { Summary::Omitted });
    let reasoning = Reasoning { effort, thinking, summary };
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}
