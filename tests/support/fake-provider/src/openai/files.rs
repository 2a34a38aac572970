//! Files. Each upstream key has files of its own.

use bytes::Bytes;
use serde_json::{Value, json};

use super::page;
use crate::call::{Call, Reply};
use crate::refusal::Refusal;
use crate::shelf::StoredFile;

/// `POST /v1/files`.
pub(crate) fn upload(call: &Call<'_>) -> Result<Reply, Refusal> {
    let form = call.form();
    let file = form.get("file").ok_or_else(|| missing("file"))?;
    let purpose = form.text("purpose").ok_or_else(|| missing("purpose"))?;
    let filename = file.filename.clone().unwrap_or_else(|| "upload".to_owned());
    Ok(Reply::Json(keep(call, &call.id_for("file-"), &filename, &purpose, file.body.clone())))
}

/// Keeps a file under `id`, and returns what the API says of it.
pub(super) fn keep(call: &Call<'_>, id: &str, filename: &str, purpose: &str, content: Bytes) -> Value {
    let about = json!({
        "id": id,
        "object": "file",
        "bytes": content.len(),
        "created_at": shared::time::now_ms() / 1000,
        "expires_at": null,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
        "status_details": null,
    });
    call.provider.files.put(call.key, id, StoredFile { about: about.clone(), content });
    about
}

/// `GET /v1/files`.
#[expect(clippy::unnecessary_wraps, reason = "all APIs have one type")]
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Refusal> {
    let purpose = call.query("purpose");
    let files = call.provider.files.list(call.key).into_iter().map(|file| file.about);
    let chosen = files.filter(|about| purpose.as_ref().is_none_or(|purpose| about["purpose"] == purpose.as_str()));
    Ok(Reply::Json(page(chosen.collect())))
}

/// `GET /v1/files/{id}`.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::Json(find(call)?.about))
}

/// `GET /v1/files/{id}/content`.
pub(crate) fn content(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::Bytes { content_type: "application/octet-stream".to_owned(), body: find(call)?.content })
}

/// `DELETE /v1/files/{id}`.
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, Refusal> {
    if call.provider.files.remove(call.key, call.id) {
        return Ok(Reply::Json(json!({ "id": call.id, "object": "file", "deleted": true })));
    }
    Err(unknown(call.id))
}

fn find(call: &Call<'_>) -> Result<StoredFile, Refusal> {
    call.provider.files.get(call.key, call.id).ok_or_else(|| unknown(call.id))
}

fn unknown(id: &str) -> Refusal {
    Refusal { status: 404, ..Refusal::param("id", format!("No such File object: {id}")) }
}

fn missing(param: &str) -> Refusal {
    Refusal::param(param, format!("Missing required parameter: '{param}'.")).code("missing_required_parameter")
}
