//! The APIs for responses that were stored.

use serde_json::{Value, json};

use super::super::page;
use crate::call::{Call, Reply};
use crate::refusal::Refusal;
use crate::shelf::StoredResponse;

/// The response as the API shows it now.
fn shown(kept: StoredResponse) -> Value {
    let mut response = kept.response;
    if kept.cancelled {
        response["status"] = json!("cancelled");
        response["output"] = json!([]);
        response["usage"] = Value::Null;
        response["completed_at"] = Value::Null;
    }
    response
}

/// `GET /v1/responses/{id}`. A response that was made in the background is done when somebody looks.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, Refusal> {
    let kept = call.provider.responses.change(call.key, call.id, |kept| kept.queued = false);
    kept.map(|kept| Reply::Json(shown(kept))).ok_or_else(|| unknown(call.id))
}

/// `DELETE /v1/responses/{id}`.
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, Refusal> {
    if call.provider.responses.remove(call.key, call.id) {
        return Ok(Reply::Json(json!({ "id": call.id, "object": "response", "deleted": true })));
    }
    Err(unknown(call.id))
}

/// `POST /v1/responses/{id}/cancel`, which works for responses in the background. It shows a response that is done.
pub(crate) fn cancel(call: &Call<'_>) -> Result<Reply, Refusal> {
    let kept = call.provider.responses.change(call.key, call.id, |kept| {
        kept.cancelled |= kept.queued;
        kept.queued = false;
    });
    let kept = kept.ok_or_else(|| unknown(call.id))?;
    if kept.response["background"] != true {
        return Err(Refusal::invalid("Cannot cancel a synchronous response."));
    }
    Ok(Reply::Json(shown(kept)))
}

/// `GET /v1/responses/{id}/input_items`, newest first unless asked otherwise.
pub(crate) fn input_items(call: &Call<'_>) -> Result<Reply, Refusal> {
    let mut items = call.provider.responses.get(call.key, call.id).ok_or_else(|| unknown(call.id))?.input;
    if call.query("order").as_deref() != Some("asc") {
        items.reverse();
    }
    Ok(Reply::Json(page(items)))
}

fn unknown(id: &str) -> Refusal {
    Refusal::new(404, format!("Response with id '{id}' not found."))
}
