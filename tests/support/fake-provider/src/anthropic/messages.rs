//! Messages.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{check, history, stream};
use crate::call::{Call, EVENTS, Reply, list_of, text_of};
use crate::refusal::Refusal;
use crate::script::Usage;
use crate::signature;
use crate::speech::{Ask, Finish, Speech};

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
        // What is thought is shown by the older models, and by the newer where they are asked to.
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

/// How the answer begins: a conversation may end with that, and the model goes on from there.
fn begun(request: &Value) -> &str {
    let Some(last) = list_of(request, "messages").last().filter(|last| last["role"] == "assistant") else { return "" };
    let block = list_of(last, "content").last().and_then(|block| text_of(block, "text"));
    text_of(last, "content").or(block).unwrap_or_default()
}

/// The first tool that the client runs, or the one that the choice names; none where they are forbidden or one has just
/// been answered.
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

/// A message in the making.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) speech: Speech<'a>,
    pub(super) shows_thinking: bool,
    no_usage: bool,
}

impl Message<'_> {
    /// The unary answer.
    fn whole(&self) -> Value {
        let mut message = self.head();
        message["content"] = self.blocks().into();
        if let (Some(message), Value::Object(ending)) = (message.as_object_mut(), self.ending()) {
            message.extend(ending);
        }
        if !self.no_usage {
            message["usage"] = self.usage(self.speech.usage.completion_tokens);
        }
        message
    }

    /// The message before it has content.
    pub(super) fn head(&self) -> Value {
        json!({
            "model": self.speech.model,
            "id": self.speech.id("msg_"),
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "stop_details": null,
        })
    }

    fn blocks(&self) -> Vec<Value> {
        let speech = &self.speech;
        let mut blocks = Vec::new();
        blocks.extend(self.thinking());
        if let Some(text) = &speech.text {
            blocks.push(json!({ "type": "text", "text": text }));
        }
        blocks.extend((0..speech.calls.len()).map(|index| self.call(index)));
        blocks
    }

    /// The block of thoughts.
    pub(super) fn thinking(&self) -> Option<Value> {
        let script = self.speech.script;
        let thoughts = self.speech.thinking?;
        let shown = if self.shows_thinking { thoughts } else { "" };
        let signature = script.signature.clone().unwrap_or_else(|| signature::of(shown));
        if script.redacted {
            return Some(json!({ "type": "redacted_thinking", "data": signature::of(thoughts) }));
        }
        Some(json!({ "type": "thinking", "thinking": shown, "signature": signature }))
    }

    /// The block of a call.
    pub(super) fn call(&self, index: usize) -> Value {
        let call = &self.speech.calls[index];
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        json!({
            "type": "tool_use",
            "id": self.speech.call_id("toolu_", index),
            "name": call.name,
            "input": input,
            "caller": { "type": "direct" },
        })
    }

    /// Why it ends.
    pub(super) fn ending(&self) -> Value {
        let reason = match self.speech.finish {
            Finish::Stop => "end_turn",
            Finish::Length => "max_tokens",
            Finish::ToolCalls => "tool_use",
            Finish::ContentFilter | Finish::Refusal => "refusal",
            Finish::Own(own) => own,
        };
        let explanation = self.speech.refusal.or(self.speech.blocked);
        let details = explanation
            .filter(|_| reason == "refusal")
            .map(|explanation| json!({ "type": "refusal", "category": null, "explanation": explanation }));
        json!({ "stop_reason": reason, "stop_sequence": null, "stop_details": details })
    }

    /// Tokens in are counted without those of the cache, which have counts of their own.
    pub(super) fn usage(&self, output_tokens: u64) -> Value {
        let Usage { prompt_tokens, cached_tokens, reasoning_tokens, .. } = self.speech.usage;
        let written = self.speech.script.cache_write_tokens;
        let mut usage = json!({
            "input_tokens": prompt_tokens.saturating_sub(cached_tokens + written),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": cached_tokens,
            "cache_creation": { "ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0 },
            "output_tokens": output_tokens,
            "service_tier": "standard",
            "inference_geo": "not_available",
        });
        if reasoning_tokens > 0 {
            usage["output_tokens_details"] = json!({ "thinking_tokens": reasoning_tokens });
        }
        usage
    }
}
