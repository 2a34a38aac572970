//! Moderations. A text that has the word `violence` is flagged.

use serde_json::{Map, Value, json};

use crate::call::{Call, Reply};
use crate::refusal::Refusal;

const CATEGORIES: &[&str] = &[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// `POST /v1/moderations`.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let texts: Vec<String> = match request.get("input") {
        Some(Value::String(text)) => vec![text.clone()],
        // If an input also has images, its parts are judged together.
        Some(Value::Array(parts)) if parts.iter().any(Value::is_object) => {
            vec![parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()]
        }
        Some(Value::Array(texts)) => texts.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect(),
        _ => {
            return Err(
                Refusal::param("input", "Missing required parameter: 'input'.").code("missing_required_parameter")
            );
        }
    };
    let results: Vec<Value> = texts.iter().map(|text| judge(text)).collect();
    let model = if request.get("model").is_some() { call.model } else { "omni-moderation-latest" };
    Ok(Reply::Json(json!({ "id": call.id_for("modr-"), "model": model, "results": results })))
}

fn judge(text: &str) -> Value {
    let flagged = text.contains("violence");
    let each = |value: &dyn Fn(bool) -> Value| -> Map<String, Value> {
        CATEGORIES.iter().map(|name| ((*name).to_owned(), value(flagged && *name == "violence"))).collect()
    };
    json!({
        "flagged": flagged,
        "categories": each(&|hit| json!(hit)),
        "category_scores": each(&|hit| json!(if hit { 0.9 } else { 0.001 })),
        "category_applied_input_types": each(&|_| json!(["text"])),
    })
}
