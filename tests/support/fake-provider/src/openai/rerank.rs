//! Rerank, as Cohere, Jina and Voyage have it (docs.cohere.com/reference/rerank). Documents are ordered by how many
//! words of the query they have.

use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::fields::{list_of, text_of, words};
use crate::refusal::Refusal;

/// `POST /v1/rerank`.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let query = text_of(request, "query").ok_or_else(|| Refusal::param("query", "query is required"))?;
    let documents = list_of(request, "documents");
    if documents.is_empty() {
        return Err(Refusal::param("documents", "documents must not be empty"));
    }
    let wanted: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let text =
        |document: &Value| document.as_str().or_else(|| text_of(document, "text")).unwrap_or_default().to_owned();
    let mut scored: Vec<(usize, usize)> = documents
        .iter()
        .map(|document| text(document).to_lowercase())
        .map(|document| wanted.iter().filter(|word| document.contains(word.as_str())).count())
        .enumerate()
        .collect();
    scored.sort_by_key(|(index, hits)| (std::cmp::Reverse(*hits), *index));
    let most = request.get("top_n").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
    let returns = request.get("return_documents") == Some(&Value::Bool(true));
    let results: Vec<Value> = scored
        .iter()
        .take(most.unwrap_or(usize::MAX))
        .map(|(index, hits)| {
            let all = u32::try_from(wanted.len().max(1)).unwrap_or(u32::MAX);
            let score = f64::from(u32::try_from(*hits).unwrap_or(u32::MAX)) / f64::from(all);
            let mut result = json!({ "index": index, "relevance_score": score });
            if returns {
                result["document"] = json!({ "text": text(&documents[*index]) });
            }
            result
        })
        .collect();
    let tokens = words(query) + documents.iter().map(|document| words(&text(document))).sum::<usize>();
    Ok(Reply::Json(json!({
        "id": call.id_for("rerank-"),
        "model": call.model,
        "results": results,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        "meta": { "api_version": { "version": "2" }, "billed_units": { "search_units": 1 } },
    })))
}
