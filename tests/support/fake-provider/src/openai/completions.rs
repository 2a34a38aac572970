//! Completions, the API before chat completions. Chunks of a stream have whole choices instead of a `delta`, and the
//! last is `[DONE]`.

use serde_json::{Value, json};

use super::{finish_reason, usage};
use crate::call::{Call, EVENTS, Reply};
use crate::refusal::Refusal;
use crate::speech::Ask;
use crate::stream::Stream;
use crate::vendor::frame;

/// `POST /v1/completions`.
pub(crate) fn complete(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    if request.get("model").is_none() {
        return Err(Refusal::invalid("you must provide a model parameter"));
    }
    let speech = call.speech(&Ask { model: call.model, turns: 1, ..Ask::default() });
    let id = speech.id("cmpl-");
    let chunk = |text: &str, finish: Option<&str>| {
        json!({
            "id": id,
            "object": "text_completion",
            "created": speech.created(),
            "model": speech.model,
            "choices": [{ "text": text, "index": 0, "logprobs": null, "finish_reason": finish }],
            "system_fingerprint": "fp_fake",
        })
    };
    let finish = finish_reason(speech.finish);
    let includes_usage =
        !call.script.no_usage && request.pointer("/stream_options/include_usage") == Some(&Value::Bool(true));
    if request.get("stream") != Some(&Value::Bool(true)) {
        let mut answer = chunk(speech.text.as_deref().unwrap_or_default(), Some(finish));
        if !call.script.no_usage {
            answer["usage"] = usage(speech.usage);
        }
        return Ok(Reply::Json(answer));
    }
    let mut stream = Stream::new(call.script);
    for words in speech.text_deltas() {
        if stream.error_due() {
            stream.fail(frame(&call.vendor.scripted_error(call.script, 500, call.model)));
        }
        stream.delta(frame(&chunk(&words, None)));
    }
    stream.end_of_content();
    stream.write(frame(&chunk("", Some(finish))));
    if includes_usage {
        let mut last = chunk("", None);
        last["choices"] = json!([]);
        last["usage"] = usage(speech.usage);
        stream.write(frame(&last));
    }
    stream.write("data: [DONE]\n\n");
    Ok(Reply::Stream { content_type: EVENTS, steps: stream.finish() })
}
