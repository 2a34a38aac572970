//! Whole answers (Bedrock API Reference, "Converse", section "Response Syntax").
//!
//! A field of an unexpected shape is left out. The provider may change the shape of what the gateway does not need, and
//! its answer is still good.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::signature::{redacted, signature};
use super::stop::{REFUSAL, finish_of, is_malformed};
use super::{error, usage};
use crate::ir::{
    CallKind, Choice, Citation, Finish, Media, MediaKind, MediaSource, Part, ProviderError, Response, ToolCall,
};
use crate::json::Json;
use crate::names::new_call_id;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow)]
    additional_model_response_fields: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Vec<&'a RawValue>,
}

/// A content block, of which one field is there.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Block {
    text: Option<String>,
    tool_use: Option<ToolUse>,
    reasoning_content: Option<Reasoning>,
    citations_content: Option<Cited>,
    image: Option<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    #[serde(rename = "toolUseId")]
    id: Option<String>,
    name: String,
    input: Option<Json>,
    #[serde(default)]
    r#type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reasoning {
    reasoning_text: Option<ReasoningText>,
    redacted_content: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReasoningText {
    text: Option<String>,
    signature: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cited {
    content: Vec<Words>,
    citations: Vec<WireCitation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Words {
    text: Option<String>,
}

/// What a text rests on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct WireCitation {
    title: Option<String>,
    source_content: Option<Vec<Words>>,
    location: Option<Location>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    web: Option<Web>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Web {
    url: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Image {
    format: Option<String>,
    source: Option<ImageSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ImageSource {
    bytes: Option<String>,
}

#[derive(Deserialize)]
struct Tier {
    r#type: String,
}

impl WireCitation {
    /// The citation of the text from character `start` to `end`.
    pub(super) fn of(self, start: u64, end: u64) -> Citation {
        let quote: String =
            self.source_content.unwrap_or_default().into_iter().filter_map(|words| words.text).collect();
        Citation {
            url: self.location.and_then(|location| location.web).and_then(|web| web.url),
            title: self.title,
            start: Some(start),
            end: Some(end),
            quote: Some(quote).filter(|quote| !quote.is_empty()),
        }
    }
}

impl Image {
    /// The medium, of the format that the start of its block named.
    pub(super) fn begun_as(mut self, start: Option<&Self>) -> Self {
        self.format = self.format.or_else(|| start?.format.clone());
        self
    }

    /// The medium. None without its bytes.
    pub(super) fn media(self) -> Option<Media> {
        let bytes = self.source?.bytes.filter(|bytes| !bytes.is_empty())?;
        let format = self.format.as_deref().unwrap_or("png");
        Some(Media::new(MediaKind::Image, MediaSource::Base64(bytes), Some(format!("image/{format}"))))
    }
}

/// The text that ended the answer, where the request asked for it (`additionalModelResponseFieldPaths`).
pub(super) fn stop_sequence(fields: Option<&RawValue>) -> Option<String> {
    let fields: serde_json::Value = serde_json::from_str(fields?.get()).ok()?;
    let places = [&fields["stop_sequence"], &fields["delta"]["stop_sequence"]];
    places.into_iter().find_map(serde_json::Value::as_str).map(str::to_owned)
}

/// OpenAI's word for the tier that served the answer.
pub(super) fn service_tier(raw: Option<&RawValue>) -> Option<String> {
    let tier: Tier = serde_json::from_str(raw?.get()).ok()?;
    matches!(&*tier.r#type, "default" | "priority" | "flex").then_some(tier.r#type)
}

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<Response, ProviderError> {
    let answer: Answer<'_> = serde_json::from_slice(body)
        .map_err(|_| error::bad_answer("the provider's answer is not one of the Converse API"))?;
    let Some(message) = answer.output.and_then(|output| output.message) else {
        return Err(error::bad_answer("the provider's answer holds no message"));
    };
    let mut parts: Vec<_> = message.content.into_iter().filter_map(part).collect();
    let reason: String = answer.stop_reason.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    if parts.is_empty() && is_malformed(&reason) {
        return Err(error::malformed());
    }
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish_of(&reason, called);
    if finish == Finish::ContentFilter && parts.is_empty() {
        parts.push(Part::Refusal(REFUSAL.to_owned()));
    }
    let stop_sequence = stop_sequence(answer.additional_model_response_fields);
    Ok(Response {
        id: None,
        model: None,
        created: None,
        choices: vec![Choice { parts, finish: Some(finish), stop_sequence, logprobs: None }],
        usage: answer.usage.and_then(usage::of),
        service_tier: service_tier(answer.service_tier),
    })
}

/// A part of the answer. None for a block that says nothing to a client.
fn part(raw: &RawValue) -> Option<Part> {
    let block: Block = serde_json::from_str(raw.get()).ok()?;
    if let Some(text) = block.text {
        return (!text.is_empty()).then(|| Part::text(text));
    }
    if let Some(call) = block.tool_use {
        return tool_call(call).map(Part::ToolCall);
    }
    if let Some(reasoning) = block.reasoning_content {
        return thought(reasoning);
    }
    if let Some(cited) = block.citations_content {
        let text: String = cited.content.into_iter().filter_map(|words| words.text).collect();
        let end = text.chars().count() as u64;
        let citations = cited.citations.into_iter().map(|citation| citation.of(0, end)).collect();
        return (!text.is_empty()).then_some(Part::Text { text, cache: None, citations, signature: None });
    }
    block.image.and_then(Image::media).map(Part::Media)
}

/// A call of a tool. None where the tool ran at the provider.
fn tool_call(call: ToolUse) -> Option<ToolCall> {
    if is_server_side(call.r#type.as_deref()) {
        return None;
    }
    let arguments = call.input.and_then(Json::non_null).map_or_else(|| "{}".to_owned(), |input| input.get().to_owned());
    Some(ToolCall {
        id: call.id.filter(|id| !id.is_empty()).unwrap_or_else(new_call_id),
        name: call.name,
        arguments,
        kind: CallKind::Function,
        signature: None,
        cache: None,
    })
}

/// Whether a tool of this type runs at the provider. Calls of the client's own tools have no type, or `tool_use`.
pub(super) fn is_server_side(kind: Option<&str>) -> bool {
    kind == Some("server_tool_use")
}

fn thought(reasoning: Reasoning) -> Option<Part> {
    if let Some(content) = reasoning.redacted_content {
        return redacted(content).map(Part::RedactedThinking);
    }
    let said = reasoning.reasoning_text?;
    let text = said.text.unwrap_or_default();
    let signature = said.signature.filter(|data| !data.is_empty()).map(signature);
    (!text.is_empty() || signature.is_some()).then_some(Part::Thinking { text, signature })
}
