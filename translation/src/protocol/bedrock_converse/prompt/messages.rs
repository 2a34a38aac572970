//! The conversation (`docs/TRANSLATION.md` section 2.1; Amazon Bedrock User Guide, "Carry out a conversation with the
//! Converse API operations").

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::maker::Maker;
use super::media;
use super::wire::{Block, CachePoint, Input, Thought, Turn};
use crate::facts::ThinkingForm;
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    CacheControl, Dropped, Field, Media, Message, Part, Request, Role, Signature, ToolCall, ToolResult, TranslateError,
};
use crate::names::Mapping;
use crate::protocol::contract::Target;

/// The conversation as it is written.
pub(super) struct Conversation<'r> {
    /// All system and developer messages, wherever they stood.
    pub(super) system: Vec<Block<'r>>,
    pub(super) turns: Vec<Turn<'r>>,
    /// It holds calls of tools, or their results.
    pub(super) has_calls: bool,
}

/// Where cache breakpoints go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caching {
    /// The model has a prompt cache.
    pub(super) on: bool,
    /// Which can keep what is in it for an hour.
    pub(super) hour: bool,
}

struct Writer<'w, 'r> {
    request: &'r Request,
    maker: Maker,
    caching: Caching,
    /// Whether the model may be given its thoughts back.
    thinks: bool,
    media: media::Writer,
    names: &'w mut Mapping,
    ids: &'w mut Mapping,
    dropped: &'w mut Dropped,
    system: Vec<Block<'r>>,
    turns: Vec<Turn<'r>>,
    has_calls: bool,
    /// The calls that wait for a result, in their order.
    pending: Vec<Pending<'r>>,
    /// Where in `pending` a call is.
    waiting: HashMap<&'r str, usize>,
    /// Ids of all calls so far.
    used: HashSet<&'r str>,
    /// The blocks of the user's turn that is under way, behind the results.
    user: Vec<Block<'r>>,
}

struct Pending<'r> {
    id: &'r str,
    /// The id that the target is told.
    told: String,
    message: &'r Message,
    /// Its result, and a breakpoint behind it.
    result: Vec<Block<'r>>,
}

/// Writes the messages of `request`.
pub(super) fn write<'r>(
    request: &'r Request,
    target: &Target<'_>,
    maker: Maker,
    caching: Caching,
    names: &mut Mapping,
    ids: &mut Mapping,
    dropped: &mut Dropped,
) -> Result<Conversation<'r>, TranslateError> {
    let mut writer = Writer {
        request,
        maker,
        caching,
        thinks: maker == Maker::Claude && target.facts.thinking != ThinkingForm::None,
        media: media::Writer::new(maker),
        names,
        ids,
        dropped,
        system: Vec::new(),
        turns: Vec::with_capacity(request.messages.len()),
        has_calls: false,
        pending: Vec::new(),
        waiting: HashMap::new(),
        used: HashSet::new(),
        user: Vec::new(),
    };
    for message in &request.messages {
        writer.message(message)?;
    }
    writer.finish_user()?;
    writer.end_turn();
    let Writer { system, mut turns, has_calls, .. } = writer;
    let Some(first) = turns.first() else {
        let words = "The conversation has no message besides those of the system: at least one is required.";
        return Err(TranslateError::invalid(Field::Messages.name(request.origin), words));
    };
    if first.role == "assistant" {
        // "A conversation must start with a user message", says Bedrock.
        turns.insert(0, Turn { role: "user", content: vec![Block::Text(Cow::Borrowed("(start)"))] });
    }
    for turn in &mut turns {
        give_words(turn);
    }
    trim_last(&mut turns);
    Ok(Conversation { system, turns, has_calls })
}

impl<'r> Writer<'_, 'r> {
    fn message(&mut self, message: &'r Message) -> Result<(), TranslateError> {
        if message.name.is_some() {
            self.dropped.field(self.request, Field::Name);
        }
        match message.role {
            Role::System | Role::Developer => self.system(message),
            Role::User => {
                for (index, part) in message.parts.iter().enumerate() {
                    let mut blocks = Vec::with_capacity(1);
                    self.content(part, &|| self.request.path(message, Some(index)), &mut blocks)?;
                    self.user.append(&mut blocks);
                }
                Ok(())
            }
            Role::Tool => message.parts.iter().try_for_each(|part| match part {
                Part::ToolResult(result) => self.result(message, result),
                _ => Ok(()),
            }),
            Role::Assistant => self.assistant(message),
        }
    }

    fn system(&mut self, message: &'r Message) -> Result<(), TranslateError> {
        for (index, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => {
                    self.system.extend(text_block(text));
                    let point = self.cache_point(cache.as_ref());
                    // There has to be something before it.
                    self.system.extend(point.filter(|_| !text.trim().is_empty()));
                }
                Part::Opaque { .. } => {}
                _ => {
                    let path = self.request.path(message, Some(index));
                    return Err(TranslateError::unsupported(path, "A system message can hold nothing but text."));
                }
            }
        }
        Ok(())
    }

    fn assistant(&mut self, message: &'r Message) -> Result<(), TranslateError> {
        // Calls that no result has come for may be joined by more text or calls of the same turn.
        if !self.user.is_empty() || self.pending.iter().any(|pending| !pending.result.is_empty()) {
            self.finish_user()?;
        }
        let (mut thoughts, mut blocks) = (Vec::new(), Vec::with_capacity(message.parts.len()));
        for (index, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => {
                    blocks.extend(text_block(text));
                    let point = self.cache_point(cache.as_ref());
                    blocks.extend(point.filter(|_| !text.trim().is_empty()));
                }
                Part::Refusal(text) => blocks.extend(text_block(text)),
                Part::Thinking { text, signature: Some(signature) } if self.replays(signature) => {
                    let thought = Thought::ReasoningText { text, signature: &signature.data };
                    self.thought(&mut thoughts, &mut blocks, thought);
                }
                Part::RedactedThinking(signature) if self.replays(signature) && is_base64(&signature.data) => {
                    self.thought(&mut thoughts, &mut blocks, Thought::RedactedContent(&signature.data));
                }
                Part::ToolCall(call) => {
                    blocks.push(self.call(message, call));
                    blocks.extend(self.cache_point(call.cache.as_ref()));
                }
                // The model cannot be shown what it made, in its own turn.
                Part::Media(_) => self.dropped.named(self.request.path(message, Some(index))),
                Part::Thinking { .. } | Part::RedactedThinking(_) | Part::Opaque { .. } | Part::ToolResult(_) => {}
            }
        }
        thoughts.extend(blocks);
        self.append("assistant", thoughts);
        Ok(())
    }

    /// Anthropic's own clients give thoughts in their places, between calls too. Of others, only that they come first
    /// is known.
    fn thought(&self, thoughts: &mut Vec<Block<'r>>, blocks: &mut Vec<Block<'r>>, thought: Thought<'r>) {
        let block = Block::ReasoningContent(thought);
        if self.request.origin == Format::AnthropicMessages { blocks.push(block) } else { thoughts.push(block) }
    }

    /// Thoughts of another family would fail the check of their signature (`docs/TRANSLATION.md` section 10).
    fn replays(&self, signature: &Signature) -> bool {
        self.thinks && signature.family == Family::Anthropic
    }

    fn call(&mut self, message: &'r Message, call: &'r ToolCall) -> Block<'r> {
        self.has_calls = true;
        // Some vendors count their calls from 0 in every turn; ids have to be unique over the conversation.
        let told = if self.used.insert(&call.id) {
            self.ids.map(&call.id)
        } else {
            self.ids.map(&format!("{}#{}", call.id, message.origin))
        };
        self.waiting.insert(&call.id, self.pending.len());
        self.pending.push(Pending { id: &call.id, told: told.clone(), message, result: Vec::new() });
        Block::ToolUse { tool_use_id: told, name: self.names.map(&call.name), input: Input::of(call) }
    }

    fn result(&mut self, message: &'r Message, result: &'r ToolResult) -> Result<(), TranslateError> {
        let at = || self.request.path(message, None);
        let Some(&waiting) = self.waiting.get(&*result.call_id) else {
            let words = format!("There is no tool call `{}` in the message before this result.", result.call_id);
            return Err(TranslateError::invalid(at(), words));
        };
        if !self.pending[waiting].result.is_empty() {
            let words = format!("The tool call `{}` has a result already.", result.call_id);
            return Err(TranslateError::invalid(at(), words));
        }
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            self.content(part, &at, &mut content)?;
        }
        // A breakpoint cannot stand within a result.
        content.retain(|block| !matches!(block, Block::CachePoint(_)));
        if content.is_empty() {
            // An empty list is refused, and so is an empty text.
            content.push(Block::Text(Cow::Borrowed("(no output)")));
        }
        let within = result.content.iter().rev().find_map(|part| match part {
            Part::Text { cache, .. } | Part::Media(Media { cache, .. }) => cache.as_ref(),
            _ => None,
        });
        let point = self.cache_point(result.cache.as_ref().or(within));
        // Other makers' models do not take it.
        let says = self.maker == Maker::Claude || self.maker.is_nova();
        let status = (says && result.is_error == Some(true)).then_some("error");
        let pending = &mut self.pending[waiting];
        let tool_use_id = std::mem::take(&mut pending.told);
        pending.result.push(Block::ToolResult { tool_use_id, content, status });
        pending.result.extend(point);
        Ok(())
    }

    /// The blocks of a user, or of a tool's result.
    fn content(
        &mut self,
        part: &'r Part,
        path: &dyn Fn() -> String,
        blocks: &mut Vec<Block<'r>>,
    ) -> Result<(), TranslateError> {
        let before = blocks.len();
        let cache = match part {
            Part::Text { text, cache, .. } => {
                blocks.extend(text_block(text));
                cache.as_ref()
            }
            Part::Refusal(text) => {
                blocks.extend(text_block(text));
                None
            }
            Part::Media(media) => {
                if media.detail.is_some() {
                    self.dropped.field(self.request, Field::Detail);
                }
                blocks.push(self.media.block(media, path)?);
                media.cache.as_ref()
            }
            _ => None,
        };
        if blocks.len() > before {
            blocks.extend(self.cache_point(cache));
        }
        Ok(())
    }

    fn cache_point(&mut self, cache: Option<&'r CacheControl>) -> Option<Block<'r>> {
        let cache = cache?;
        if !self.caching.on {
            self.dropped.field(self.request, Field::Cache);
            return None;
        }
        Some(Block::CachePoint(CachePoint::of(cache, self.caching.hour)))
    }

    /// Ends the user's turn: the results of all calls first, in the order of the calls, in one message
    /// (`docs/TRANSLATION.md` section 13, point 1).
    fn finish_user(&mut self) -> Result<(), TranslateError> {
        let mut blocks = Vec::with_capacity(self.pending.len() + self.user.len());
        for mut pending in self.pending.drain(..) {
            if pending.result.is_empty() {
                let path = self.request.path(pending.message, None);
                let words = format!("The tool call `{}` has no result: each call must be followed by one.", pending.id);
                return Err(TranslateError::invalid(path, words));
            }
            blocks.append(&mut pending.result);
        }
        self.waiting.clear();
        blocks.append(&mut self.user);
        self.append("user", blocks);
        Ok(())
    }

    /// Neighbours of the same role are one turn: Bedrock wants the roles to alternate.
    fn append(&mut self, role: &'static str, mut blocks: Vec<Block<'r>>) {
        if blocks.is_empty() {
            return;
        }
        if self.turns.last().is_some_and(|turn| turn.role != role) {
            self.end_turn();
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.append(&mut blocks),
            _ => self.turns.push(Turn { role, content: blocks }),
        }
    }
}

impl Writer<'_, '_> {
    /// Thoughts that nothing came of are no turn, as at Anthropic itself.
    fn end_turn(&mut self) {
        let Some(turn) = self.turns.last_mut() else { return };
        while turn.content.pop_if(|block| matches!(block, Block::ReasoningContent(_))).is_some() {}
        if turn.content.is_empty() {
            self.turns.pop();
        }
    }
}

/// Bedrock answers 400 to texts of nothing but white space.
fn text_block(text: &str) -> Option<Block<'_>> {
    (!text.trim().is_empty()).then_some(Block::Text(Cow::Borrowed(text)))
}

fn is_base64(text: &str) -> bool {
    STANDARD.decode(text).is_ok()
}

/// A turn with a document needs a text (Bedrock API Reference, "Message").
fn give_words(turn: &mut Turn<'_>) {
    let has = |wanted: fn(&Block<'_>) -> bool| turn.content.iter().any(wanted);
    if has(|block| matches!(block, Block::Document(_))) && !has(|block| matches!(block, Block::Text(_))) {
        turn.content.push(Block::Text(Cow::Borrowed("(document)")));
    }
}

/// Cuts white space off the end of a model's turn that is to be continued, which Claude answers 400 to.
fn trim_last(turns: &mut [Turn<'_>]) {
    let Some(turn) = turns.last_mut().filter(|turn| turn.role == "assistant") else { return };
    if let Some(Block::Text(text)) = turn.content.last_mut() {
        *text = match std::mem::take(text) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end().len());
                Cow::Owned(text)
            }
        };
    }
}
