//! Responses (platform.openai.com/docs/api-reference/responses). They are made whole, streamed or in the background,
//! and remembered for each upstream key.

mod items;
mod kept;
mod object;
mod stream;

pub(crate) use self::kept::{cancel, delete, get, input_items};

use serde_json::{Value, json};

use self::items::Input;
use self::object::Response;
use crate::call::{Call, EVENTS, Reply};
use crate::fields::{list_of, text_of, words};
use crate::refusal::Refusal;
use crate::shelf::StoredResponse;
use crate::speech::Ask;

/// `POST /v1/responses`.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    if request.get("model").is_none() {
        return Err(missing("model"));
    }
    let input = items::read(request)?;
    let earlier = earlier(call, request)?;
    let format = request.pointer("/text/format");
    let ask = Ask {
        model: call.model,
        turns: input.items.len() + earlier,
        tool: tool(request, &input),
        schema: format.and_then(|format| format.get("schema")),
        json: format.and_then(|format| text_of(format, "type")) == Some("json_object"),
        thinks: request.pointer("/reasoning/summary").is_some_and(Value::is_string),
    };
    let background = request.get("background") == Some(&Value::Bool(true));
    let response = Response::new(call.speech(&ask), request, call.script.no_usage);
    let done = response.done();
    if request.get("store") != Some(&Value::Bool(false)) {
        let kept = StoredResponse { response: done.clone(), input: input.items, queued: background, cancelled: false };
        call.provider.responses.put(call.key, &response.id, kept);
    }
    if request.get("stream") == Some(&Value::Bool(true)) {
        return Ok(Reply::Stream { content_type: EVENTS, steps: stream::steps(&response, call.vendor) });
    }
    Ok(Reply::Json(if background { response.begun("queued") } else { done }))
}

/// How many items the conversation has before this request.
fn earlier(call: &Call<'_>, request: &Value) -> Result<usize, Refusal> {
    let Some(id) = text_of(request, "previous_response_id") else { return Ok(0) };
    let Some(kept) = call.provider.responses.get(call.key, id) else {
        let message = format!("Previous response with id '{id}' not found.");
        return Err(Refusal::param("previous_response_id", message).code("previous_response_not_found"));
    };
    Ok(kept.input.len() + list_of(&kept.response, "output").len())
}

/// The first function, or the function that the choice names. None if functions are forbidden or a call has just been
/// answered.
fn tool<'a>(request: &'a Value, input: &Input) -> Option<(&'a str, &'a Value)> {
    let choice = request.get("tool_choice");
    if input.ends_with_output() || choice.is_some_and(|choice| choice == "none") {
        return None;
    }
    let wanted = choice.and_then(|choice| text_of(choice, "name"));
    list_of(request, "tools").iter().filter(|tool| text_of(tool, "type") == Some("function")).find_map(|tool| {
        let name = text_of(tool, "name").filter(|name| wanted.is_none_or(|wanted| wanted == *name))?;
        Some((name, tool.get("parameters").unwrap_or(&Value::Null)))
    })
}

/// `POST /v1/responses/compact`. The user's messages stay, and the rest becomes one encrypted item.
pub(crate) fn compact(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    if request.get("model").is_none() {
        return Err(missing("model"));
    }
    let input = items::read(request)?;
    earlier(call, request)?;
    let tokens = input.words();
    let mut output: Vec<Value> = input.items.into_iter().filter(|item| text_of(item, "role") == Some("user")).collect();
    output.push(
        json!({ "id": call.id_for("cmp_"), "type": "compaction", "encrypted_content": object::encrypted("compacted") }),
    );
    Ok(Reply::Json(json!({
        "id": call.id_for("resp_"),
        "object": "response.compaction",
        "created_at": shared::time::now_ms() / 1000,
        "output": output,
        "usage": {
            "input_tokens": tokens,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": 9,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": tokens + 9,
        },
    })))
}

/// `POST /v1/responses/input_tokens`.
pub(crate) fn input_tokens(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let instructions = words(text_of(request, "instructions").unwrap_or_default());
    let tokens = items::read(request)?.words() + instructions;
    Ok(Reply::Json(json!({ "object": "response.input_tokens", "input_tokens": tokens })))
}

fn missing(param: &str) -> Refusal {
    Refusal::param(param, format!("Missing required parameter: '{param}'.")).code("missing_required_parameter")
}
