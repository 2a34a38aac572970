use serde_json::{Value, json};

use super::{Got, get, openai, provider, send};
use crate::FakeProvider;
use crate::queue::Target;
use crate::script::Script;

/// A form. The key of a field with a file name carries that name after a bar.
fn form(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        let (name, file) = name.split_once('|').unwrap_or((name, ""));
        let file = if file.is_empty() { String::new() } else { format!("; filename=\"{file}\"") };
        format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).chain(["--frontier--\r\n".to_owned()]).collect::<Vec<_>>().concat()
}

async fn upload(provider: &FakeProvider, path: &str, key: &str, fields: &[(&str, &str)]) -> Got {
    let head =
        format!("POST {path}\nauthorization: Bearer {key}\ncontent-type: multipart/form-data; boundary=frontier");
    send(provider, &head, form(fields).as_bytes()).await
}

#[tokio::test]
async fn transcriptions_and_translations_take_forms() {
    let provider = provider().await;
    provider.always(Target::Model("whisper-1".into()), Script::saying("Bonjour"));
    let file = ("file|a.mp3", "ID3");
    let answer = upload(&provider, "/v1/audio/transcriptions", "sk", &[file, ("model", "whisper-1")]).await.json();
    assert_eq!(answer, json!({ "text": "Bonjour", "usage": { "type": "duration", "seconds": 2 } }));
    let answer =
        upload(&provider, "/v1/audio/transcriptions", "sk", &[file, ("model", "gpt-4o-transcribe")]).await.json();
    assert_eq!(answer["usage"]["type"], "tokens");
    let fields = [file, ("model", "whisper-1"), ("response_format", "verbose_json")];
    assert_eq!(upload(&provider, "/v1/audio/translations", "sk", &fields).await.json()["task"], "translate");
    upload(&provider, "/v1/audio/transcriptions", "sk", &[("model", "whisper-1")]).await.refuses(400, "'file'");
    openai(&provider, "/v1/audio/transcriptions", &json!({})).await.refuses(400, "multipart");
    let failed = upload(&provider, "/v1/audio/transcriptions", "sk", &[file, ("model", "fake-error-500")]).await;
    assert_eq!(failed.status, 500);
}

#[tokio::test]
async fn images_are_edited_and_varied() {
    let provider = provider().await;
    let image = ("image[]|a.png", "PNG");
    let answer = upload(&provider, "/v1/images/edits", "sk", &[image, ("prompt", "more dots")]).await.json();
    assert!(answer["data"][0]["b64_json"].is_string());
    assert_eq!(upload(&provider, "/v1/images/variations", "sk", &[image]).await.status, 200);
    upload(&provider, "/v1/images/edits", "sk", &[image]).await.refuses(400, "prompt");
}

#[tokio::test]
async fn files_belong_to_their_key() {
    let provider = provider().await;
    let fields = [("purpose", "batch"), ("file|in.jsonl", "{}\r\n{}\r\n")];
    let file = upload(&provider, "/v1/files", "sk-test", &fields).await.json();
    assert_eq!((&file["filename"], &file["bytes"]), (&json!("in.jsonl"), &json!(8)));
    let path = format!("/v1/files/{}", file["id"].as_str().unwrap());
    assert_eq!(get(&provider, &path).await.json(), file);
    assert_eq!(get(&provider, &format!("{path}/content")).await.text(), "{}\r\n{}\r\n");
    assert_eq!(get(&provider, "/v1/files").await.json()["data"], json!([file]));
    assert_eq!(get(&provider, "/v1/files?purpose=other").await.json()["data"], json!([]));
    send(&provider, &format!("GET {path}\nauthorization: Bearer sk-other"), b"")
        .await
        .refuses(404, "No such File object");
    let deleted = send(&provider, &format!("DELETE {path}\nauthorization: Bearer sk-test"), b"").await.json();
    assert_eq!(deleted["deleted"], true);
    assert_eq!(get(&provider, &path).await.status, 404);
    upload(&provider, "/v1/files", "sk", &fields[1..]).await.refuses(400, "purpose");
}

#[tokio::test]
async fn batches_are_done_when_they_are_looked_at() {
    let provider = provider().await;
    let line =
        json!({ "custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": { "model": "gpt-4o" } });
    let fields = [("purpose", "batch"), ("file|in.jsonl", &*line.to_string())];
    let file = upload(&provider, "/v1/files", "sk-test", &fields).await.json();
    let request =
        json!({ "input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h" });
    let make = async || openai(&provider, "/v1/batches", &request).await.json();
    let batch = make().await;
    assert_eq!((&batch["status"], &batch["request_counts"]["total"]), (&json!("validating"), &json!(1)));
    let path = |batch: &Value| format!("/v1/batches/{}", batch["id"].as_str().unwrap());
    let done = get(&provider, &path(&batch)).await.json();
    assert_eq!(done["status"], "completed");
    let output =
        get(&provider, &format!("/v1/files/{}/content", done["output_file_id"].as_str().unwrap())).await.json();
    assert_eq!((&output["custom_id"], &output["response"]["body"]["model"]), (&json!("a"), &json!("gpt-4o")));
    let other = make().await;
    let cancelled = openai(&provider, &format!("{}/cancel", path(&other)), &json!({})).await.json();
    assert_eq!(cancelled["status"], "cancelling");
    assert_eq!(get(&provider, "/v1/batches").await.json()["data"].as_array().unwrap().len(), 2);
    openai(&provider, &format!("{}/cancel", path(&batch)), &json!({})).await.refuses(409, "completed");
    get(&provider, "/v1/batches/batch_0").await.refuses(404, "No batch found");
}
