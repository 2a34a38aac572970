//! Batches. A batch is `validating` when it is made, and `completed` with a file of results once somebody asks for it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{files, page};
use crate::call::{Call, Reply};
use crate::fields::text_of;
use crate::refusal::Refusal;
use crate::speech::Ask;

const DAY_SECONDS: i64 = 86_400;

/// `POST /v1/batches`.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let input = text_of(request, "input_file_id").ok_or_else(|| missing("input_file_id"))?;
    let endpoint = text_of(request, "endpoint").ok_or_else(|| missing("endpoint"))?;
    let window = text_of(request, "completion_window").ok_or_else(|| missing("completion_window"))?;
    let Some(file) = call.provider.files.get(call.key, input) else {
        return Err(Refusal::param("input_file_id", format!("No such File object: {input}")));
    };
    let lines = file.content.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
    let now = shared::time::now_ms() / 1000;
    let id = call.id_for("batch_");
    let batch = json!({
        "id": id,
        "object": "batch",
        "endpoint": endpoint,
        "model": null,
        "errors": null,
        "input_file_id": input,
        "completion_window": window,
        "status": "validating",
        "output_file_id": null,
        "error_file_id": null,
        "created_at": now,
        "in_progress_at": null,
        "expires_at": now + DAY_SECONDS,
        "finalizing_at": null,
        "completed_at": null,
        "failed_at": null,
        "expired_at": null,
        "cancelling_at": null,
        "cancelled_at": null,
        "request_counts": { "total": lines, "completed": 0, "failed": 0 },
        "metadata": request.get("metadata").cloned().unwrap_or_default(),
    });
    call.provider.batches.put(call.key, &id, batch.clone());
    Ok(Reply::Json(batch))
}

/// `GET /v1/batches`.
#[expect(clippy::unnecessary_wraps, reason = "all APIs have one type")]
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::Json(page(call.provider.batches.list(call.key))))
}

/// `GET /v1/batches/{id}`. A batch is done when somebody looks.
pub(crate) fn get(call: &Call<'_>) -> Result<Reply, Refusal> {
    let batch = call.provider.batches.get(call.key, call.id).ok_or_else(|| unknown(call.id))?;
    if batch["status"] != "validating" {
        return Ok(Reply::Json(batch));
    }
    let output = call.id_for("file-");
    let lines = results(call, &batch);
    let completed = lines.lines().count();
    files::keep(call, &output, "batch_output.jsonl", "batch_output", Bytes::from(lines));
    let now = shared::time::now_ms() / 1000;
    let done = call.provider.batches.change(call.key, call.id, |batch| {
        batch["status"] = json!("completed");
        batch["output_file_id"] = json!(output);
        for at in ["in_progress_at", "finalizing_at", "completed_at"] {
            batch[at] = json!(now);
        }
        batch["request_counts"]["completed"] = json!(completed);
    });
    done.map(Reply::Json).ok_or_else(|| unknown(call.id))
}

/// `POST /v1/batches/{id}/cancel`.
pub(crate) fn cancel(call: &Call<'_>) -> Result<Reply, Refusal> {
    let batch = call.provider.batches.get(call.key, call.id).ok_or_else(|| unknown(call.id))?;
    if batch["status"] != "validating" {
        let status = batch["status"].as_str().unwrap_or_default().to_owned();
        return Err(Refusal {
            status: 409,
            ..Refusal::invalid(format!("Cannot cancel a batch with status '{status}'."))
        });
    }
    let now = shared::time::now_ms() / 1000;
    let cancelled = call.provider.batches.change(call.key, call.id, |batch| {
        batch["status"] = json!("cancelling");
        batch["cancelling_at"] = json!(now);
    });
    cancelled.map(Reply::Json).ok_or_else(|| unknown(call.id))
}

/// The file of results, with a line for each line of input.
fn results(call: &Call<'_>, batch: &Value) -> String {
    let input = batch["input_file_id"].as_str().unwrap_or_default();
    let content = call.provider.files.get(call.key, input).map(|file| file.content).unwrap_or_default();
    let speech = call.speech(&Ask { model: "", turns: 1, ..Ask::default() });
    let mut output = String::new();
    for (number, line) in content.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).enumerate()
    {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let answer = json!({
            "id": speech.id("chatcmpl-"),
            "object": "chat.completion",
            "created": speech.created(),
            "model": line.pointer("/body/model"),
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": speech.text, "refusal": null },
                "logprobs": null, "finish_reason": "stop" }],
            "usage": super::usage(speech.usage),
        });
        let result = json!({
            "id": format!("batch_req_{number}"),
            "custom_id": line.get("custom_id"),
            "response": { "status_code": 200, "request_id": "req_fake", "body": answer },
            "error": null,
        });
        output.push_str(&result.to_string());
        output.push('\n');
    }
    output
}

fn unknown(id: &str) -> Refusal {
    Refusal::new(404, format!("No batch found with id '{id}'."))
}

fn missing(param: &str) -> Refusal {
    Refusal::param(param, format!("Missing required parameter: '{param}'.")).code("missing_required_parameter")
}
