//! The list of models.

use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::refusal::Refusal;

const MODELS: &[&str] = &["gpt-4o", "gpt-4o-mini", "gpt-5", "fake-model"];

/// `GET /v1/models`.
#[expect(clippy::unnecessary_wraps, reason = "all APIs have one type")]
pub(crate) fn list(_call: &Call<'_>) -> Result<Reply, Refusal> {
    let data: Vec<_> = MODELS.iter().map(|id| model(id)).collect();
    Ok(Reply::Json(json!({ "object": "list", "data": data })))
}

/// `GET /v1/models/{id}`.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, Refusal> {
    if MODELS.contains(&call.id) {
        return Ok(Reply::Json(model(call.id)));
    }
    let message = format!("The model `{}` does not exist or you do not have access to it.", call.id);
    Err(Refusal { status: 404, ..Refusal::param("model", message).code("model_not_found") })
}

fn model(id: &str) -> Value {
    json!({ "id": id, "object": "model", "created": 1_715_367_049, "owned_by": "fake" })
}
