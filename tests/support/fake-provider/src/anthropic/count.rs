//! Counts of tokens, which are counts of words here.

use serde_json::{Value, json};

use super::{check, history};
use crate::call::{Call, Reply};
use crate::fields::words;
use crate::refusal::Refusal;

/// `POST /v1/messages/count_tokens`.
pub(crate) fn tokens(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::head(call, true)?;
    check::values(call, true)?;
    let request = call.json();
    history::check(request)?;
    let counted = ["system", "messages", "tools"].iter().filter_map(|name| request.get(name)).map(count).sum::<usize>();
    let tokens = call.script.usage.map_or(counted as u64 + 7, |usage| usage.prompt_tokens);
    Ok(Reply::Json(json!({ "input_tokens": tokens })))
}

fn count(value: &Value) -> usize {
    match value {
        Value::String(text) => words(text),
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}
