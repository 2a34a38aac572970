//! The Messages API.

use std::borrow::Cow;

use serde_json::Value;

use super::message::Message;
use super::{check, history, stream};
use crate::call::{Call, EVENTS, Reply};
use crate::fields::{list_of, text_of};
use crate::refusal::Refusal;
use crate::speech::Ask;

/// `POST /v1/messages`.
pub(crate) fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::head(call, false)?;
    check::values(call, false)?;
    let request = call.json();
    history::check(request)?;
    let thinking = request.get("thinking");
    let begun = begun(request);
    let ask = Ask {
        model: call.model,
        turns: list_of(request, "messages").len(),
        tool: tool(request),
        schema: request.pointer("/output_config/format/schema").or_else(|| request.pointer("/output_format/schema")),
        json: begun.trim() == "{",
        thinks: matches!(thinking.and_then(|thinking| text_of(thinking, "type")), Some("enabled" | "adaptive")),
    };
    let mut speech = call.speech(&ask);
    if let Some(rest) = speech.text.as_deref().and_then(|text| text.strip_prefix(begun)) {
        speech.text = Some(Cow::Owned(rest.to_owned()));
    }
    let message = Message {
        speech,
        // Older models show their thoughts. Newer ones do so if they are asked to.
        shows_thinking: thinking.and_then(|thinking| text_of(thinking, "display")).map_or(
            call.script.thinking.is_some()
                || thinking.and_then(|thinking| text_of(thinking, "type")) == Some("enabled"),
            |display| display == "summarized",
        ),
        no_usage: call.script.no_usage,
    };
    if request.get("stream") == Some(&Value::Bool(true)) {
        return Ok(Reply::Stream { content_type: EVENTS, steps: stream::steps(&message, call.vendor) });
    }
    Ok(Reply::Json(message.whole()))
}

/// The beginning of the answer. A conversation may end with it, and the model goes on from there.
fn begun(request: &Value) -> &str {
    let Some(last) = list_of(request, "messages").last().filter(|last| last["role"] == "assistant") else { return "" };
    let block = list_of(last, "content").last().and_then(|block| text_of(block, "text"));
    text_of(last, "content").or(block).unwrap_or_default()
}

/// The first tool that the client runs, or the tool that the choice names. None if tools are forbidden or a call has
/// just been answered.
fn tool(request: &Value) -> Option<(&str, &Value)> {
    let last = list_of(request, "messages").last()?;
    let answered = list_of(last, "content").iter().any(|block| text_of(block, "type") == Some("tool_result"));
    let choice = request.get("tool_choice");
    if answered || choice.and_then(|choice| text_of(choice, "type")) == Some("none") {
        return None;
    }
    let wanted = choice.and_then(|choice| text_of(choice, "name"));
    let tools = list_of(request, "tools").iter().filter(|tool| tool.get("input_schema").is_some());
    tools
        .filter(|tool| wanted.is_none_or(|wanted| text_of(tool, "name") == Some(wanted)))
        .find_map(|tool| Some((text_of(tool, "name")?, tool.get("input_schema")?)))
}
