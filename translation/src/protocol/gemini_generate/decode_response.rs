//! A provider's whole answer (`docs/TRANSLATION.md` section 7).

use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{Answer, Candidate, Part as AnswerPart, base64_source};
use super::finish::{self, Reason};
use super::{citations, error, logprobs};
use crate::format::Family;
use crate::ir::media::{kind_of, normal_mime};
use crate::ir::{
    CallKind, Choice, ErrorKind, Finish, Media, MediaKind, MediaSource, Part, ProviderError, Response, Signature,
    ToolCall,
};
use crate::json::Json;
use crate::names::new_call_id;
use crate::protocol::openai_error::words;

/// Reads `body`: one answer, or the chunks of a stream in one array.
pub(super) fn decode(body: &[u8]) -> Result<Response, ProviderError> {
    let chunks = if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<Vec<Answer<'_>>>(body)
    } else {
        serde_json::from_slice::<Answer<'_>>(body).map(|answer| vec![answer])
    };
    let chunks = chunks.map_err(|_| no_answer(body))?;
    let mut whole = Whole::default();
    for chunk in chunks {
        if let Some(error) = chunk.error {
            return Err(error::in_answer(error));
        }
        whole.add(chunk);
    }
    whole.end()
}

/// The error of a provider whose answer cannot be read.
pub(super) fn no_answer(body: &[u8]) -> ProviderError {
    let words = words(body);
    let message = if words.is_empty() {
        "the provider's answer is no JSON".to_owned()
    } else {
        format!("the provider's answer is no JSON: {words}")
    };
    ProviderError::new(ErrorKind::Server, message).code("bad_upstream_response")
}

/// The error of a provider whose answer holds no candidate.
pub(super) fn no_candidates() -> ProviderError {
    ProviderError::new(ErrorKind::Server, "the provider gave no candidates").code("bad_upstream_response")
}

#[derive(Default)]
struct Whole {
    response: Response,
    refusal: Option<String>,
    /// Why one of the answers came to nothing.
    failure: Option<ProviderError>,
}

impl Whole {
    fn add(&mut self, answer: Answer<'_>) {
        let response = &mut self.response;
        response.id = response.id.take().or(answer.response_id);
        response.model = response.model.take().or(answer.model_version);
        if let Some(metadata) = &answer.usage_metadata {
            response.usage = metadata.usage().or(response.usage);
            response.service_tier = metadata.service_tier().or(response.service_tier.take());
        }
        if let Some(reason) = answer.prompt_feedback.as_ref().and_then(|feedback| feedback.block_reason.as_ref()) {
            self.refusal = Some(finish::blocked(reason));
        }
        for (position, candidate) in answer.candidates.into_iter().enumerate() {
            let index = candidate.index.and_then(|index| usize::try_from(index).ok()).unwrap_or(position);
            // No provider gives more answers. A larger number is a mistake, and the position counts instead.
            let index = if index < 64 { index } else { position };
            while response.choices.len() <= index {
                response.choices.push(Choice::default());
            }
            if let Err(failure) = choice(&mut response.choices[index], candidate) {
                self.failure.get_or_insert(failure);
            }
        }
    }

    fn end(mut self) -> Result<Response, ProviderError> {
        // An answer that failed does not spoil the others.
        if let Some(failure) = self.failure.filter(|_| !self.response.choices.iter().any(says_something)) {
            return Err(failure);
        }
        if self.response.choices.is_empty() {
            let parts = vec![Part::Refusal(self.refusal.ok_or_else(no_candidates)?)];
            let choice = Choice { parts, finish: Some(Finish::ContentFilter), ..Choice::default() };
            self.response.choices.push(choice);
        }
        for choice in &mut self.response.choices {
            let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            // Not every answer tells a reason.
            choice.finish.get_or_insert(if calls { Finish::ToolCalls } else { Finish::Stop });
        }
        Ok(self.response)
    }
}

fn choice(choice: &mut Choice, candidate: Candidate<'_>) -> Result<(), ProviderError> {
    let found = citations::found(&candidate);
    if let Some(result) = &candidate.logprobs_result {
        choice.logprobs = logprobs::read(result).or(choice.logprobs.take());
    }
    // Where each of the provider's parts stands in the neutral form.
    let mut places = Vec::new();
    for part in candidate.content.map(|content| content.parts).unwrap_or_default() {
        places.push(choice.parts.len());
        push(&mut choice.parts, part);
    }
    for found in found {
        let is_text = |at: &usize| matches!(choice.parts.get(*at), Some(Part::Text { .. }));
        let place = found.part.and_then(|part| places.get(part).copied()).filter(is_text);
        let place = place.or_else(|| (0..choice.parts.len()).find(is_text));
        if let Some(Part::Text { text, citations, .. }) = place.and_then(|place| choice.parts.get_mut(place)) {
            citations.extend(found.counted(|offset| citations::characters(text, offset)));
        }
    }
    if let Some(reason) = candidate.finish_reason.as_ref().and_then(Reason::of) {
        let calls = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
        let content = says_something(choice);
        let message = candidate.finish_message.as_deref();
        choice.finish = Some(reason.finish(calls, content, message)?);
        if !content && let Some(refusal) = reason.refusal(message) {
            choice.parts.push(Part::Refusal(refusal));
        }
    }
    Ok(())
}

/// Whether the answer holds more than thoughts.
fn says_something(choice: &Choice) -> bool {
    choice.parts.iter().any(|part| !matches!(part, Part::Thinking { .. }))
}

/// Appends what `part` says. An empty text says only its signature, which belongs to what stands before.
fn push(parts: &mut Vec<Part>, mut part: AnswerPart<'_>) {
    let signature = part.thought_signature.take().map(signature);
    if let Some(call) = part.function_call.take() {
        if let Some(name) = call.name.filter(|name| !name.is_empty()) {
            let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(new_call_id);
            let arguments = arguments(call.args);
            let kind = CallKind::Function;
            parts.push(Part::ToolCall(ToolCall { id, name, arguments, kind, signature, cache: None }));
        }
        return;
    }
    if let Some(block) = own_block(&part, signature.as_ref()) {
        parts.push(block);
    } else if let Some(media) = media(&mut part) {
        parts.push(Part::Media(media));
    } else if part.thought {
        let text = part.text.unwrap_or_default();
        if !text.is_empty() || signature.is_some() {
            parts.push(Part::Thinking { text, signature });
        }
    } else if let Some(text) = part.text.filter(|text| !text.is_empty()) {
        parts.push(Part::Text { text, cache: None, citations: Vec::new(), signature });
    } else if let Some(Part::Text { signature: place, .. } | Part::Thinking { signature: place, .. }) = parts.last_mut()
        && place.is_none()
    {
        *place = signature;
    }
}

/// A block of the provider's own tools, with its signature.
pub(super) fn own_block(part: &AnswerPart<'_>, signature: Option<&Signature>) -> Option<Part> {
    let (name, block) = part.own_block()?;
    Some(Part::Opaque { family: Family::Gemini, block: named_block(name, block, signature) })
}

/// The block `{name: block}`, with its signature.
pub(super) fn named_block(name: &str, block: &RawValue, signature: Option<&Signature>) -> Json {
    let block = compact(block.get());
    let text = match signature {
        Some(signature) => format!(r#"{{"{name}":{block},"thoughtSignature":{}}}"#, Value::from(&*signature.data)),
        None => format!(r#"{{"{name}":{block}}}"#),
    };
    Json::parse(&text).unwrap_or_else(|| Json::of(&Value::Null))
}

/// The medium that the model made, if the part holds one.
pub(super) fn media(part: &mut AnswerPart<'_>) -> Option<Media> {
    let (source, mime) = if let Some(blob) = part.inline_data.take() {
        (base64_source(blob.data?), blob.mime_type)
    } else {
        let file = part.file_data.take()?;
        (MediaSource::Url(file.file_uri?), file.mime_type)
    };
    // A type may have parameters, such as a sampling rate that is needed to play the sound.
    let mime = mime.map(|mime| if mime.contains(';') { mime } else { normal_mime(&mime) });
    let kind = mime.as_deref().and_then(kind_of).unwrap_or(MediaKind::Image);
    Some(Media::new(kind, source, mime))
}

/// A signature of Gemini's own.
pub(super) fn signature(data: String) -> Signature {
    Signature { family: Family::Gemini, data }
}

/// The arguments of a call: compact, in their order, and with their numbers as they are. Arguments that a provider
/// writes as JSON within a text are read too.
pub(super) fn arguments(args: Option<&RawValue>) -> String {
    match args.map(RawValue::get) {
        None | Some("null" | "") => "{}".to_owned(),
        Some(args) if args.starts_with('"') => {
            let text: Option<String> = serde_json::from_str(args).ok();
            let is_object = |text: &String| text.trim_start().starts_with('{') && crate::json::is_json(text);
            text.filter(is_object).unwrap_or_else(|| args.to_owned())
        }
        Some(args) => compact(args),
    }
}

/// JSON without the white space between its tokens.
pub(super) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(quote) = rest.find('"') {
        let (between, text) = rest.split_at(quote);
        compact.extend(between.split_ascii_whitespace());
        let end = end_of_text(text);
        compact.push_str(&text[..end]);
        rest = &text[end..];
    }
    compact.extend(rest.split_ascii_whitespace());
    compact
}

/// The place behind the text that `json` begins with.
fn end_of_text(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}
