//! A message as the API writes it, whole or in parts.

use serde_json::{Value, json};

use crate::script::Usage;
use crate::signature;
use crate::speech::{Finish, Speech};

/// A message in the making.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) speech: Speech<'a>,
    pub(super) shows_thinking: bool,
    pub(super) no_usage: bool,
}

impl Message<'_> {
    /// The whole message.
    pub(super) fn whole(&self) -> Value {
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

    /// The reason why the message ends.
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

    /// The usage. Its input tokens are those that the cache did not read or write, which have counts of their own.
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
