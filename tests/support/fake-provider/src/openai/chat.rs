//! Chat completions, as recorded in 2026. A stream is a role chunk, deltas, a finish chunk, a chunk with the usage
//! alone if the request asks for it, and `[DONE]`. Azure adds what its content filter found, and a first chunk without
//! choices.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{finish_reason, usage};
use crate::call::{Call, EVENTS, Input, Reply};
use crate::refusal::Refusal;
use crate::speech::{Speech, argument_deltas};
use crate::stream::Stream;
use crate::vendor::{Vendor, frame};

/// The largest number of choices.
const MAX_CHOICES: usize = 16;

/// `POST /v1/chat/completions`.
pub(crate) fn complete(call: &Call<'_>) -> Result<Reply, Refusal> {
    let Input::Chat(request) = call.input else {
        return Err(Refusal::invalid("We could not parse the JSON body of your request."));
    };
    if call.vendor == Vendor::Azure && call.script.blocked.is_some() {
        return Err(filtered());
    }
    let speech = call.speech(&request.ask(call.model));
    let chat = Chat {
        id: speech.id("chatcmpl-"),
        azure: call.vendor == Vendor::Azure,
        choices: request.n.unwrap_or(1).clamp(1, MAX_CHOICES),
        includes_usage: !call.script.no_usage && request.wants_usage(),
        speech,
    };
    if request.stream == Some(true) {
        return Ok(Reply::Stream { content_type: EVENTS, steps: chat.stream(call.vendor) });
    }
    Ok(Reply::Json(chat.completion()))
}

/// Azure's answer when its content filter stops a prompt.
fn filtered() -> Refusal {
    let message = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please \
                   modify your prompt and retry.";
    Refusal::param("prompt", message).code("content_filter")
}

/// An answer in the making.
#[derive(Debug)]
struct Chat<'a> {
    speech: Speech<'a>,
    id: String,
    azure: bool,
    choices: usize,
    includes_usage: bool,
}

impl Chat<'_> {
    /// The whole answer.
    fn completion(&self) -> Value {
        let speech = &self.speech;
        let choice = |index: usize| {
            let mut message = json!({ "role": "assistant", "content": speech.text, "refusal": speech.refusal });
            if let Some(thinking) = speech.thinking {
                message["reasoning_content"] = json!(thinking);
            }
            if speech.calls.is_empty() {
                message["annotations"] = json!([]);
            } else {
                message["tool_calls"] = self.calls();
            }
            let mut choice = json!({ "index": index, "message": message, "logprobs": null,
                "finish_reason": finish_reason(speech.finish) });
            if self.azure {
                choice["content_filter_results"] = filter_results();
            }
            choice
        };
        let mut answer = json!({
            "id": self.id,
            "object": "chat.completion",
            "created": speech.created(),
            "model": speech.model,
            "choices": (0..self.choices).map(choice).collect::<Vec<_>>(),
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
        });
        if self.azure {
            answer["prompt_filter_results"] = prompt_filter_results();
        }
        if !speech.script.no_usage {
            answer["usage"] = usage(speech.usage);
        }
        answer
    }

    fn calls(&self) -> Value {
        let calls = self.speech.calls.iter().enumerate();
        calls
            .map(|(index, call)| {
                json!({
                    "id": self.speech.call_id("call_", index),
                    "type": "function",
                    "function": { "name": call.name, "arguments": call.arguments },
                })
            })
            .collect()
    }

    /// The streamed answer.
    fn stream(&self, vendor: Vendor) -> std::collections::VecDeque<crate::body::Step> {
        let speech = &self.speech;
        let mut stream = Stream::new(speech.script);
        if self.azure {
            stream.write(frame(&json!({ "choices": [], "created": 0, "id": "", "model": "", "object": "",
                "prompt_filter_results": prompt_filter_results() })));
        }
        for choice in 0..self.choices {
            let opening = if speech.text.is_some() { json!("") } else { Value::Null };
            let delta = json!({ "role": "assistant", "content": opening, "refusal": null });
            stream.write(frame(&self.chunk(choice, delta, None)));
        }
        for delta in self.deltas() {
            for choice in 0..self.choices {
                if stream.error_due() {
                    let error = vendor.scripted_error(speech.script, 500, speech.model);
                    stream.fail(if speech.script.bare_error { Bytes::from(error.to_string()) } else { frame(&error) });
                }
                stream.delta(frame(&self.chunk(choice, delta.clone(), None)));
            }
        }
        stream.end_of_content();
        for choice in 0..self.choices {
            stream.write(frame(&self.chunk(choice, json!({}), Some(finish_reason(speech.finish)))));
        }
        if self.includes_usage {
            let mut last = self.chunk(0, json!({}), None);
            last["choices"] = json!([]);
            last["usage"] = usage(speech.usage);
            stream.write(frame(&last));
        }
        stream.write("data: [DONE]\n\n");
        stream.finish()
    }

    fn chunk(&self, choice: usize, delta: Value, finish_reason: Option<&str>) -> Value {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.speech.created(),
            "model": self.speech.model,
            "service_tier": "default",
            "system_fingerprint": "fp_fake",
            "choices": [{ "index": choice, "delta": delta, "logprobs": null, "finish_reason": finish_reason }],
        });
        if self.azure {
            chunk["choices"][0]["content_filter_results"] = json!({});
        }
        if self.includes_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn deltas(&self) -> Vec<Value> {
        let speech = &self.speech;
        let mut deltas = Vec::new();
        deltas.extend(speech.thinking_deltas().iter().map(|words| json!({ "reasoning_content": words })));
        deltas.extend(speech.refusal_deltas().iter().map(|words| json!({ "refusal": words })));
        deltas.extend(speech.text_deltas().iter().map(|words| json!({ "content": words })));
        for (index, call) in speech.calls.iter().enumerate() {
            deltas.push(json!({ "tool_calls": [{
                "index": index,
                "id": speech.call_id("call_", index),
                "type": "function",
                "function": { "name": call.name, "arguments": "" },
            }] }));
            for fragment in argument_deltas(call) {
                deltas.push(json!({ "tool_calls": [{ "index": index, "function": { "arguments": fragment } }] }));
            }
        }
        deltas
    }
}

fn prompt_filter_results() -> Value {
    json!([{ "prompt_index": 0, "content_filter_results": filter_results() }])
}

fn filter_results() -> Value {
    let safe = json!({ "filtered": false, "severity": "safe" });
    json!({ "hate": safe, "self_harm": safe, "sexual": safe, "violence": safe })
}
