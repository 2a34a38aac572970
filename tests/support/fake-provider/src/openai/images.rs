//! The APIs that make, edit and vary images. All images are the same pixel.

use serde_json::{Value, json};

use crate::call::{Call, Reply};
use crate::fields::{text_of, words};
use crate::refusal::Refusal;

/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const MAX_IMAGES: usize = 10;

/// `POST /v1/images/generations`.
pub(crate) fn generate(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    let prompt = text_of(request, "prompt").ok_or_else(|| missing("prompt"))?;
    let count = request.get("n").and_then(Value::as_u64).unwrap_or(1);
    Ok(answer(call, prompt, count, text_of(request, "response_format") == Some("url")))
}

/// `POST /v1/images/edits` and `/v1/images/variations`.
pub(crate) fn edit(call: &Call<'_>) -> Result<Reply, Refusal> {
    let form = call.form();
    if form.get("image").is_none_or(|image| image.body.is_empty()) {
        return Err(missing("image"));
    }
    let prompt = form.text("prompt").unwrap_or_default();
    if prompt.is_empty() && call.parts.uri.path().ends_with("/edits") {
        return Err(missing("prompt"));
    }
    let count = form.text("n").and_then(|count| count.parse().ok()).unwrap_or(1);
    Ok(answer(call, &prompt, count, form.text("response_format").as_deref() == Some("url")))
}

fn answer(call: &Call<'_>, prompt: &str, count: u64, by_url: bool) -> Reply {
    let count = usize::try_from(count).unwrap_or(MAX_IMAGES).clamp(1, MAX_IMAGES);
    let image = if by_url {
        json!({ "url": "https://images.example.com/pixel.png", "revised_prompt": prompt })
    } else {
        json!({ "b64_json": PIXEL, "revised_prompt": prompt })
    };
    let mut answer = json!({
        "created": shared::time::now_ms() / 1000,
        "background": "opaque",
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
        "data": vec![image; count],
    });
    if !call.script.no_usage {
        let text = words(prompt) as u64;
        let (input, output) =
            call.script.usage.map_or((text, 272), |usage| (usage.prompt_tokens, usage.completion_tokens));
        answer["usage"] = json!({
            "input_tokens": input,
            "input_tokens_details": { "text_tokens": text, "image_tokens": input.saturating_sub(text) },
            "output_tokens": output,
            "total_tokens": input + output,
        });
    }
    Reply::Json(answer)
}

fn missing(param: &str) -> Refusal {
    Refusal::param(param, format!("Missing required parameter: '{param}'.")).code("missing_required_parameter")
}
