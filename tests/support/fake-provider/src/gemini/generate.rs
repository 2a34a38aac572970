//! The APIs that generate content, whole and streamed, and that count tokens.

use serde_json::{Value, json};

use super::check::{self, field, list, parts};
use super::fields::{COUNT, GENERATE};
use super::history;
use super::render::Candidate;
use crate::call::{Call, Reply};
use crate::fields::{text_of, words};
use crate::refusal::Refusal;
use crate::speech::Ask;

/// `POST /v1beta/models/{model}:generateContent`.
pub(crate) fn whole(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::Json(candidate(call)?.whole()))
}

/// `POST /v1beta/models/{model}:streamGenerateContent`. The answer is a stream of events if the request asks for it,
/// else one JSON list.
pub(crate) fn streamed(call: &Call<'_>) -> Result<Reply, Refusal> {
    let events = call.query("alt").as_deref() == Some("sse");
    let candidate = candidate(call)?;
    let content_type = if events { "text/event-stream" } else { "application/json; charset=UTF-8" };
    Ok(Reply::Stream { content_type, steps: candidate.stream(events, call.vendor) })
}

fn candidate<'a>(call: &'a Call<'a>) -> Result<Candidate<'a>, Refusal> {
    let request = call.json();
    check::names(request, GENERATE)?;
    check::config(request, call.model)?;
    history::check(request, call.model)?;
    let config = field(request, "generationConfig").unwrap_or(&Value::Null);
    let thinking = field(config, "thinkingConfig").unwrap_or(&Value::Null);
    let ask = Ask {
        model: call.model,
        turns: list(request, "contents").len(),
        tool: tool(request),
        schema: field(config, "responseJsonSchema").or_else(|| field(config, "responseSchema")),
        json: field(config, "responseMimeType").and_then(Value::as_str) == Some("application/json"),
        thinks: field(thinking, "includeThoughts") == Some(&Value::Bool(true)),
    };
    let count = field(config, "candidateCount").and_then(Value::as_u64).unwrap_or(1);
    Ok(Candidate::new(call.speech(&ask), call.script.no_usage, count))
}

/// The first function, or the first that is allowed. None if functions are forbidden or a call has just been answered.
fn tool(request: &Value) -> Option<(&str, &Value)> {
    let answered = list(request, "contents")
        .last()
        .is_some_and(|content| parts(content).iter().any(|part| field(part, "functionResponse").is_some()));
    let config = field(request, "toolConfig").and_then(|config| field(config, "functionCallingConfig"));
    let forbidden =
        config.and_then(|config| text_of(config, "mode")).is_some_and(|mode| mode.eq_ignore_ascii_case("none"));
    if answered || forbidden {
        return None;
    }
    let allowed = config.map_or(&[][..], |config| list(config, "allowedFunctionNames"));
    let functions = list(request, "tools").iter().flat_map(|tool| list(tool, "functionDeclarations"));
    functions.filter(|function| allowed.is_empty() || allowed.contains(&function["name"])).find_map(|function| {
        let schema = field(function, "parametersJsonSchema").or_else(|| field(function, "parameters"));
        Some((text_of(function, "name")?, schema.unwrap_or(&Value::Null)))
    })
}

/// `POST /v1beta/models/{model}:countTokens`, which counts words.
pub(crate) fn count(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = call.json();
    check::names(request, COUNT)?;
    let inner = field(request, "generateContentRequest").unwrap_or(request);
    let mut contents: Vec<&Value> = list(inner, "contents").iter().collect();
    contents.extend(field(inner, "systemInstruction"));
    let texts = contents.into_iter().flat_map(parts).filter_map(|part| text_of(part, "text"));
    let counted = texts.map(words).sum::<usize>() as u64 + 1;
    let tokens = call.script.usage.map_or(counted, |usage| usage.prompt_tokens);
    Ok(Reply::Json(json!({
        "totalTokens": tokens,
        "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": tokens }],
    })))
}
