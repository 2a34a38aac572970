//! One answer, as a provider of each format gives it, whole and as a stream, and what a client of each gets of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use translation::Format;
use translation::ir::{Event, Request};
use translation::protocol::contract::AnswerContext;

/// An answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) thought: Option<&'static str>,
    pub(crate) text: Option<&'static str>,
    /// Id, name, arguments; none where the provider gives none.
    pub(crate) calls: Vec<(&'static str, &'static str, Option<Value>)>,
    /// The provider's own word, where it is not that of an answer which is complete.
    pub(crate) reason: Option<&'static str>,
}

/// Tokens that every answer here costs: 100 in, of which 40 from the cache; 30 out, of which 10 on thoughts.
pub(crate) const INPUT: u64 = 100;
pub(crate) const CACHED: u64 = 40;
pub(crate) const OUTPUT: u64 = 30;
pub(crate) const REASONING: u64 = 10;

/// A frame of a stream.
pub(crate) fn frame(event: &Value) -> String {
    match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    }
}

impl Answer {
    pub(crate) fn text(text: &'static str) -> Self {
        Self { text: Some(text), ..Self::default() }
    }

    pub(crate) fn calls(calls: &[(&'static str, &'static str, Option<Value>)]) -> Self {
        Self { calls: calls.to_vec(), ..Self::default() }
    }

    /// As the provider gives it in one piece.
    pub(crate) fn whole(&self, provider: Format) -> Value {
        match provider {
            Format::OpenAiChat => {
                let call = |(id, name, arguments): &(&str, &str, Option<Value>)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": text_of(arguments.as_ref())}});
                let mut message = json!({"role": "assistant", "content": self.text, "reasoning_content": self.thought});
                if !self.calls.is_empty() {
                    message["tool_calls"] = self.calls.iter().map(call).collect();
                }
                let reason = self.reason.unwrap_or(if self.calls.is_empty() { "stop" } else { "tool_calls" });
                let choice = json!({"index": 0, "message": message, "finish_reason": reason});
                json!({"id": "c", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice], "usage": usage(provider)})
            }
            Format::OpenAiResponses => self.response("completed"),
            Format::AnthropicMessages => {
                let reason = self.reason.unwrap_or(if self.calls.is_empty() { "end_turn" } else { "tool_use" });
                json!({"id": "msg", "type": "message", "role": "assistant", "model": "m", "content": self.blocks(),
                    "stop_reason": reason, "stop_sequence": null, "usage": usage(provider)})
            }
            _ => {
                let reason = self.reason.unwrap_or("STOP");
                let candidate =
                    json!({"content": {"role": "model", "parts": self.parts()}, "finishReason": reason, "index": 0});
                json!({"candidates": [candidate], "usageMetadata": usage(provider), "modelVersion": "m", "responseId": "r"})
            }
        }
    }

    /// As the provider streams it.
    pub(crate) fn stream(&self, provider: Format) -> String {
        let whole = self.whole(provider);
        match provider {
            Format::OpenAiChat => self.chunks(&whole),
            Format::OpenAiResponses => self.items(),
            Format::AnthropicMessages => self.stream_of_blocks(&whole),
            _ => {
                let parts = self.parts();
                let content = |parts: Vec<Value>| json!({"content": {"role": "model", "parts": parts}, "index": 0});
                let chunks: String = parts
                    .into_iter()
                    .map(|part| {
                        frame(&json!({"candidates": [content(vec![part])], "modelVersion": "m", "responseId": "r"}))
                    })
                    .collect();
                let mut last = content(vec![json!({"text": ""})]);
                last["finishReason"] = whole["candidates"][0]["finishReason"].clone();
                chunks + &frame(&json!({"candidates": [last], "usageMetadata": usage(provider), "modelVersion": "m"}))
            }
        }
    }

    fn chunks(&self, whole: &Value) -> String {
        let chunk = |delta: Value, reason: &Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
            frame(
                &json!({"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice]}),
            )
        };
        let none = Value::Null;
        let mut stream = chunk(json!({"role": "assistant", "content": ""}), &none);
        for (field, text) in [("reasoning_content", self.thought), ("content", self.text)] {
            if let Some(text) = text {
                stream += &chunk(json!({field: text}), &none);
            }
        }
        for (index, (id, name, arguments)) in self.calls.iter().enumerate() {
            let call =
                json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}});
            stream += &chunk(json!({"tool_calls": [call]}), &none);
            if arguments.is_some() {
                let call = json!({"index": index, "function": {"arguments": text_of(arguments.as_ref())}});
                stream += &chunk(json!({"tool_calls": [call]}), &none);
            }
        }
        stream += &chunk(json!({}), &whole["choices"][0]["finish_reason"]);
        stream += &frame(&json!({"id": "c", "choices": [], "usage": whole["usage"]}));
        stream + "data: [DONE]\n\n"
    }

    /// The output of a response.
    fn output(&self) -> Vec<Value> {
        let mut output = Vec::new();
        if let Some(thought) = self.thought {
            output.push(
                json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": thought}]}),
            );
        }
        if let Some(text) = self.text {
            let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
            output.push(json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}));
        }
        output.extend(self.calls.iter().map(|(id, name, arguments)| {
            json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name,
                "arguments": text_of(arguments.as_ref()), "status": "completed"})
        }));
        output
    }

    fn response(&self, status: &str) -> Value {
        let mut response = json!({"id": "resp", "object": "response", "created_at": 5, "model": "m", "status": status,
            "output": self.output(), "usage": usage(Format::OpenAiResponses), "error": null, "incomplete_details": null});
        if let Some(reason) = self.reason {
            response["status"] = json!("incomplete");
            response["incomplete_details"] = json!({"reason": reason});
        }
        response
    }

    fn items(&self) -> String {
        let mut stream = frame(
            &json!({"type": "response.created", "response": {"id": "resp", "status": "in_progress", "model": "m", "output": []}}),
        );
        for (index, item) in self.output().into_iter().enumerate() {
            let mut begun = item.clone();
            let (field, delta) = match item["type"].as_str().unwrap() {
                "message" => {
                    ("content", json!({"type": "response.output_text.delta", "content_index": 0, "delta": self.text}))
                }
                "reasoning" => (
                    "summary",
                    json!({"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": self.thought}),
                ),
                _ => {
                    ("arguments", json!({"type": "response.function_call_arguments.delta", "delta": item["arguments"]}))
                }
            };
            begun[field] = if field == "arguments" { json!("") } else { json!([]) };
            let mut delta = delta;
            (delta["output_index"], delta["item_id"]) = (json!(index), item["id"].clone());
            stream += &frame(&json!({"type": "response.output_item.added", "output_index": index, "item": begun}));
            stream += &frame(&delta);
            stream += &frame(&json!({"type": "response.output_item.done", "output_index": index, "item": item}));
        }
        let end = self.response("completed");
        stream + &frame(&json!({"type": format!("response.{}", end["status"].as_str().unwrap()), "response": end}))
    }

    fn blocks(&self) -> Vec<Value> {
        let mut blocks = Vec::new();
        blocks.extend(self.thought.map(|thought| json!({"type": "thinking", "thinking": thought, "signature": "sig"})));
        blocks.extend(self.text.map(|text| json!({"type": "text", "text": text})));
        blocks.extend(self.calls.iter().map(|(id, name, input)| {
            json!({"type": "tool_use", "id": id, "name": name, "input": input.clone().unwrap_or_else(|| json!({}))})
        }));
        blocks
    }

    fn stream_of_blocks(&self, whole: &Value) -> String {
        let mut message = whole.clone();
        message["content"] = json!([]);
        // At the start, the answer has hardly begun.
        message["usage"]["output_tokens"] = json!(1);
        let mut stream = frame(&json!({"type": "message_start", "message": message}));
        for (index, block) in self.blocks().into_iter().enumerate() {
            let mut begun = block.clone();
            let deltas = match block["type"].as_str().unwrap() {
                "text" => vec![json!({"type": "text_delta", "text": block["text"]})],
                "thinking" => vec![
                    json!({"type": "thinking_delta", "thinking": block["thinking"]}),
                    json!({"type": "signature_delta", "signature": block["signature"]}),
                ],
                _ if block["input"] == json!({}) => vec![],
                _ => vec![json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})],
            };
            for field in ["text", "thinking", "signature"] {
                if begun.get(field).is_some() {
                    begun[field] = json!("");
                }
            }
            if begun.get("input").is_some() {
                begun["input"] = json!({});
            }
            stream += &frame(&json!({"type": "content_block_start", "index": index, "content_block": begun}));
            for delta in deltas {
                stream += &frame(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
            }
            stream += &frame(&json!({"type": "content_block_stop", "index": index}));
        }
        let delta = json!({"stop_reason": whole["stop_reason"], "stop_sequence": null});
        stream += &frame(&json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": OUTPUT}}));
        stream + &frame(&json!({"type": "message_stop"}))
    }

    fn parts(&self) -> Vec<Value> {
        let mut parts = Vec::new();
        parts.extend(self.thought.map(|thought| json!({"text": thought, "thought": true})));
        parts.extend(self.text.map(|text| json!({"text": text})));
        parts.extend(self.calls.iter().map(|(id, name, args)| {
            let mut call = json!({"id": id, "name": name});
            if let Some(args) = args {
                call["args"] = args.clone();
            }
            json!({"functionCall": call})
        }));
        parts
    }
}

/// Arguments as the text that they are in OpenAI's formats.
fn text_of(arguments: Option<&Value>) -> String {
    arguments.map(Value::to_string).unwrap_or_default()
}

/// The same counts, as each provider counts.
pub(crate) fn usage(provider: Format) -> Value {
    match provider {
        Format::OpenAiChat => {
            json!({"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
            "prompt_tokens_details": {"cached_tokens": CACHED}, "completion_tokens_details": {"reasoning_tokens": REASONING}})
        }
        Format::OpenAiResponses => {
            json!({"input_tokens": INPUT, "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
            "input_tokens_details": {"cached_tokens": CACHED}, "output_tokens_details": {"reasoning_tokens": REASONING}})
        }
        Format::AnthropicMessages => json!({"input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED,
            "cache_creation_input_tokens": 0, "output_tokens": OUTPUT}),
        _ => {
            json!({"promptTokenCount": INPUT, "cachedContentTokenCount": CACHED, "candidatesTokenCount": OUTPUT - REASONING,
            "thoughtsTokenCount": REASONING, "totalTokenCount": INPUT + OUTPUT})
        }
    }
}

fn asked(client: Format, include_usage: bool) -> AnswerContext {
    let mut request = Request::new(client, "the-clients-name");
    request.include_usage = include_usage;
    if client == Format::GeminiGenerate {
        // It wants to see thoughts.
        let config = json!({"contents": "x", "generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
        request = client.protocol().decode_request(config.to_string().as_bytes()).unwrap();
        "the-clients-name".clone_into(&mut request.model);
    }
    AnswerContext { id: "0123456789abcdef".to_owned(), created: 1_700_000_000, request: Arc::new(request) }
}

/// What a client gets of a provider's whole answer.
pub(crate) fn answered(provider: Format, body: &Value, client: Format) -> Value {
    let response = provider.protocol().decode_response(body.to_string().as_bytes()).unwrap();
    serde_json::from_slice(&client.protocol().encode_response(&response, &asked(client, false))).unwrap()
}

/// The events of a provider's stream.
pub(crate) fn events(provider: Format, stream: &str) -> Vec<Event> {
    let (mut decoder, mut events) = (provider.protocol().decoder(), Vec::new());
    decoder.push(Bytes::copy_from_slice(stream.as_bytes()), &mut events);
    decoder.end(&mut events);
    events
}

/// What a client gets of a provider's stream.
pub(crate) fn streamed(provider: Format, stream: &str, client: Format, include_usage: bool) -> String {
    let events = events(provider, stream);
    let mut encoder = client.protocol().encoder(asked(client, include_usage));
    let mut bytes = Vec::new();
    for event in &events {
        encoder.event(event, &mut bytes);
    }
    if !matches!(events.last(), Some(Event::Error(_))) {
        encoder.end(&mut bytes);
    }
    String::from_utf8(bytes).unwrap()
}

/// The data of a stream's events, but for `[DONE]`.
pub(crate) fn data(stream: &str) -> Vec<Value> {
    let lines = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    lines.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}
