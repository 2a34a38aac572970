//! Writes a whole answer for a client (`docs/TRANSLATION.md` sections 3 and 7).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::decode::settled;
use super::usage::CountsOut;
use crate::format::Family;
use crate::ir::{
    CallKind, Choice, Citation, DECLINED, Finish, Media, MediaKind, MediaSource, Part, Request, Response, Signature,
    ToolCall,
};
use crate::json::Json;
use crate::protocol::contract::AnswerContext;

#[derive(Serialize)]
struct AnswerOut<'a> {
    id: Cow<'a, str>,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<ChoiceOut<'a>>,
    usage: CountsOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: usize,
    message: MessageOut<'a>,
    logprobs: Option<Cow<'a, Json>>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct MessageOut<'a> {
    role: &'static str,
    content: Option<Cow<'a, str>>,
    refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thinking_blocks: Vec<BlockOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<AnnotationOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraOut<'a>>,
}

/// One of `thinking_blocks`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in super::super) enum BlockOut<'a> {
    /// A thought.
    Thinking {
        /// The words of the thought.
        thinking: &'a str,
        /// The signature of the thought.
        signature: &'a str,
    },
    /// A thought that only its family can read.
    RedactedThinking {
        /// The thought.
        data: &'a str,
    },
}

#[derive(Serialize)]
struct CallOut<'a> {
    id: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<FunctionOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CustomOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<ExtraOut<'a>>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CustomOut<'a> {
    name: &'a str,
    input: &'a str,
}

/// `extra_content`.
#[derive(Serialize)]
pub(in super::super) struct ExtraOut<'a> {
    google: GoogleOut<'a>,
}

#[derive(Serialize)]
struct GoogleOut<'a> {
    thought_signature: &'a str,
}

/// One of `annotations`.
#[derive(Serialize)]
pub(in super::super) struct AnnotationOut<'a> {
    r#type: &'static str,
    url_citation: PageOut<'a>,
}

#[derive(Serialize)]
struct PageOut<'a> {
    url: &'a str,
    title: &'a str,
    start_index: u64,
    end_index: u64,
}

/// Writes `response`.
pub(in super::super) fn response(response: &Response, asked: &AnswerContext) -> Vec<u8> {
    let nothing = [Choice::default()];
    // No client takes an answer without a choice.
    let choices = if response.choices.is_empty() { &nothing[..] } else { &response.choices };
    let answer = AnswerOut {
        id: id(response.id.as_deref(), asked),
        object: "chat.completion",
        created: asked.created,
        model: &asked.request.model,
        choices: choices.iter().enumerate().map(|(index, choice)| choice_out(index, choice, &asked.request)).collect(),
        usage: response.usage.unwrap_or_default().into(),
        service_tier: response.service_tier.as_deref(),
    };
    // Texts and numbers always serialise.
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// The id of the answer: the provider's where it has OpenAI's form, or else the gateway's own.
pub(in super::super) fn id<'a>(upstream: Option<&'a str>, asked: &AnswerContext) -> Cow<'a, str> {
    match upstream {
        Some(id) if id.starts_with("chatcmpl-") => Cow::Borrowed(id),
        _ => Cow::Owned(format!("chatcmpl-{}", asked.id)),
    }
}

/// Why the model stopped, as one of OpenAI's five words.
pub(in super::super) fn finish_word(finish: Option<Finish>, called: bool, legacy: bool) -> &'static str {
    match settled(finish, called) {
        Finish::ToolCalls if !called => "stop",
        Finish::ToolCalls if legacy => "function_call",
        Finish::ToolCalls => "tool_calls",
        Finish::Length => "length",
        Finish::ContentFilter => "content_filter",
        Finish::Stop | Finish::Pause => "stop",
    }
}

fn choice_out<'a>(index: usize, choice: &'a Choice, request: &Request) -> ChoiceOut<'a> {
    let mut content = String::new();
    let mut refusal: Option<Cow<'a, str>> = None;
    let mut thoughts = Vec::new();
    let mut thinking_blocks = Vec::new();
    let mut calls: Vec<&ToolCall> = Vec::new();
    let mut annotations = Vec::new();
    let (mut audio, mut images, mut signed) = (None, Vec::new(), None);
    // Offsets count from the beginning of the whole text, which is measured only where there are any.
    let cited = choice.parts.iter().any(|part| matches!(part, Part::Text { citations, .. } if !citations.is_empty()));
    let mut before = 0;
    for part in &choice.parts {
        match part {
            Part::Text { text, citations, signature, .. } => {
                annotations.extend(citations.iter().filter_map(|citation| annotation(citation, before)));
                before += if cited { characters(text) } else { 0 };
                content.push_str(text);
                signed = signature.as_ref().or(signed);
            }
            Part::Thinking { text, signature } => {
                thoughts.extend(Some(text.as_str()).filter(|text| !text.is_empty()));
                thinking_blocks.extend(block(text, signature.as_ref()));
            }
            Part::RedactedThinking(signature) => thinking_blocks.extend(redacted(signature)),
            Part::ToolCall(call) => calls.push(call),
            Part::Refusal(words) => match &mut refusal {
                Some(refusal) => refusal.to_mut().push_str(words),
                None => refusal = Some(Cow::Borrowed(words)),
            },
            Part::Media(media) if media.kind == MediaKind::Audio => audio = Some(audio_out(media)),
            Part::Media(media) => images.extend(image_out(media)),
            Part::ToolResult(_) | Part::Opaque { .. } => {}
        }
    }
    let called = !calls.is_empty();
    let legacy = request.legacy_functions;
    if choice.finish == Some(Finish::ContentFilter) && content.is_empty() && refusal.is_none() && !called {
        refusal = Some(Cow::Borrowed(DECLINED));
    }
    let none = content.is_empty() && (called || refusal.is_some() || audio.is_some());
    let message = MessageOut {
        role: "assistant",
        content: (!none).then_some(Cow::Owned(content)),
        refusal,
        reasoning_content: (!thoughts.is_empty()).then(|| thoughts.join("\n\n")),
        thinking_blocks,
        function_call: calls.first().filter(|_| legacy).map(|call| function_out(call)),
        tool_calls: if legacy { Vec::new() } else { calls.into_iter().map(call_out).collect() },
        annotations,
        audio,
        images,
        extra_content: signed.and_then(extra),
    };
    ChoiceOut {
        index,
        message,
        logprobs: choice.logprobs.as_ref().map(full_logprobs),
        finish_reason: finish_word(choice.finish, called, legacy),
    }
}

fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or_default()
}

/// A block of `thinking_blocks`. Only a signed one is of use when it comes back.
pub(in super::super) fn block<'a>(thinking: &'a str, signature: Option<&'a Signature>) -> Option<BlockOut<'a>> {
    let Signature { family: Family::Anthropic, data } = signature? else { return None };
    Some(BlockOut::Thinking { thinking, signature: data })
}

/// A block of a thought that cannot be read.
pub(in super::super) fn redacted(signature: &Signature) -> Option<BlockOut<'_>> {
    (signature.family == Family::Anthropic).then_some(BlockOut::RedactedThinking { data: &signature.data })
}

/// The object in which Google's clients keep a signature.
pub(in super::super) fn extra(signature: &Signature) -> Option<ExtraOut<'_>> {
    let google = GoogleOut { thought_signature: &signature.data };
    (signature.family == Family::Gemini).then_some(ExtraOut { google })
}

/// The annotation of a citation, if all that clients insist on is known of it (`docs/TRANSLATION.md` section 13, point
/// 25). `before` characters stand before its text.
pub(in super::super) fn annotation(citation: &Citation, before: u64) -> Option<AnnotationOut<'_>> {
    Some(AnnotationOut {
        r#type: "url_citation",
        url_citation: PageOut {
            url: citation.url.as_deref()?,
            title: citation.title.as_deref()?,
            start_index: citation.start?.saturating_add(before),
            end_index: citation.end?.saturating_add(before),
        },
    })
}

/// `audio`.
pub(in super::super) fn audio_out(media: &Media) -> Value {
    let data = match &media.source {
        MediaSource::Base64(data) => data.as_str(),
        _ => "",
    };
    json!({
        "id": media.name.as_deref().unwrap_or("audio"),
        "data": data,
        "transcript": media.transcript.as_deref().unwrap_or_default(),
        "expires_at": 0,
    })
}

/// One of `images`, in OpenRouter's shape.
pub(in super::super) fn image_out(media: &Media) -> Option<Value> {
    let url = match &media.source {
        MediaSource::Base64(data) => format!("data:{};base64,{data}", media.mime.as_deref().unwrap_or("image/png")),
        MediaSource::Url(url) => url.clone(),
        MediaSource::FileId(_) | MediaSource::Text(_) => return None,
    };
    Some(json!({"type": "image_url", "image_url": {"url": url}}))
}

fn function_out(call: &ToolCall) -> FunctionOut<'_> {
    let arguments = if call.arguments.is_empty() { "{}" } else { &call.arguments };
    FunctionOut { name: &call.name, arguments }
}

fn call_out(call: &ToolCall) -> CallOut<'_> {
    let (function, custom) = match call.kind {
        CallKind::Function => (Some(function_out(call)), None),
        CallKind::Custom => (None, Some(CustomOut { name: &call.name, input: &call.arguments })),
    };
    let r#type = if custom.is_some() { "custom" } else { "function" };
    let extra_content = call.signature.as_ref().and_then(extra);
    CallOut { id: &call.id, r#type, function, custom, extra_content }
}

/// Log probabilities with all that clients insist on: `top_logprobs` and `bytes` of each token (`docs/TRANSLATION.md`
/// section 7).
pub(in super::super) fn full_logprobs(logprobs: &Json) -> Cow<'_, Json> {
    let Ok(mut value) = logprobs.read::<Value>() else { return Cow::Borrowed(logprobs) };
    let mut changed = false;
    let tokens = ["content", "refusal"].map(|name| value[name].take());
    let tokens = tokens.map(|mut list| {
        for token in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            if !token.get("top_logprobs").is_some_and(Value::is_array) {
                token.insert("top_logprobs".to_owned(), json!([]));
                changed = true;
            }
            if !token.contains_key("bytes") {
                token.insert("bytes".to_owned(), Value::Null);
                changed = true;
            }
        }
        list
    });
    if !changed {
        return Cow::Borrowed(logprobs);
    }
    let [content, refusal] = tokens;
    value["content"] = content;
    value["refusal"] = refusal;
    Cow::Owned(Json::of(&value))
}
