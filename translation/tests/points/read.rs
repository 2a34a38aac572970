//! What a client reads of an answer, in the words of its format.

use serde_json::Value;
use translation::Format;

/// A client's answer, read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Read {
    pub(crate) text: String,
    pub(crate) thoughts: String,
    /// Id, name, arguments.
    pub(crate) calls: Vec<(String, String, Value)>,
    /// The format's own word for why the model stopped.
    pub(crate) reason: String,
    pub(crate) usage: Counts,
}

/// Counts, in the way of OpenAI: each is a part of its sum.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn call(id: &Value, name: &Value, arguments: Value) -> (String, String, Value) {
    (text(id).to_owned(), text(name).to_owned(), arguments)
}

/// Arguments that are a text of JSON, as SDKs read them.
fn parsed(arguments: &Value) -> Value {
    serde_json::from_str(arguments.as_str().unwrap()).unwrap_or_else(|error| panic!("{error}: {arguments}"))
}

/// Reads a whole answer.
pub(crate) fn read(client: Format, answer: &Value) -> Read {
    match client {
        Format::OpenAiChat => chat(answer),
        Format::OpenAiResponses => responses(answer),
        Format::AnthropicMessages => anthropic(answer),
        _ => gemini(answer),
    }
}

fn chat(answer: &Value) -> Read {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let usage = &answer["usage"];
    assert_eq!(number(&usage["total_tokens"]), number(&usage["prompt_tokens"]) + number(&usage["completion_tokens"]));
    Read {
        text: text(&message["content"]).to_owned(),
        thoughts: text(&message["reasoning_content"]).to_owned(),
        calls: items(&message["tool_calls"])
            .map(|of| call(&of["id"], &of["function"]["name"], parsed(&of["function"]["arguments"])))
            .collect(),
        reason: text(&choice["finish_reason"]).to_owned(),
        usage: Counts {
            input: number(&usage["prompt_tokens"]),
            cached: number(&usage["prompt_tokens_details"]["cached_tokens"]),
            output: number(&usage["completion_tokens"]),
            reasoning: number(&usage["completion_tokens_details"]["reasoning_tokens"]),
        },
    }
}

fn responses(answer: &Value) -> Read {
    let usage = &answer["usage"];
    assert_eq!(number(&usage["total_tokens"]), number(&usage["input_tokens"]) + number(&usage["output_tokens"]));
    let mut read = Read {
        reason: format!("{} {}", text(&answer["status"]), text(&answer["incomplete_details"]["reason"]))
            .trim()
            .to_owned(),
        usage: Counts {
            input: number(&usage["input_tokens"]),
            cached: number(&usage["input_tokens_details"]["cached_tokens"]),
            output: number(&usage["output_tokens"]),
            reasoning: number(&usage["output_tokens_details"]["reasoning_tokens"]),
        },
        ..Read::default()
    };
    for item in items(&answer["output"]) {
        match text(&item["type"]) {
            "message" => read.text.extend(items(&item["content"]).map(|piece| text(&piece["text"]))),
            "reasoning" => read.thoughts.extend(items(&item["summary"]).map(|piece| text(&piece["text"]))),
            "function_call" => read.calls.push(call(&item["call_id"], &item["name"], parsed(&item["arguments"]))),
            other => panic!("{other}"),
        }
    }
    read
}

fn anthropic(answer: &Value) -> Read {
    let usage = &answer["usage"];
    let cached = number(&usage["cache_read_input_tokens"]);
    let mut read = Read {
        reason: text(&answer["stop_reason"]).to_owned(),
        usage: Counts {
            input: number(&usage["input_tokens"]) + cached + number(&usage["cache_creation_input_tokens"]),
            cached,
            output: number(&usage["output_tokens"]),
            reasoning: number(&usage["output_tokens_details"]["thinking_tokens"]),
        },
        ..Read::default()
    };
    for block in items(&answer["content"]) {
        match text(&block["type"]) {
            "text" => read.text += text(&block["text"]),
            "thinking" => read.thoughts += text(&block["thinking"]),
            "tool_use" => read.calls.push(call(&block["id"], &block["name"], block["input"].clone())),
            "redacted_thinking" => {}
            other => panic!("{other}"),
        }
    }
    read
}

fn gemini(answer: &Value) -> Read {
    let candidate = &answer["candidates"][0];
    let usage = &answer["usageMetadata"];
    let thoughts = number(&usage["thoughtsTokenCount"]);
    let (input, output) = (number(&usage["promptTokenCount"]), number(&usage["candidatesTokenCount"]) + thoughts);
    assert_eq!(number(&usage["totalTokenCount"]), input + output);
    let mut read = Read {
        reason: text(&candidate["finishReason"]).to_owned(),
        usage: Counts { input, cached: number(&usage["cachedContentTokenCount"]), output, reasoning: thoughts },
        ..Read::default()
    };
    for part in items(&candidate["content"]["parts"]) {
        if let Some(of) = part.get("functionCall") {
            read.calls.push(call(&of["id"], &of["name"], of["args"].clone()));
        } else if part["thought"] == true {
            read.thoughts += text(&part["text"]);
        } else {
            read.text += text(&part["text"]);
        }
    }
    read
}

/// The whole answer that the SDK of a client makes of its stream.
pub(crate) fn put_together(client: Format, stream: &[Value]) -> Value {
    match client {
        Format::OpenAiChat => chat_of(stream),
        // The last event has all.
        Format::OpenAiResponses => stream.last().unwrap()["response"].clone(),
        Format::AnthropicMessages => message_of(stream),
        _ => content_of(stream),
    }
}

fn chat_of(stream: &[Value]) -> Value {
    let mut answer =
        serde_json::json!({"choices": [{"message": {"content": "", "reasoning_content": "", "tool_calls": []}}]});
    for chunk in stream {
        if chunk["usage"].is_object() {
            answer["usage"] = chunk["usage"].clone();
        }
        for choice in items(&chunk["choices"]) {
            let told = &mut answer["choices"][0];
            if choice["finish_reason"].is_string() {
                told["finish_reason"] = choice["finish_reason"].clone();
            }
            let message = &mut told["message"];
            for field in ["content", "reasoning_content", "refusal"] {
                if let Some(more) = choice["delta"][field].as_str() {
                    message[field] = format!("{}{more}", text(&message[field])).into();
                }
            }
            for call in items(&choice["delta"]["tool_calls"]) {
                let calls = message["tool_calls"].as_array_mut().unwrap();
                let index = usize::try_from(number(&call["index"])).unwrap();
                if index == calls.len() {
                    calls.push(call.clone());
                } else {
                    // Names and ids too are added up: what comes twice is doubled.
                    for path in ["/id", "/function/name", "/function/arguments"] {
                        if let Some(more) = call.pointer(path).and_then(Value::as_str) {
                            let place = calls[index].pointer_mut(path).unwrap();
                            *place = format!("{}{more}", text(place)).into();
                        }
                    }
                }
            }
        }
    }
    answer
}

fn message_of(stream: &[Value]) -> Value {
    let mut message = Value::Null;
    let mut inputs: Vec<String> = Vec::new();
    for event in stream {
        let index = usize::try_from(number(&event["index"])).unwrap();
        match text(&event["type"]) {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                assert_eq!(index, inputs.len());
                inputs.push(String::new());
                message["content"].as_array_mut().unwrap().push(event["content_block"].clone());
            }
            "content_block_delta" => {
                inputs[index] += text(&event["delta"]["partial_json"]);
                for field in ["text", "thinking", "signature"] {
                    if let Some(more) = event["delta"][field].as_str() {
                        let place = &mut message["content"][index][field];
                        *place = format!("{}{more}", text(place)).into();
                    }
                }
            }
            "content_block_stop" if !inputs[index].is_empty() => {
                message["content"][index]["input"] = serde_json::from_str(&inputs[index]).unwrap();
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                // Later counts replace earlier ones.
                for (name, count) in event["usage"].as_object().unwrap() {
                    message["usage"][name] = count.clone();
                }
            }
            _ => {}
        }
    }
    message
}

fn content_of(stream: &[Value]) -> Value {
    let mut answer = stream.last().unwrap().clone();
    let parts: Vec<Value> =
        stream.iter().flat_map(|chunk| items(&chunk["candidates"][0]["content"]["parts"])).cloned().collect();
    answer["candidates"][0]["content"]["parts"] = parts.into();
    answer
}
