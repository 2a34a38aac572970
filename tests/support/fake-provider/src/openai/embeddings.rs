//! Embeddings, as recorded: of a text, of texts, of token ids, or of lists of token ids, as floats or as base64.

use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::fields::{text_of, words};
use crate::refusal::Refusal;
use crate::vector;

/// The models whose number of dimensions differs from the usual one.
const DIMENSIONS: &[(&str, usize)] = &[("text-embedding-3-large", 3072)];
const USUAL_DIMENSIONS: usize = 1536;
const MAX_INPUTS: usize = 2048;

/// `POST /v1/embeddings`.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let inputs = inputs(request.get("input").unwrap_or(&Value::Null))?;
    let full = DIMENSIONS.iter().find(|(model, _)| *model == call.model).map_or(USUAL_DIMENSIONS, |(_, known)| *known);
    let dimensions = match request.get("dimensions") {
        None | Some(Value::Null) => full,
        Some(asked) => asked
            .as_u64()
            .and_then(|asked| usize::try_from(asked).ok())
            .filter(|asked| (1..=full).contains(asked))
            .ok_or_else(|| Refusal::param("dimensions", "Invalid value for 'dimensions'."))?,
    };
    let base64 = match text_of(request, "encoding_format") {
        None | Some("float") => false,
        Some("base64") => true,
        Some(other) => {
            let message = format!("Invalid value: '{other}'. Supported values are: 'float' and 'base64'.");
            return Err(Refusal::param("encoding_format", message).code("invalid_value"));
        }
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, (text, _))| {
            let vector = vector::of(text, dimensions);
            let embedding = if base64 { json!(vector::base64(&vector)) } else { vector::json(&vector) };
            json!({ "object": "embedding", "index": index, "embedding": embedding })
        })
        .collect();
    let tokens: u64 = inputs.iter().map(|(_, tokens)| *tokens as u64).sum();
    let tokens = call.script.usage.map_or(tokens, |usage| usage.prompt_tokens);
    let mut answer = json!({ "object": "list", "data": data, "model": call.model });
    if !call.script.no_usage {
        answer["usage"] = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    }
    Ok(Reply::Json(answer))
}

/// Each input as a text from which its vector follows, and its count of tokens.
fn inputs(input: &Value) -> Result<Vec<(String, usize)>, Refusal> {
    let tokens = |ids: &[Value]| (Value::from(ids).to_string(), ids.len());
    let all = match input {
        Value::String(text) => vec![(text.clone(), words(text).max(1))],
        Value::Array(ids) if ids.iter().all(Value::is_u64) && !ids.is_empty() => vec![tokens(ids)],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some((text.clone(), words(text).max(1))),
                Value::Array(ids) if ids.iter().all(Value::is_u64) => Some(tokens(ids)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let given = input.as_array().filter(|items| !items.iter().all(Value::is_u64)).map_or(1, Vec::len);
    if all.is_empty() || all.len() != given || all.iter().any(|(text, _)| text.is_empty()) || all.len() > MAX_INPUTS {
        return Err(Refusal::param(
            "input",
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
        ));
    }
    Ok(all)
}
