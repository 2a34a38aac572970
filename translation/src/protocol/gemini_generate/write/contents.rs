//! `contents`: only the roles `user` and `model`, neighbours of one role together, and results of tools in contents of
//! their own (`docs/TRANSLATION.md` section 6.1).

use std::borrow::Cow;

use super::content::{Calls, Content, Kind, id, push};
use super::writer::{Writer, is_system};
use super::{media, results};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{Field, Media, MediaSource, Message, Part, Role, Signature, ToolCall, TranslateError};
use crate::protocol::gemini_generate::part::{Fields, Written};
use crate::protocol::gemini_generate::signature;

/// Writes the conversation.
pub(super) fn write<'r>(writer: &mut Writer<'r>) -> Result<Vec<Content<'r>>, TranslateError> {
    let request = writer.request;
    let mut contents: Vec<Content<'r>> = Vec::with_capacity(request.messages.len());
    let mut calls = Calls::new();
    let mut results = results::Group::default();
    for message in request.messages.iter().filter(|message| !is_system(message)) {
        if message.role == Role::Tool {
            results.add(writer, &calls, message)?;
            continue;
        }
        results.close(&mut contents);
        let kind = if message.role == Role::Assistant { Kind::Model } else { Kind::User };
        for (at, part) in message.parts.iter().enumerate() {
            let written = match part {
                Part::ToolCall(call) => {
                    calls.insert(&call.id, &call.name);
                    let first = contents.last().is_none_or(|last| last.kind != kind || !last.called);
                    Some(call_part(writer, call, first))
                }
                part => other(writer, message, at, part)?,
            };
            if let Some(written) = written {
                push(&mut contents, kind, written);
                if let (Part::ToolCall(_), Some(last)) = (part, contents.last_mut()) {
                    last.called = true;
                }
            }
        }
    }
    results.close(&mut contents);
    let param = Field::Messages.name(request.origin);
    match contents.last() {
        None => Err(TranslateError::invalid(param, "there is no message besides system messages")),
        Some(last) if last.kind == Kind::Model && !writer.target.facts.prefill => Err(TranslateError::unsupported(
            param,
            "this model does not continue a message of its own: the last message must be the user's or a tool's",
        )),
        Some(_) => Ok(contents),
    }
}

/// A call. Where the model looks for it, the first call of a content carries a signature: its own, or else the one that
/// says that it is not known (`docs/TRANSLATION.md` section 10).
fn call_part<'r>(writer: &mut Writer<'r>, call: &'r ToolCall, first: bool) -> Written<'r> {
    let name = Cow::Owned(writer.names.map(&call.name));
    let unknown = (first && writer.target.facts.needs_signatures).then_some(Cow::Borrowed(signature::UNKNOWN));
    let signature = own(call.signature.as_ref()).or(unknown);
    Fields::call(call, id(writer, &call.id), name).signed(signature).into()
}

/// The signature, if it is Gemini's. Gemini would refuse that of another family.
fn own(signature: Option<&Signature>) -> Option<Cow<'_, str>> {
    signature.filter(|signature| signature.family == Family::Gemini).map(|signature| Cow::Borrowed(&*signature.data))
}

fn other<'r>(
    writer: &mut Writer<'r>,
    message: &'r Message,
    at: usize,
    part: &'r Part,
) -> Result<Option<Written<'r>>, TranslateError> {
    let request = writer.request;
    Ok(match part {
        Part::Text { text, signature, .. } => {
            let signature = own(signature.as_ref());
            // Empty texts are refused, unless they carry a signature.
            (!text.is_empty() || signature.is_some()).then(|| Fields::text(text).signed(signature).into())
        }
        Part::Refusal(text) => (!text.is_empty()).then(|| Fields::text(text).into()),
        // Only another provider knows by that id what the model said.
        Part::Media(Media { source: MediaSource::FileId(_), .. })
            if message.role == Role::Assistant && request.origin != Format::GeminiGenerate =>
        {
            writer.dropped.named(request.path(message, Some(at)));
            None
        }
        Part::Media(media) => Some(media::write(writer, media, &request.path(message, Some(at)))?.into()),
        Part::Thinking { text, signature } => {
            let signature = own(signature.as_ref());
            // Thoughts of other families, and those that a client gives as plain text, are not the model's own.
            let is_own = signature.is_some() || (request.origin == Format::GeminiGenerate && !text.is_empty());
            let foreign = matches!(part, Part::Thinking { signature: Some(s), .. } if s.family != Family::Gemini);
            (is_own && !foreign).then(|| Fields::thought(text).signed(signature).into())
        }
        Part::RedactedThinking(signature) => {
            own(Some(signature)).map(|signature| Fields::thought("").signed(Some(signature)).into())
        }
        Part::Opaque { family: Family::Gemini, block } => Some(Written::Own(block)),
        Part::Opaque { .. } => {
            writer.dropped.named(request.path(message, Some(at)));
            None
        }
        Part::ToolCall(_) => None,
        Part::ToolResult(_) => {
            let path = request.path(message, Some(at));
            return Err(TranslateError::invalid(path, "a tool's result stands in a message of the role tool"));
        }
    })
}
