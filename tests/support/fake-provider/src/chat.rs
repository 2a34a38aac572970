//! The request as far as it matters here, and the wire format of the answer.
//!
//! The shapes are those of recorded traffic of the chat completions API in 2026: a role chunk, content deltas, a finish chunk, a
//! chunk with the usage alone where it was asked for, and `[DONE]`.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::time::now_ms;

use crate::body::Step;
use crate::script::{Cut, Script, ToolCall, Usage};

const GREETING: &str =
    "Hello from the fake provider: every word of this answer is a chunk of its own when it is streamed.";

/// What is read of a request.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest<'a> {
    #[serde(borrow)]
    pub(crate) model: Cow<'a, str>,
    #[serde(default)]
    pub(crate) stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    messages: Vec<Message<'a>>,
    #[serde(default)]
    pub(crate) fake: Option<Script>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
}

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Chat<'a> {
    request: &'a ChatRequest<'a>,
    script: &'a Script,
    id: String,
    created: i64,
    content: Cow<'a, str>,
    tool_calls: Cow<'a, [ToolCall]>,
    usage: Usage,
}

impl<'a> Chat<'a> {
    pub(crate) fn new(request: &'a ChatRequest<'a>, script: &'a Script, echo: Option<String>, number: u64) -> Self {
        let tool_calls = if script.tool_calls.is_empty() && script.content.is_none() {
            Cow::Owned(calls_of(request))
        } else {
            Cow::Borrowed(script.tool_calls.as_slice())
        };
        let content = match (echo, &script.content) {
            (Some(echo), _) => Cow::Owned(echo),
            (None, Some(content)) => Cow::Borrowed(content.as_str()),
            (None, None) => Cow::Borrowed(GREETING),
        };
        let usage = script.usage.unwrap_or_else(|| Usage {
            prompt_tokens: 9 * request.messages.len() as u64,
            completion_tokens: content.split_whitespace().count() as u64,
            ..Usage::default()
        });
        let now = now_ms();
        Self {
            request,
            script,
            id: format!("chatcmpl-fake-{now:x}-{number:x}"),
            created: now / 1000,
            content,
            tool_calls,
            usage,
        }
    }

    /// The unary answer.
    pub(crate) fn completion(&self) -> Value {
        let (message, finish_reason) = if self.tool_calls.is_empty() {
            (json!({ "role": "assistant", "content": self.content, "refusal": null, "annotations": [] }), "stop")
        } else {
            let calls: Vec<_> = self
                .tool_calls
                .iter()
                .enumerate()
                .map(|(index, call)| {
                    json!({
                        "id": call_id(&self.id, index),
                        "type": "function",
                        "function": { "name": call.name, "arguments": call.arguments },
                    })
                })
                .collect();
            (json!({ "role": "assistant", "content": null, "tool_calls": calls, "refusal": null }), "tool_calls")
        };
        let mut answer = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.request.model,
            "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason }],
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        });
        if !self.script.no_usage {
            answer["usage"] = usage(self.usage);
        }
        answer
    }

    /// The streamed answer.
    pub(crate) fn stream(&self) -> VecDeque<Step> {
        let script = self.script;
        let pause = Duration::from_millis(script.chunk_delay_ms);
        let mut stream = Stream { steps: VecDeque::new(), pause };
        if script.first_chunk_delay_ms > 0 {
            stream.steps.push_back(Step::Wait(Duration::from_millis(script.first_chunk_delay_ms)));
        }
        let calls_tools = !self.tool_calls.is_empty();
        let opening = if calls_tools { Value::Null } else { json!("") };
        stream.frame(&self.chunk(json!({ "role": "assistant", "content": opening, "refusal": null }), None));
        if script.endless {
            let frame = frame(&self.chunk(json!({ "content": "on " }), None));
            stream.steps.push_back(Step::Repeat(frame, pause));
            return stream.steps;
        }

        let deltas = if calls_tools { self.tool_deltas() } else { self.content_deltas() };
        for (index, delta) in deltas.iter().enumerate() {
            match script.cut {
                Some(Cut::AfterChunks(at)) if at == index => return stream.end(Step::Cut),
                Some(Cut::InsideChunk(at)) if at == index => {
                    let whole = frame(&self.chunk(delta.clone(), None));
                    stream.write(whole.slice(..whole.len() / 2));
                    return stream.end(Step::Cut);
                }
                _ => {}
            }
            if script.error_after_chunks == Some(index) {
                let error = Script { status: 500, ..script.clone() }.error_body(&self.request.model);
                return stream.end(Step::Write(frame(&error)));
            }
            stream.frame(&self.chunk(delta.clone(), None));
        }
        if matches!(script.cut, Some(Cut::AfterChunks(_) | Cut::InsideChunk(_))) {
            return stream.end(Step::Cut);
        }
        stream.frame(&self.chunk(json!({}), Some(if calls_tools { "tool_calls" } else { "stop" })));
        if self.includes_usage() {
            let mut last = self.chunk(json!({}), None);
            last["choices"] = json!([]);
            last["usage"] = usage(self.usage);
            stream.frame(&last);
        }
        stream.end(Step::Write(Bytes::from_static(b"data: [DONE]\n\n")))
    }

    fn includes_usage(&self) -> bool {
        !self.script.no_usage && self.request.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.request.model,
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
            "choices": [{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason }],
        });
        if self.includes_usage() {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn content_deltas(&self) -> Vec<Value> {
        let words: Vec<&str> = self.content.split_inclusive(' ').collect();
        match self.script.chunks {
            None => words.iter().map(|word| json!({ "content": word })).collect(),
            // Numbered, so that a reader sees which are missing or came twice.
            Some(chunks) => (0..chunks).map(|index| json!({ "content": format!("{index} ") })).collect(),
        }
    }

    fn tool_deltas(&self) -> Vec<Value> {
        let mut deltas = Vec::new();
        for (index, call) in self.tool_calls.iter().enumerate() {
            deltas.push(json!({ "tool_calls": [{
                "index": index,
                "id": call_id(&self.id, index),
                "type": "function",
                "function": { "name": call.name, "arguments": "" },
            }] }));
            let characters: Vec<char> = call.arguments.chars().collect();
            for fragment in characters.chunks(6) {
                let fragment: String = fragment.iter().collect();
                deltas.push(json!({ "tool_calls": [{ "index": index, "function": { "arguments": fragment } }] }));
            }
        }
        deltas
    }
}

struct Stream {
    steps: VecDeque<Step>,
    pause: Duration,
}

impl Stream {
    fn frame(&mut self, chunk: &Value) {
        self.write(frame(chunk));
    }

    fn write(&mut self, bytes: Bytes) {
        if !self.pause.is_zero() && matches!(self.steps.back(), Some(Step::Write(_))) {
            self.steps.push_back(Step::Wait(self.pause));
        }
        self.steps.push_back(Step::Write(bytes));
    }

    fn end(mut self, step: Step) -> VecDeque<Step> {
        if matches!(step, Step::Cut) && !self.pause.is_zero() {
            self.steps.push_back(Step::Wait(self.pause));
        }
        self.steps.push_back(step);
        self.steps
    }
}

fn frame(chunk: &Value) -> Bytes {
    Bytes::from(format!("data: {chunk}\n\n"))
}

fn call_id(id: &str, index: usize) -> String {
    format!("call_{}_{index}", id.trim_start_matches("chatcmpl-"))
}

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

/// One call of each tool that the client offers, unless it forbids them or answers one already.
fn calls_of(request: &ChatRequest<'_>) -> Vec<ToolCall> {
    let answered = request.messages.last().is_some_and(|message| message.role == "tool");
    let forbidden = request.tool_choice.as_ref().is_some_and(|choice| choice == "none");
    if answered || forbidden {
        return Vec::new();
    }
    let tools = request.tools.iter().flatten();
    tools
        .filter_map(|tool| {
            let function = tool.get("function")?;
            let name = function.get("name")?.as_str()?.to_owned();
            Some(ToolCall { name, arguments: example(function.get("parameters").unwrap_or(&Value::Null)).to_string() })
        })
        .collect()
}

/// A value that fits a JSON schema of the simple kinds that tools have.
fn example(schema: &Value) -> Value {
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => json!("Paris"),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.into_iter().flatten().map(|(name, property)| (name.clone(), example(property))).collect()
        }
    }
}
