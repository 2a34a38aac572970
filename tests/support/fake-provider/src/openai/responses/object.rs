//! The response object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fields::{list_of, text_of};
use crate::script::Usage;
use crate::speech::{Finish, Speech};

/// A response in the making.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) speech: Speech<'a>,
    pub(super) id: String,
    request: &'a Value,
    no_usage: bool,
}

impl<'a> Response<'a> {
    pub(super) fn new(speech: Speech<'a>, request: &'a Value, no_usage: bool) -> Self {
        Self { id: speech.id("resp_"), speech, request, no_usage }
    }

    /// The response before anything has been said.
    pub(super) fn begun(&self, status: &str) -> Value {
        self.object(status, &json!([]), &Value::Null)
    }

    /// The response with everything that was said.
    pub(super) fn done(&self) -> Value {
        let status = if self.incomplete().is_some() { "incomplete" } else { "completed" };
        let usage = if self.no_usage { Value::Null } else { usage(self.speech.usage) };
        self.object(status, &self.output(), &usage)
    }

    /// The response that `error` has ended.
    pub(super) fn failed(&self, error: &Value) -> Value {
        let mut response = self.object("failed", &json!([]), &Value::Null);
        response["error"] = json!({ "code": error["code"], "message": error["message"] });
        response
    }

    /// The reason why the answer is not complete, if it is not.
    fn incomplete(&self) -> Option<&str> {
        match self.speech.finish {
            Finish::Length => Some("max_output_tokens"),
            Finish::ContentFilter => Some("content_filter"),
            Finish::Own(own) if own != "completed" => Some(own),
            _ => None,
        }
    }

    fn object(&self, status: &str, output: &Value, usage: &Value) -> Value {
        let asked = |name: &str, usual: Value| match self.request.get(name) {
            None | Some(Value::Null) => usual,
            Some(asked) => asked.clone(),
        };
        let over = !matches!(status, "queued" | "in_progress");
        let finished = status == "completed";
        let reason = self.incomplete().filter(|_| status == "incomplete");
        json!({
            "id": self.id,
            "object": "response",
            "created_at": self.speech.created(),
            "status": status,
            "background": asked("background", json!(false)),
            "completed_at": finished.then(|| self.speech.created()),
            "error": null,
            "frequency_penalty": 0.0,
            "incomplete_details": reason.map(|reason| json!({ "reason": reason })),
            "instructions": asked("instructions", Value::Null),
            "max_output_tokens": asked("max_output_tokens", Value::Null),
            "max_tool_calls": asked("max_tool_calls", Value::Null),
            "model": self.speech.model,
            "output": output,
            "parallel_tool_calls": asked("parallel_tool_calls", json!(true)),
            "presence_penalty": 0.0,
            "previous_response_id": asked("previous_response_id", Value::Null),
            "prompt_cache_key": asked("prompt_cache_key", Value::Null),
            "prompt_cache_retention": null,
            "reasoning": {
                "effort": self.request.pointer("/reasoning/effort"),
                "summary": self.request.pointer("/reasoning/summary"),
            },
            "safety_identifier": asked("safety_identifier", Value::Null),
            "service_tier": if over { json!("default") } else { asked("service_tier", json!("auto")) },
            "store": asked("store", json!(true)),
            "temperature": asked("temperature", json!(1.0)),
            "text": {
                "format": self.request.pointer("/text/format").cloned().unwrap_or_else(|| json!({ "type": "text" })),
                "verbosity": self.request.pointer("/text/verbosity").cloned().unwrap_or_else(|| json!("medium")),
            },
            "tool_choice": asked("tool_choice", json!("auto")),
            "tools": asked("tools", json!([])),
            "top_logprobs": 0,
            "top_p": asked("top_p", json!(1.0)),
            "truncation": asked("truncation", json!("disabled")),
            "usage": usage,
            "user": asked("user", Value::Null),
            "metadata": asked("metadata", json!({})),
        })
    }

    /// The items when everything has been said.
    pub(super) fn output(&self) -> Value {
        let mut items = Vec::new();
        if self.speech.thinking.is_some() {
            items.push(self.reasoning());
        }
        if self.speech.text.is_some() || self.speech.refusal.is_some() {
            items.push(self.message());
        }
        items.extend((0..self.speech.calls.len()).map(|index| self.call(index)));
        Value::Array(items)
    }

    pub(super) fn reasoning(&self) -> Value {
        let thinking = self.speech.thinking.unwrap_or_default();
        let mut item = json!({ "id": self.speech.id("rs_"), "type": "reasoning", "summary": [] });
        if !self.speech.script.redacted {
            item["summary"] = json!([{ "type": "summary_text", "text": thinking }]);
        }
        if list_of(self.request, "include").iter().any(|include| include == "reasoning.encrypted_content") {
            item["encrypted_content"] = json!(encrypted(thinking));
        }
        item
    }

    pub(super) fn message(&self) -> Value {
        let status = if self.incomplete().is_some() { "incomplete" } else { "completed" };
        json!({
            "id": self.speech.id("msg_"),
            "type": "message",
            "status": status,
            "content": [self.part(self.speech.text.as_deref().or(self.speech.refusal).unwrap_or_default())],
            "role": "assistant",
        })
    }

    /// The part that holds the text.
    pub(super) fn part(&self, text: &str) -> Value {
        if self.speech.refusal.is_some() {
            return json!({ "type": "refusal", "refusal": text });
        }
        json!({ "type": "output_text", "annotations": [], "logprobs": [], "text": text })
    }

    pub(super) fn call(&self, index: usize) -> Value {
        let call = &self.speech.calls[index];
        json!({
            "id": self.speech.call_id("fc_", index),
            "type": "function_call",
            "status": "completed",
            "arguments": call.arguments,
            "call_id": self.speech.call_id("call_", index),
            "name": call.name,
        })
    }

    pub(super) fn obfuscates(&self) -> bool {
        self.request.pointer("/stream_options/include_obfuscation") != Some(&Value::Bool(false))
    }
}

/// The text in a form that stands for encryption.
pub(super) fn encrypted(text: &str) -> String {
    format!("gAAAAAB{}", STANDARD.encode(text))
}

fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": { "cached_tokens": usage.cached_tokens },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    })
}

/// The error object of a script or of the provider, flat as in events.
pub(super) fn error_of(envelope: &Value) -> Value {
    let error = envelope.get("error").cloned().unwrap_or_default();
    json!({
        "type": text_of(&error, "type").unwrap_or("server_error"),
        "code": error.get("code").filter(|code| code.is_string()).cloned().unwrap_or_else(|| json!("server_error")),
        "message": text_of(&error, "message").unwrap_or_default(),
        "param": error.get("param"),
    })
}
