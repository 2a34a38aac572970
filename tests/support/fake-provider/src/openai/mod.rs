//! OpenAI's APIs (platform.openai.com/docs/api-reference), and those of the vendors that are compatible with it.

pub(crate) mod audio;
pub(crate) mod batches;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod files;
pub(crate) mod images;
pub(crate) mod models;
pub(crate) mod moderations;
pub(crate) mod rerank;
pub(crate) mod responses;

use serde_json::{Value, json};

use crate::script::Usage;
use crate::speech::Finish;

/// The usage of chat completions and of answers of the same shape.
fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": { "cached_tokens": usage.cached_tokens, "audio_tokens": 0 },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

/// The `finish_reason`. A refusal ends with `stop`, as recorded.
fn finish_reason(finish: Finish<'_>) -> &str {
    match finish {
        Finish::Stop | Finish::Refusal => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Own(own) => own,
    }
}

/// A page of a list, with the ids of its first and last item.
fn page(data: Vec<Value>) -> Value {
    let id = |item: Option<&Value>| item.and_then(|item| item.get("id")).cloned().unwrap_or_default();
    json!({ "object": "list", "first_id": id(data.first()), "last_id": id(data.last()), "data": data, "has_more": false })
}
