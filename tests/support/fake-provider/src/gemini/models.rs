//! The list of models.

use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::refusal::Refusal;

const GENERATES: &[&str] = &["generateContent", "streamGenerateContent", "countTokens", "createCachedContent"];
const EMBEDS: &[&str] = &["embedContent", "batchEmbedContents"];

const MODELS: &[(&str, &str, &[&str])] = &[
    ("gemini-2.5-flash", "Gemini 2.5 Flash", GENERATES),
    ("gemini-2.5-pro", "Gemini 2.5 Pro", GENERATES),
    ("gemini-3-flash-preview", "Gemini 3 Flash Preview", GENERATES),
    ("gemini-embedding-001", "Gemini Embedding 001", EMBEDS),
];

/// `GET /v1beta/models`.
#[expect(clippy::unnecessary_wraps, reason = "all APIs have one type")]
pub(crate) fn list(_call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::Json(json!({ "models": MODELS.iter().map(model).collect::<Vec<_>>() })))
}

/// `GET /v1beta/models/{model}`.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, Refusal> {
    let known = MODELS.iter().find(|(id, _, _)| *id == call.id);
    known.map(|found| Reply::Json(model(found))).ok_or_else(|| {
        let message = format!(
            "models/{} is not found for API version v1beta. Call ModelService.ListModels to see the list of available models and \
             their supported methods.",
            call.id
        );
        Refusal::new(404, message)
    })
}

fn model((id, name, methods): &(&str, &str, &[&str])) -> Value {
    json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": name,
        "description": "Served by the fake provider",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": true,
    })
}
