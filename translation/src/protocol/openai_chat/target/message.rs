//! Messages.

use std::borrow::Cow;

use super::Writer;
use super::media::text_part;
use super::wire::{AudioRef, BodyOut, CallOut, ContentOut, CustomCallOut, FunctionCallOut, MessageOut, PartOut};
use crate::back::CUSTOM_INPUT;
use crate::ir::{
    CallKind, Field, Media, MediaKind, MediaSource, Message, Part, Role, ToolCall, ToolResult, TranslateError,
};
use crate::json::quoted;
use crate::protocol::builtin;
use crate::protocol::openai_chat::answer::encode::extra;

impl<'r> Writer<'r> {
    /// Writes all messages.
    pub(super) fn messages(&mut self, body: &mut BodyOut<'r>) -> Result<(), TranslateError> {
        let request = self.request;
        let carriers = self.carriers();
        // Media that tools have shown. Messages of tools hold only text and must follow each other, so the media come
        // behind them.
        let mut shown: Vec<PartOut<'r>> = Vec::new();
        for (at, message) in request.messages.iter().enumerate() {
            if !shown.is_empty() && !matches!(message.role, Role::Tool | Role::User) {
                body.messages.push(user(std::mem::take(&mut shown)));
            }
            match message.role {
                Role::Tool => {
                    for part in &message.parts {
                        if let Part::ToolResult(result) = part {
                            let said = self.tool_result(message, result, &mut shown)?;
                            body.messages.push(said);
                        }
                    }
                }
                Role::Assistant => body.messages.extend(self.assistant(message, carriers[at])?),
                Role::User => {
                    let before = std::mem::take(&mut shown);
                    body.messages.extend(self.user(message, before)?);
                }
                Role::System | Role::Developer => body.messages.extend(self.system(message)?),
            }
        }
        if !shown.is_empty() {
            body.messages.push(user(shown));
        }
        let last = request.messages.last();
        if let Some(last) = last.filter(|last| last.role == Role::Assistant && !self.target.facts.prefill) {
            let calls = last.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
            if !calls {
                let path = Field::Messages.name(request.origin);
                let message = "the model does not continue an answer: the last message must not be the assistant's";
                return Err(TranslateError::unsupported(path, message));
            }
        }
        Ok(())
    }

    fn system(&mut self, message: &'r Message) -> Result<Option<MessageOut<'r>>, TranslateError> {
        let newer = message.role == Role::Developer && self.target.quirks.developer_role;
        let role = if newer { "developer" } else { "system" };
        let mut parts = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => parts.push(text_part(text.as_str(), self.cache(cache.as_ref()))),
                Part::Opaque { .. } => self.left_out(message, at),
                _ => return Err(self.misplaced(message, at, "system messages hold text only")),
            }
        }
        let content = self.content(parts, "\n\n");
        let name = message.name.as_deref();
        Ok(content.map(|content| MessageOut { role, content: Some(content), name, ..MessageOut::default() }))
    }

    fn user(
        &mut self,
        message: &'r Message,
        before: Vec<PartOut<'r>>,
    ) -> Result<Option<MessageOut<'r>>, TranslateError> {
        let mut parts = before;
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => parts.push(text_part(text.as_str(), self.cache(cache.as_ref()))),
                Part::Media(media) => parts.push(self.media(media, || self_path(self.request, message, at))?),
                Part::Opaque { .. } => self.left_out(message, at),
                _ => return Err(self.misplaced(message, at, "user messages hold text, images, audio and files only")),
            }
        }
        let content = match parts.as_slice() {
            [] if !self.own => return Ok(None),
            [] => ContentOut::Text(Cow::Borrowed("")),
            _ => match single_text(parts) {
                Ok(text) => ContentOut::Text(text),
                Err(parts) => ContentOut::Parts(parts),
            },
        };
        Ok(Some(MessageOut {
            role: "user",
            content: Some(content),
            name: message.name.as_deref(),
            ..MessageOut::default()
        }))
    }

    fn assistant(&mut self, message: &'r Message, thoughtful: bool) -> Result<Option<MessageOut<'r>>, TranslateError> {
        let mut out = MessageOut { role: "assistant", name: message.name.as_deref(), ..MessageOut::default() };
        let mut parts = Vec::new();
        for (at, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => parts.push(text_part(text.as_str(), self.cache(cache.as_ref()))),
                Part::Refusal(words) if self.own && out.refusal.is_none() => out.refusal = Some(words),
                Part::Thinking { .. } | Part::RedactedThinking(_) => {}
                Part::ToolCall(call) => {
                    let call = self.call(call);
                    out.tool_calls.push(call);
                }
                Part::Media(Media { kind: MediaKind::Audio, source: MediaSource::FileId(id), .. }) if self.own => {
                    out.audio = Some(AudioRef { id });
                }
                Part::Refusal(words) | Part::Media(Media { transcript: Some(words), .. }) => {
                    parts.push(text_part(words.as_str(), None));
                }
                Part::Media(_) | Part::Opaque { .. } => self.left_out(message, at),
                Part::ToolResult(_) => return Err(self.misplaced(message, at, "results stand in messages of tools")),
            }
        }
        let nothing = parts.is_empty();
        if thoughtful {
            self.thoughts(message, &mut out, &mut parts);
        }
        out.content = self.content(parts, "");
        let empty = nothing && out.tool_calls.is_empty() && out.refusal.is_none() && out.audio.is_none();
        Ok((!empty).then_some(out))
    }

    fn call(&mut self, call: &'r ToolCall) -> CallOut<'r> {
        let (id, name) = (self.ids.map(&call.id), self.names.map(&call.name));
        // Of the models behind this format, those that check signatures are Gemini's, at Google's compatible endpoint.
        let signature = call.signature.as_ref().filter(|_| self.target.facts.needs_signatures);
        let extra_content = signature.and_then(extra);
        if call.kind == CallKind::Custom && self.custom_tools {
            let custom = Some(CustomCallOut { name, input: &call.arguments });
            return CallOut { id, r#type: "custom", function: None, custom, extra_content };
        }
        let arguments = match call.kind {
            CallKind::Custom => Cow::Owned(format!("{{\"{CUSTOM_INPUT}\":{}}}", quoted(&call.arguments))),
            CallKind::Function if call.arguments.trim().is_empty() => Cow::Borrowed("{}"),
            CallKind::Function => Cow::Borrowed(call.arguments.as_str()),
        };
        let function = Some(FunctionCallOut { name, arguments });
        CallOut { id, r#type: "function", function, custom: None, extra_content }
    }

    /// Writes the result of a tool. Media in it go to `shown`.
    fn tool_result(
        &mut self,
        message: &'r Message,
        result: &'r ToolResult,
        shown: &mut Vec<PartOut<'r>>,
    ) -> Result<MessageOut<'r>, TranslateError> {
        let mut parts = Vec::new();
        let mut seen = Vec::new();
        for part in &result.content {
            match part {
                Part::Text { text, cache, .. } => parts.push(text_part(text.as_str(), self.cache(cache.as_ref()))),
                Part::Media(media) => match self.media(media, || self.request.path(message, None))? {
                    text @ PartOut::Text { .. } => parts.push(text),
                    other => seen.push(other),
                },
                other => match builtin::in_words(other) {
                    Some(words) => parts.push(text_part(words, None)),
                    None => self.left_out(message, 0),
                },
            }
        }
        let tool_call_id = self.ids.map(&result.call_id);
        if !seen.is_empty() {
            if parts.is_empty() {
                parts.push(text_part("The result is shown in the next message of the user.", None));
            }
            shown.push(text_part(format!("Result of the tool call {tool_call_id}:"), None));
            shown.append(&mut seen);
        }
        let failed = result.is_error == Some(true) && parts.is_empty();
        if result.is_error == Some(true) && !failed {
            self.dropped.named("is_error");
        }
        let content = self.content(parts, "\n");
        let nothing = if failed { "The tool failed." } else { "" };
        let content = content.unwrap_or(ContentOut::Text(Cow::Borrowed(nothing)));
        let cached = self.cache(result.cache.as_ref());
        let content = match (content, cached) {
            (ContentOut::Text(text), Some(cache)) => ContentOut::Parts(vec![text_part(text, Some(cache))]),
            (content, _) => content,
        };
        let tool_call_id = Some(tool_call_id);
        Ok(MessageOut { role: "tool", content: Some(content), tool_call_id, ..MessageOut::default() })
    }

    /// Content of nothing but text. Many vendors take parts only of users, so other messages are one text unless a
    /// client of the same format wrote the parts.
    fn content(&self, parts: Vec<PartOut<'r>>, between: &str) -> Option<ContentOut<'r>> {
        if parts.is_empty() {
            return None;
        }
        let parts = match single_text(parts) {
            Ok(text) => return Some(ContentOut::Text(text)),
            Err(parts) if self.own || matches!(parts.first(), Some(PartOut::Thinking { .. })) => {
                return Some(ContentOut::Parts(parts));
            }
            Err(parts) => parts,
        };
        let texts: Vec<_> = parts
            .into_iter()
            .filter_map(|part| match part {
                PartOut::Text { text, .. } => Some(text),
                _ => None,
            })
            .collect();
        Some(ContentOut::Text(Cow::Owned(texts.join(between))))
    }

    fn left_out(&mut self, message: &Message, part: usize) {
        self.dropped.named(self_path(self.request, message, part));
    }

    fn misplaced(&self, message: &Message, part: usize, what: &str) -> TranslateError {
        let path = self_path(self.request, message, part);
        let message = format!("{path}: {what}");
        TranslateError::unsupported(path, message)
    }
}

fn self_path(request: &crate::ir::Request, message: &Message, part: usize) -> String {
    request.path(message, Some(part))
}

fn user(parts: Vec<PartOut<'_>>) -> MessageOut<'_> {
    MessageOut { role: "user", content: Some(ContentOut::Parts(parts)), ..MessageOut::default() }
}

/// The text of `parts`, if they are one text and nothing else.
fn single_text(mut parts: Vec<PartOut<'_>>) -> Result<Cow<'_, str>, Vec<PartOut<'_>>> {
    match (parts.pop(), parts.is_empty()) {
        (Some(PartOut::Text { text, cache_control: None }), true) => Ok(text),
        (last, _) => {
            parts.extend(last);
            Err(parts)
        }
    }
}
