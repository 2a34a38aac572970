//! The list of models, newest first.

use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::refusal::Refusal;

const MODELS: &[(&str, &str)] = &[
    ("claude-opus-5", "Claude Opus 5"),
    ("claude-sonnet-5", "Claude Sonnet 5"),
    ("claude-haiku-4-5-20251001", "Claude Haiku 4.5"),
    ("claude-sonnet-4-20250514", "Claude Sonnet 4"),
];

/// `GET /v1/models`.
#[expect(clippy::unnecessary_wraps, reason = "all APIs have one type")]
pub(crate) fn list(_call: &Call<'_>) -> Result<Reply, Refusal> {
    let data: Vec<Value> = MODELS.iter().map(|(id, name)| model(id, name)).collect();
    let ends = (MODELS.first().map(|(id, _)| id), MODELS.last().map(|(id, _)| id));
    Ok(Reply::Json(json!({ "data": data, "first_id": ends.0, "last_id": ends.1, "has_more": false })))
}

/// `GET /v1/models/{id}`.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, Refusal> {
    let known = MODELS.iter().find(|(id, _)| *id == call.id);
    known.map(|(id, name)| Reply::Json(model(id, name))).ok_or_else(|| Refusal::new(404, format!("model: {}", call.id)))
}

fn model(id: &str, name: &str) -> Value {
    json!({ "type": "model", "id": id, "display_name": name, "created_at": "2026-02-19T00:00:00Z" })
}
