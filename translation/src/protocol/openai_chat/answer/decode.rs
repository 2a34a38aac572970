//! Reads a provider's whole answer, and its errors.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::{Answer, Audio, Call, Choice, Content, Function, Image, Message, UrlCitation};
use crate::ir::{
    self, CallKind, Citation, ErrorKind, Finish, Media, MediaKind, MediaSource, Part, ProviderError, Response, ToolCall,
};
use crate::json::Json;
use crate::names::new_call_id;
use crate::protocol::openai_chat::soft::{Soft, soft_object};
use crate::protocol::openai_chat::thoughts::{self, Extra};
use crate::protocol::openai_error;

/// Reads an answer.
pub(in super::super) fn response(body: &[u8]) -> Result<Response, ProviderError> {
    let answer: Soft<Answer<'_>> = serde_json::from_slice(body).map_err(|_| failure(body))?;
    let mut answer = answer.0.ok_or_else(|| failure(body))?;
    if answer.fails() {
        return Err(failure(body));
    }
    let usage = answer.counts().map(Into::into);
    let mut choices = Vec::new();
    for choice in answer.choices.items() {
        if let Some(error) = choice.failure() {
            return Err(error);
        }
        choices.push((choice.index.0, choice.read()));
    }
    if choices.is_empty() {
        return Err(failure(body));
    }
    // Every vendor that is known gives them in order, but the index is what counts.
    if choices.iter().all(|(index, _)| index.is_some()) {
        choices.sort_by_key(|(index, _)| *index);
    }
    Ok(Response {
        id: answer.id.filled().map(Cow::into_owned),
        model: answer.model.filled().map(Cow::into_owned),
        created: answer.created.0.filter(|created| *created > 0),
        choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        usage,
        service_tier: answer.service_tier.filled().map(Cow::into_owned),
    })
}

/// Reads an error that came with the status of success. A status that the error names itself counts.
pub(in super::super) fn failure(body: &[u8]) -> ProviderError {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Document {
        error: Soft<Coded>,
        code: Soft<u64>,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Coded {
        code: Soft<u64>,
        r#type: Soft<String>,
    }
    soft_object!(Coded);
    let document = serde_json::from_slice::<Document>(body).unwrap_or_default();
    let (inner, kind) = document.error.0.map(|error| (error.code.0, error.r#type.0)).unwrap_or_default();
    let named = inner.or(document.code.0).and_then(|code| u16::try_from(code).ok());
    let of_kind = match kind.as_deref() {
        Some("invalid_request_error") => Some(400),
        Some("rate_limit_error" | "rate_limit_exceeded" | "tokens" | "requests") => Some(429),
        Some("overloaded_error") => Some(503),
        Some("timeout" | "timeout_error") => Some(504),
        _ => None,
    };
    let status = named.filter(|status| (400..600).contains(status)).or(of_kind).unwrap_or(502);
    let mut error = openai_error::decode(status, body);
    if error.code.is_none() && error.provider_type.is_none() && status == 502 {
        error.code = Some(Cow::Borrowed("bad_upstream_response"));
    }
    error
}

/// Why the model stopped, by the words of OpenAI and of vendors compatible with it. None where nothing is said.
pub(in super::super) fn finish(word: &str) -> Option<Finish> {
    Some(match word {
        "" => return None,
        "length" | "max_tokens" | "model_length" | "MAX_TOKENS" => Finish::Length,
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "sensitive" | "SAFETY" => Finish::ContentFilter,
        _ => Finish::Stop,
    })
}

/// Why the model stopped, where it has called tools. A plain end then wants them run, whatever the vendor says
/// (`docs/TRANSLATION.md` sections 3 and 7).
pub(in super::super) fn settled(finish: Option<Finish>, called: bool) -> Finish {
    match finish {
        None | Some(Finish::Stop) if called => Finish::ToolCalls,
        other => other.unwrap_or(Finish::Stop),
    }
}

impl Choice<'_> {
    /// The failure that the choice reports.
    pub(in super::super) fn failure(&self) -> Option<ProviderError> {
        let error = match self.finish_reason.as_str() {
            // Zhipu and DeepSeek end answers that they could not finish with a reason of their own.
            "network_error" => {
                ProviderError::new(ErrorKind::Server, "the provider's network failed while the model answered")
            }
            "insufficient_system_resource" => {
                ProviderError::new(ErrorKind::Overloaded, "the provider ran out of capacity while the model answered")
            }
            _ if !self.fails() => return None,
            _ => match self.error.map(RawValue::get) {
                Some(error) => failure(format!(r#"{{"error":{error}}}"#).as_bytes()),
                None => ProviderError::new(ErrorKind::Server, "the provider failed while the model answered"),
            },
        };
        Some(error)
    }

    fn read(self) -> ir::Choice {
        let parts = self.message.0.or(self.delta.0).map(Message::parts).unwrap_or_default();
        let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let choice = ir::Choice {
            parts,
            finish: Some(settled(finish(self.finish_reason.as_str()), called)),
            stop_sequence: None,
            logprobs: logprobs(self.logprobs),
        };
        choice.with_words()
    }
}

/// The log probabilities. None where the object holds none.
pub(in super::super) fn logprobs(raw: Option<&RawValue>) -> Option<Json> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Lists {
        content: Soft<Vec<Soft<bool>>>,
        refusal: Soft<Vec<Soft<bool>>>,
    }
    let raw = raw.filter(|raw| raw.get().starts_with('{'))?;
    let lists: Lists = serde_json::from_str(raw.get()).ok()?;
    let filled = |list: Soft<Vec<_>>| list.0.is_some_and(|list| !list.is_empty());
    (filled(lists.content) || filled(lists.refusal)).then(|| Json::of(raw))
}

impl Message<'_> {
    fn parts(self) -> Vec<Part> {
        let (mut parts, said) = content(self.content.0);
        if parts.is_empty() {
            let words = self.reasoning_content.filled().or(self.reasoning.filled());
            parts = thoughts::all(self.thinking_blocks, self.reasoning_details, words);
        }
        parts.extend(said);
        if let Some(Part::Text { citations, .. }) = parts.iter_mut().find(|part| matches!(part, Part::Text { .. })) {
            let pages = self.annotations.items().filter_map(|annotation| annotation.url_citation.0);
            citations.extend(pages.filter_map(UrlCitation::citation));
        }
        parts.extend(self.refusal.filled().map(Part::Refusal));
        parts.extend(self.audio.0.and_then(Audio::media).map(Part::Media));
        parts.extend(self.images.items().filter_map(Image::media).map(Part::Media));
        let mut calls: Vec<ToolCall> = Vec::new();
        for call in self.tool_calls.items().filter_map(Call::read) {
            // The ids of one answer have to differ, or results could not be told apart.
            let taken = calls.iter().any(|before| before.id == call.id);
            calls.push(if taken { ToolCall { id: new_call_id(), ..call } } else { call });
        }
        if calls.is_empty() {
            calls.extend(self.function_call.0.and_then(|function| function.read(new_call_id())));
        }
        if let Some(signature) = self.extra_content.0.and_then(Extra::signature) {
            if let Some(call) = calls.first_mut() {
                call.signature.get_or_insert(signature);
            } else if let Some(Part::Text { signature: place, .. }) =
                parts.iter_mut().rev().find(|part| matches!(part, Part::Text { .. }))
            {
                *place = Some(signature);
            }
        }
        parts.extend(calls.into_iter().map(Part::ToolCall));
        parts
    }
}

/// The thoughts in `content`, and the rest of it. Neighbouring texts become one.
pub(in super::super) fn content(content: Option<Content>) -> (Vec<Part>, Vec<Part>) {
    let (mut thoughts, mut said) = (Vec::new(), Vec::new());
    match content {
        None => {}
        Some(Content::Text(text)) if text.is_empty() => {}
        Some(Content::Text(text)) => said.push(Part::text(text)),
        Some(Content::Parts(parts)) => {
            for part in Soft(Some(parts)).items() {
                if let Some(words) = part.thinking.0 {
                    thoughts.extend(thoughts::thought(words.0, None));
                } else if let Some(text) = part.text.filled() {
                    match said.last_mut() {
                        Some(Part::Text { text: before, .. }) => before.push_str(&text),
                        _ => said.push(Part::text(text)),
                    }
                } else if let Some(refusal) = part.refusal.filled() {
                    said.push(Part::Refusal(refusal));
                } else if let Some(url) = part.image_url.0 {
                    said.push(Part::Media(Media::at(MediaKind::Image, &url.0)));
                }
            }
        }
    }
    (thoughts, said)
}

impl UrlCitation {
    /// The citation, if it names a page.
    pub(in super::super) fn citation(self) -> Option<Citation> {
        Some(Citation {
            url: Some(self.url.filled()?),
            title: self.title.filled(),
            start: self.start_index.0,
            end: self.end_index.0,
            quote: self.content.filled(),
        })
    }
}

impl Audio {
    /// The sound, if there is something to hear or to read. Its id, by which a later turn can name it, is its name.
    pub(in super::super) fn media(self) -> Option<Media> {
        let (data, transcript) = (self.data.filled(), self.transcript.filled());
        if data.is_none() && transcript.is_none() {
            return None;
        }
        let source = MediaSource::Base64(data.unwrap_or_default());
        Some(Media { name: self.id.filled(), transcript, ..Media::new(MediaKind::Audio, source, None) })
    }
}

impl Image {
    /// The picture.
    pub(in super::super) fn media(self) -> Option<Media> {
        Some(Media::at(MediaKind::Image, &self.image_url.0?.0))
    }
}

impl Call<'_> {
    fn read(self) -> Option<ToolCall> {
        let id = self.id.filled().map_or_else(new_call_id, Cow::into_owned);
        if let Some(custom) = self.custom.0 {
            let name = custom.name.filled()?.into_owned();
            let arguments = custom.input.0.unwrap_or_default();
            return Some(ToolCall { id, name, arguments, kind: CallKind::Custom, signature: None, cache: None });
        }
        let call = self.function.0?.read(id)?;
        Some(ToolCall { signature: self.extra_content.0.and_then(Extra::signature), ..call })
    }
}

impl Function<'_> {
    /// The call under this `id`. None where it has no name.
    fn read(self, id: String) -> Option<ToolCall> {
        let arguments = self.arguments();
        let arguments = if matches!(arguments.trim(), "" | "null") { "{}".to_owned() } else { arguments };
        let name = self.name.filled()?.into_owned();
        Some(ToolCall { id, name, arguments, kind: CallKind::Function, signature: None, cache: None })
    }
}
