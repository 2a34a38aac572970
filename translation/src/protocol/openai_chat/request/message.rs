//! Messages of every role.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::soft::Soft;
use super::super::thoughts::{self, Block, Detail, Extra};
use super::content::{self, CacheIn, Content};
use super::value::required;
use crate::format::Family;
use crate::ir::{
    CacheControl, CallKind, Media, MediaKind, MediaSource, Message, Part, Role, Signature, ToolCall, ToolResult,
    TranslateError,
};

/// A message of any role. SDKs echo fields of an answer that do not count, and these are read without insisting on
/// their type (`docs/TRANSLATION.md` section 0.2).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MessageIn<'a> {
    role: Option<String>,
    content: Option<Content>,
    name: Option<String>,
    #[serde(borrow)]
    tool_calls: Option<Vec<CallIn<'a>>>,
    function_call: Option<FunctionIn<'a>>,
    tool_call_id: Option<String>,
    refusal: Option<String>,
    reasoning_content: Soft<String>,
    reasoning: Soft<String>,
    reasoning_details: Soft<Vec<Soft<Detail>>>,
    thinking_blocks: Soft<Vec<Soft<Block>>>,
    audio: Option<AudioIn>,
    cache_control: Option<CacheIn>,
    is_error: Option<bool>,
    extra_content: Soft<Extra>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CallIn<'a> {
    id: Option<String>,
    r#type: Option<String>,
    #[serde(borrow)]
    function: Option<FunctionIn<'a>>,
    custom: Option<CustomIn>,
    extra_content: Soft<Extra>,
    cache_control: Option<CacheIn>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionIn<'a> {
    name: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    thought_signature: Soft<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomIn {
    name: Option<String>,
    input: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AudioIn {
    id: Option<String>,
}

/// Earlier calls that a result may belong to without naming one.
#[derive(Default)]
struct Pending {
    /// The ids that were made up for calls without one, in their order.
    nameless: VecDeque<String>,
    /// The name and id of each call of the form `function_call`.
    functions: VecDeque<(String, String)>,
}

/// Reads all messages.
pub(super) fn messages(list: Vec<MessageIn<'_>>) -> Result<Vec<Message>, TranslateError> {
    if list.is_empty() {
        return Err(TranslateError::invalid("messages", "messages: at least one message is required"));
    }
    let mut pending = Pending::default();
    list.into_iter().enumerate().map(|(at, message)| message.read(at, &mut pending)).collect()
}

impl MessageIn<'_> {
    fn read(mut self, at: usize, pending: &mut Pending) -> Result<Message, TranslateError> {
        let path = |field: &str| format!("messages[{at}].{field}");
        let role = match self.role.as_deref() {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool" | "function") => Role::Tool,
            Some(other) => {
                let message = format!(
                    "messages[{at}].role: '{other}' is none of system, developer, user, assistant, tool, function"
                );
                return Err(TranslateError::invalid(path("role"), message));
            }
            None => return Err(required(path("role"))),
        };
        let name = self.name.take().filter(|name| !name.is_empty());
        let content = self.content.take();
        if content.is_none() && matches!(role, Role::System | Role::Developer | Role::User) {
            return Err(required(path("content")));
        }
        let cache = self.cache_control.take().map(CacheControl::from);
        let content = content::parts(content, &path("content"))?;
        Ok(match role {
            Role::Tool => {
                let call_id = self.call_id(name.as_deref(), at, pending)?;
                let (is_error, parts) = (self.is_error, content);
                let result = ToolResult { call_id, name, content: parts, is_error, cache };
                Message::new(role, vec![Part::ToolResult(result)], at)
            }
            Role::Assistant => Message { name, ..self.assistant(content, cache, at, pending)? },
            _ => {
                let mut parts = content;
                mark(&mut parts, cache);
                Message { role, parts, name, origin: at }
            }
        })
    }

    /// The id of the call that the result belongs to.
    fn call_id(&mut self, name: Option<&str>, at: usize, pending: &mut Pending) -> Result<String, TranslateError> {
        if self.role.as_deref() == Some("function") {
            let same = pending.functions.iter().position(|(function, _)| Some(function.as_str()) == name);
            return if let Some((_, id)) = pending.functions.remove(same.unwrap_or_default()) {
                Ok(id)
            } else {
                let path = format!("messages[{at}].role");
                let message = format!("{path}: a 'function' message must follow a message with 'function_call'");
                Err(TranslateError::invalid(path, message))
            };
        }
        match self.tool_call_id.take().filter(|id| !id.is_empty()) {
            Some(id) => Ok(split_id(id).0),
            None => pending.nameless.pop_front().ok_or_else(|| required(format!("messages[{at}].tool_call_id"))),
        }
    }

    /// The parts of a message of the model's, in the order in which they came about: thoughts, text, calls
    /// (`docs/TRANSLATION.md` section 2.1.3).
    fn assistant(
        self,
        content: Vec<Part>,
        cache: Option<CacheControl>,
        at: usize,
        pending: &mut Pending,
    ) -> Result<Message, TranslateError> {
        let (mut parts, mut said): (Vec<_>, Vec<_>) =
            content.into_iter().partition(|part| matches!(part, Part::Thinking { .. } | Part::RedactedThinking(_)));
        if parts.is_empty() {
            let words = self.reasoning_content.filled().or(self.reasoning.filled());
            parts = thoughts::all(self.thinking_blocks, self.reasoning_details, words);
        }
        said.extend(self.refusal.filter(|refusal| !refusal.is_empty()).map(Part::Refusal));
        mark(&mut said, cache);
        if let Some(id) = self.audio.and_then(|audio| audio.id).filter(|id| !id.is_empty()) {
            said.push(Part::Media(Media::new(MediaKind::Audio, MediaSource::FileId(id), None)));
        }
        let mut calls = Vec::new();
        for (index, call) in self.tool_calls.unwrap_or_default().into_iter().enumerate() {
            calls.push(call.read(at, index, pending)?);
        }
        // Stream helpers echo an empty `function_call` beside `tool_calls`.
        if calls.is_empty()
            && let Some(function) = self.function_call
            && function.name.as_deref().is_some_and(|name| !name.is_empty())
        {
            let call = function.read(format!("call_function_{at}"), &format!("messages[{at}].function_call"))?;
            pending.functions.push_back((call.name.clone(), call.id.clone()));
            calls.push(call);
        }
        // The signature is that of the whole message: Gemini's compatible endpoint signed messages before it signed
        // calls.
        if let Some(signature) = self.extra_content.0.and_then(Extra::signature) {
            match calls.first_mut() {
                Some(call) if call.signature.is_none() => call.signature = Some(signature),
                Some(_) => {}
                None => sign_text(&mut said, signature),
            }
        }
        parts.append(&mut said);
        parts.extend(calls.into_iter().map(Part::ToolCall));
        Ok(Message::new(Role::Assistant, parts, at))
    }
}

/// Puts a breakpoint of a whole message behind its last part.
fn mark(parts: &mut [Part], cache: Option<CacheControl>) {
    match parts.last_mut() {
        Some(Part::Text { cache: at, .. }) if at.is_none() => *at = cache,
        Some(Part::Media(media)) if media.cache.is_none() => media.cache = cache,
        _ => {}
    }
}

fn sign_text(parts: &mut [Part], signed: Signature) {
    let text = parts.iter_mut().rev().find_map(|part| match part {
        Part::Text { signature, .. } => Some(signature),
        _ => None,
    });
    if let Some(signature) = text {
        *signature = Some(signed);
    }
}

impl CallIn<'_> {
    fn read(self, at: usize, index: usize, pending: &mut Pending) -> Result<ToolCall, TranslateError> {
        let path = format!("messages[{at}].tool_calls[{index}]");
        let (id, in_id) = if let Some(id) = self.id.filter(|id| !id.is_empty()) {
            split_id(id)
        } else {
            // The id is the same in every turn, so that a provider's prompt cache still fits.
            let id = format!("call_{at}_{index}");
            pending.nameless.push_back(id.clone());
            (id, None)
        };
        let mut call = match (self.custom, self.function) {
            (Some(custom), None) => {
                let name = custom.name.filter(|name| !name.is_empty());
                ToolCall {
                    id,
                    name: name.ok_or_else(|| required(format!("{path}.custom.name")))?,
                    arguments: custom.input.unwrap_or_default(),
                    kind: CallKind::Custom,
                    signature: None,
                    cache: None,
                }
            }
            (_, Some(function)) => function.read(id, &format!("{path}.function"))?,
            (None, None) => match self.r#type.as_deref() {
                Some("custom") => return Err(required(format!("{path}.custom"))),
                _ => return Err(required(format!("{path}.function"))),
            },
        };
        // The signature stands in its own field where the client keeps that, and otherwise in the id
        // (`docs/TRANSLATION.md` section 10).
        let told = self.extra_content.0.and_then(Extra::signature);
        call.signature = told.or(call.signature).or(in_id);
        call.cache = self.cache_control.map(CacheControl::from);
        Ok(call)
    }
}

impl FunctionIn<'_> {
    fn read(self, id: String, path: &str) -> Result<ToolCall, TranslateError> {
        let name = self.name.filter(|name| !name.is_empty()).ok_or_else(|| required(format!("{path}.name")))?;
        let arguments = match self.arguments.map(RawValue::get) {
            Some(text) if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
            // Some clients keep the object itself.
            Some(text) if text.starts_with('{') => text.to_owned(),
            None => String::new(),
            Some(_) => {
                let param = format!("{path}.arguments");
                let message = format!("{param}: expected a string of JSON");
                return Err(TranslateError::invalid(param, message));
            }
        };
        let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
        let signature = self.thought_signature.filled().map(|data| Signature { family: Family::Gemini, data });
        Ok(ToolCall { id, name, arguments, kind: CallKind::Function, signature, cache: None })
    }
}

/// What stands between an id and the signature that some gateways put behind it.
const IN_ID: &str = "__thought__";

/// The id of a call, and Gemini's signature where a gateway put it there (`docs/TRANSLATION.md` section 10, b).
fn split_id(mut id: String) -> (String, Option<Signature>) {
    let Some(at) = id.find(IN_ID).filter(|at| *at > 0) else { return (id, None) };
    let data = id[at + IN_ID.len()..].to_owned();
    id.truncate(at);
    let signature = (!data.is_empty()).then_some(Signature { family: Family::Gemini, data });
    (id, signature)
}
