//! Whole answers (`docs/TRANSLATION.md` section 3).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::blocks::{Block, Input, WebCitation};
use super::lenient::{Content, Object, Text};
use super::request::WireCitation;
use super::stop::{finish_of, stop_reason_of};
use super::{error, signature, usage};
use crate::format::Family;
use crate::ir::{
    CallKind, Choice, Citation, DECLINED, Finish, Media, Part, ProviderError, Response, Signature, ToolCall,
};
use crate::json::Json;
use crate::names::new_call_id;
use crate::protocol::contract::AnswerContext;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
    #[serde(borrow)]
    stop_sequence: Text<'a>,
    #[serde(borrow)]
    stop_details: Object<StopDetails<'a>>,
    #[serde(borrow)]
    usage: Object<usage::Wire<'a>>,
    #[serde(borrow)]
    error: Object<error::Wire<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow)]
    pub(super) explanation: Text<'a>,
}

/// A block of any type, as it stands in an answer or begins in a stream.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WireBlock<'a> {
    #[serde(borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) thinking: Text<'a>,
    #[serde(borrow)]
    pub(super) signature: Text<'a>,
    #[serde(borrow)]
    pub(super) data: Text<'a>,
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// A signature of Anthropic's. None where there is no text.
pub(super) fn ours(text: Text<'_>) -> Option<Signature> {
    text.filled().map(|data| Signature { family: Family::Anthropic, data })
}

/// Reads an answer.
pub(super) fn decode(body: &[u8]) -> Result<Response, ProviderError> {
    let message: Message<'_> =
        serde_json::from_slice(body).map_err(|_| error::bad_answer("the provider's answer is not a message"))?;
    if let Some(wire) = &message.error.0 {
        return Err(error::of(200, wire));
    }
    if message.content.is_none() && message.r#type.as_str() != "message" {
        return Err(error::bad_answer("the provider's answer is not a message"));
    }
    let mut parts = match message.content {
        Some(Content::Text(text)) if !text.is_empty() => vec![Part::text(text)],
        Some(Content::Blocks(blocks)) => blocks.into_iter().filter_map(part).collect(),
        _ => Vec::new(),
    };
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish_of(message.stop_reason.as_str(), called);
    if finish == Finish::ContentFilter {
        let explanation = message.stop_details.0.and_then(|details| details.explanation.filled());
        parts.push(Part::Refusal(explanation.unwrap_or_else(|| DECLINED.to_owned())));
    }
    let choice = Choice { parts, finish: Some(finish), stop_sequence: message.stop_sequence.filled(), logprobs: None };
    Ok(Response {
        id: message.id.filled(),
        model: message.model.filled(),
        created: None,
        choices: vec![choice],
        usage: message.usage.0.as_ref().and_then(usage::of),
        service_tier: message.usage.0.as_ref().and_then(usage::Wire::service_tier).map(str::to_owned),
    })
}

/// A part of the answer. None for a block that says nothing.
fn part(raw: &RawValue) -> Option<Part> {
    let block: WireBlock<'_> = serde_json::from_str(raw.get()).ok()?;
    Some(match block.r#type.as_str() {
        "text" => {
            let text = block.text.filled()?;
            let citations = block.citations.map(|citations| cited(citations, &text)).unwrap_or_default();
            Part::Text { text, cache: None, citations, signature: None }
        }
        "thinking" => {
            let (text, signature) = (block.thinking.filled().unwrap_or_default(), ours(block.signature));
            if text.is_empty() && signature.is_none() {
                return None;
            }
            Part::Thinking { text, signature }
        }
        "redacted_thinking" => Part::RedactedThinking(ours(block.data)?),
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.id.filled().unwrap_or_else(new_call_id),
            name: block.name.filled().unwrap_or_default(),
            arguments: block.input.map_or("{}", arguments).to_owned(),
            kind: CallKind::Function,
            signature: None,
            cache: None,
        }),
        // A block of what ran at the provider, or one that is newer than this gateway.
        _ => Part::Opaque { family: Family::Anthropic, block: Json::of(raw) },
    })
}

/// The text of arguments, which is never empty (`docs/TRANSLATION.md` section 13, point 2).
pub(super) fn arguments(input: &RawValue) -> &str {
    if input.get() == "null" { "{}" } else { input.get() }
}

/// The citations of a block, each of the whole `text`: Anthropic cuts a text where its sources change.
fn cited(citations: &RawValue, text: &str) -> Vec<Citation> {
    let wire: Vec<Object<WireCitation<'_>>> = serde_json::from_str(citations.get()).unwrap_or_default();
    if wire.is_empty() {
        return Vec::new();
    }
    let end = u64::try_from(text.chars().count()).ok();
    wire.into_iter()
        .filter_map(|citation| citation.0)
        .map(|citation| Citation { start: Some(0), end, ..Citation::from(citation) })
        .collect()
}

#[derive(Serialize)]
struct Out<'r> {
    id: String,
    r#type: &'static str,
    role: &'static str,
    model: &'r str,
    content: Vec<Block<'r>>,
    stop_reason: &'static str,
    stop_sequence: Option<&'r str>,
    usage: usage::Out,
}

/// Writes an answer.
pub(super) fn encode(response: &Response, asked: &AnswerContext) -> Vec<u8> {
    let nothing = Choice::default();
    let choice = response.choices.first().unwrap_or(&nothing);
    let mut content = Vec::with_capacity(choice.parts.len());
    for part in &choice.parts {
        blocks(part, &mut content);
    }
    let called = choice.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let refused = choice.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    let stop_reason = stop_reason_of(choice.finish, choice.stop_sequence.is_some(), called, refused);
    let out = Out {
        id: message_id(asked),
        r#type: "message",
        role: "assistant",
        model: &asked.request.model,
        content,
        stop_reason,
        stop_sequence: choice.stop_sequence.as_deref().filter(|_| stop_reason == "stop_sequence"),
        usage: usage::Out::new(response.usage.as_ref(), response.service_tier.as_deref()),
    };
    // Texts and numbers always serialise.
    serde_json::to_vec(&out).unwrap_or_default()
}

/// The id of an answer.
pub(super) fn message_id(asked: &AnswerContext) -> String {
    format!("msg_{}", asked.id)
}

fn blocks<'r>(part: &'r Part, content: &mut Vec<Block<'r>>) {
    match part {
        Part::Text { text, citations, .. } if !text.is_empty() => content.push(Block::Text {
            text: Cow::Borrowed(text),
            citations: citations.iter().filter_map(WebCitation::of).collect(),
            cache_control: None,
        }),
        Part::Refusal(text) | Part::Media(Media { transcript: Some(text), .. }) if !text.is_empty() => {
            content.push(Block::Text { text: Cow::Borrowed(text), citations: Vec::new(), cache_control: None });
        }
        Part::Thinking { text, signature } if !text.is_empty() || signature.is_some() => {
            // Clients of Anthropic's API count on a signature being there, even an empty one.
            let signature = signature.as_ref().map(signature::thought).unwrap_or_default();
            content.push(Block::Thinking { thinking: text, signature: Cow::Owned(signature) });
        }
        Part::RedactedThinking(signature) => {
            content.push(Block::RedactedThinking { data: Cow::Owned(signature::thought(signature)) });
        }
        Part::ToolCall(call) => {
            if let Some(signature) = &call.signature {
                content.push(Block::RedactedThinking { data: Cow::Owned(signature::call(signature)) });
            }
            content.push(Block::ToolUse {
                id: Cow::Borrowed(&call.id),
                name: Cow::Borrowed(&call.name),
                input: Input::of(call),
                cache_control: None,
            });
        }
        Part::Opaque { family: Family::Anthropic, block } => content.push(Block::Opaque(block)),
        // The format has no block for other parts.
        Part::Text { .. }
        | Part::Refusal(_)
        | Part::Media(_)
        | Part::Thinking { .. }
        | Part::ToolResult(_)
        | Part::Opaque { .. } => {}
    }
}
