//! Audio: speech as a binary body, transcriptions and translations as JSON or text.

use bytes::Bytes;
use serde_json::json;

use crate::call::{Call, Reply};
use crate::fields::{text_of, words};
use crate::refusal::Refusal;
use crate::speech::Ask;

/// The beginning of a frame of MPEG layer 3.
const MP3_FRAME: &[u8] = &[0xff, 0xfb, 0x90, 0x64];
const FRAME_BYTES: usize = 417;

/// `POST /v1/audio/speech`: a frame for each word.
pub(crate) fn speech(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let input = text_of(request, "input").ok_or_else(|| missing("input"))?;
    if request.get("voice").is_none() {
        return Err(missing("voice"));
    }
    let content_type = match text_of(request, "response_format").unwrap_or("mp3") {
        "opus" => "audio/opus",
        "aac" => "audio/aac",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "pcm" => "audio/pcm",
        _ => "audio/mpeg",
    };
    let frame = MP3_FRAME.iter().copied().chain(std::iter::repeat(0)).take(FRAME_BYTES);
    let body: Vec<u8> = frame.collect::<Vec<_>>().repeat(words(input).max(1));
    Ok(Reply::Bytes { content_type: content_type.to_owned(), body: Bytes::from(body) })
}

/// `POST /v1/audio/transcriptions`.
pub(crate) fn transcribe(call: &Call<'_>) -> Result<Reply, Refusal> {
    hear(call, "transcribe")
}

/// `POST /v1/audio/translations`.
pub(crate) fn translate(call: &Call<'_>) -> Result<Reply, Refusal> {
    hear(call, "translate")
}

fn hear(call: &Call<'_>, task: &str) -> Result<Reply, Refusal> {
    let form = call.form();
    if form.get("file").is_none_or(|file| file.body.is_empty()) {
        return Err(missing("file"));
    }
    let speech = call.speech(&Ask { model: call.model, turns: 1, ..Ask::default() });
    let text = speech.text.as_deref().unwrap_or_default();
    let format = form.text("response_format").unwrap_or_else(|| "json".to_owned());
    let mut answer = match format.as_str() {
        "text" => return Ok(plain(format!("{text}\n"))),
        "srt" => return Ok(plain(format!("1\n00:00:00,000 --> 00:00:02,000\n{text}\n\n"))),
        "vtt" => return Ok(plain(format!("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n{text}\n\n"))),
        "verbose_json" => json!({
            "task": task,
            "language": "english",
            "duration": 2.0,
            "text": text,
            "segments": [{ "id": 0, "seek": 0, "start": 0.0, "end": 2.0, "text": text, "tokens": [], "temperature": 0.0,
                "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01 }],
        }),
        _ => json!({ "text": text }),
    };
    if !call.script.no_usage {
        // Whisper counts time. The models after it count tokens.
        answer["usage"] = if call.model.starts_with("whisper") {
            json!({ "type": "duration", "seconds": 2 })
        } else {
            json!({
                "type": "tokens",
                "input_tokens": speech.usage.prompt_tokens,
                "input_token_details": { "text_tokens": 0, "audio_tokens": speech.usage.prompt_tokens },
                "output_tokens": speech.usage.completion_tokens,
                "total_tokens": speech.usage.prompt_tokens + speech.usage.completion_tokens,
            })
        };
    }
    Ok(Reply::Json(answer))
}

fn plain(text: String) -> Reply {
    Reply::Bytes { content_type: "text/plain; charset=utf-8".to_owned(), body: Bytes::from(text) }
}

fn missing(param: &str) -> Refusal {
    Refusal::param(param, format!("Missing required parameter: '{param}'.")).code("missing_required_parameter")
}
