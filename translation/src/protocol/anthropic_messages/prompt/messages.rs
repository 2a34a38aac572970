//! The conversation (`docs/TRANSLATION.md` section 2.1).

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::blocks::{Block, Cache, Input, ResultContent};
use super::media::{self, Rules, is_ours};
use super::wire::Turn;
use crate::facts::ThinkingForm;
use crate::format::Format;
use crate::ir::{Dropped, Field, Message, Part, Request, Role, Signature, ToolCall, ToolResult, TranslateError};
use crate::names::Mapping;
use crate::protocol::contract::Target;

/// The conversation as it is written.
pub(super) struct Conversation<'r> {
    /// All system and developer messages, wherever they stood.
    pub(super) system: Vec<Block<'r>>,
    pub(super) turns: Vec<Turn<'r>>,
}

pub(super) struct Writer<'w, 'r> {
    request: &'r Request,
    rules: Rules<'r>,
    /// Whether the model may be given its thoughts back.
    thinks: bool,
    names: &'w mut Mapping,
    ids: &'w mut Mapping,
    dropped: &'w mut Dropped,
    system: Vec<Block<'r>>,
    turns: Vec<Turn<'r>>,
    /// The calls that wait for a result, in their order.
    pending: Vec<Pending<'r>>,
    /// Where in `pending` a call is.
    waiting: HashMap<&'r str, usize>,
    /// How often each id has been a call's so far.
    used: HashMap<&'r str, usize>,
    /// The blocks of the user's turn that is under way, behind the results.
    user: Vec<Block<'r>>,
}

struct Pending<'r> {
    id: &'r str,
    /// The id that the target is told.
    told: String,
    message: &'r Message,
    result: Option<Block<'r>>,
}

/// Writes the messages of `request`.
pub(super) fn write<'r>(
    request: &'r Request,
    target: &Target<'_>,
    citations: bool,
    names: &mut Mapping,
    ids: &mut Mapping,
    dropped: &mut Dropped,
) -> Result<Conversation<'r>, TranslateError> {
    let mut writer = Writer {
        request,
        rules: Rules { request, urls: target.quirks.media_urls, citations },
        thinks: target.facts.thinking != ThinkingForm::None,
        names,
        ids,
        dropped,
        system: Vec::new(),
        turns: Vec::with_capacity(request.messages.len()),
        pending: Vec::new(),
        waiting: HashMap::new(),
        used: HashMap::new(),
        user: Vec::new(),
    };
    for message in &request.messages {
        writer.message(message)?;
    }
    writer.finish_user()?;
    writer.end_turn();
    let (system, turns) = (writer.system, writer.turns);
    if turns.is_empty() {
        let words = "The conversation has no message besides those of the system: at least one is required.";
        return Err(TranslateError::invalid(Field::Messages.name(request.origin), words));
    }
    Ok(Conversation { system, turns })
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
                    let path = || self.request.path(message, Some(index));
                    let block = content(part, &path, self.rules, self.dropped)?;
                    self.user.extend(block);
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
                Part::Text { text, cache, .. } => self.system.extend(text_block(text, Cache::of(cache.as_ref()))),
                Part::Opaque { .. } => self.dropped.named(self.request.path(message, Some(index))),
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
        if !self.user.is_empty() || self.pending.iter().any(|pending| pending.result.is_some()) {
            self.finish_user()?;
        }
        let mut thoughts = Vec::new();
        let mut blocks = Vec::with_capacity(message.parts.len());
        for (index, part) in message.parts.iter().enumerate() {
            match part {
                Part::Text { text, cache, .. } => blocks.extend(text_block(text, Cache::of(cache.as_ref()))),
                Part::Refusal(text) => blocks.extend(text_block(text, None)),
                Part::Thinking { text, signature: Some(signature) } if self.replays(signature) => {
                    let block = Block::Thinking { thinking: text, signature: Cow::Borrowed(&signature.data) };
                    self.thought(&mut thoughts, &mut blocks, block);
                }
                Part::RedactedThinking(signature) if self.replays(signature) => {
                    let block = Block::RedactedThinking { data: Cow::Borrowed(&signature.data) };
                    self.thought(&mut thoughts, &mut blocks, block);
                }
                Part::ToolCall(call) => blocks.push(self.call(message, call)),
                Part::Opaque { family, block } if is_ours(*family) => blocks.push(Block::Opaque(block)),
                // The model cannot be shown what it made, in its own turn, and knows no other family's blocks.
                Part::Media(_) | Part::Opaque { .. } => self.dropped.named(self.request.path(message, Some(index))),
                Part::Thinking { .. } | Part::RedactedThinking(_) | Part::ToolResult(_) => {}
            }
        }
        thoughts.extend(blocks);
        self.append("assistant", thoughts);
        Ok(())
    }

    /// Anthropic's own clients give thoughts in their places, between calls too. Of others, only that they come first
    /// is known.
    fn thought(&self, thoughts: &mut Vec<Block<'r>>, blocks: &mut Vec<Block<'r>>, block: Block<'r>) {
        if self.request.origin == Format::AnthropicMessages { blocks.push(block) } else { thoughts.push(block) }
    }

    /// Thoughts of another family would fail the check of their signature.
    fn replays(&self, signature: &Signature) -> bool {
        self.thinks && is_ours(signature.family)
    }

    fn call(&mut self, message: &'r Message, call: &'r ToolCall) -> Block<'r> {
        // Some vendors count their calls from 0 in every turn; Anthropic wants ids that are unique over the
        // conversation.
        let times = self.used.entry(&call.id).or_default();
        *times += 1;
        let told = match *times {
            1 => self.ids.map(&call.id),
            times => self.ids.map(&format!("{}#{times}", call.id)),
        };
        self.waiting.insert(&call.id, self.pending.len());
        self.pending.push(Pending { id: &call.id, told: told.clone(), message, result: None });
        Block::ToolUse {
            id: Cow::Owned(told),
            name: Cow::Owned(self.names.map(&call.name)),
            input: Input::of(call),
            cache_control: Cache::of(call.cache.as_ref()),
        }
    }

    fn result(&mut self, message: &'r Message, result: &'r ToolResult) -> Result<(), TranslateError> {
        let at = || self.request.path(message, None);
        let Some(&waiting) = self.waiting.get(&*result.call_id) else {
            let words = format!("There is no tool call `{}` in the message before this result.", result.call_id);
            return Err(TranslateError::invalid(at(), words));
        };
        if self.pending[waiting].result.is_some() {
            let words = format!("The tool call `{}` has a result already.", result.call_id);
            return Err(TranslateError::invalid(at(), words));
        }
        let content = match result.content.as_slice() {
            [Part::Text { text, cache: None, .. }] => (!text.is_empty()).then_some(ResultContent::Text(text)),
            parts => {
                let mut blocks = Vec::with_capacity(parts.len());
                for part in parts {
                    blocks.extend(content(part, &at, self.rules, self.dropped)?);
                }
                (!blocks.is_empty()).then_some(ResultContent::Blocks(blocks))
            }
        };
        self.pending[waiting].result = Some(Block::ToolResult {
            tool_use_id: Cow::Owned(std::mem::take(&mut self.pending[waiting].told)),
            content,
            is_error: result.is_error,
            cache_control: Cache::of(result.cache.as_ref()),
        });
        Ok(())
    }

    /// Ends the user's turn: the results of all calls first, in the order of the calls, in one message
    /// (`docs/TRANSLATION.md` section 13, point 1).
    fn finish_user(&mut self) -> Result<(), TranslateError> {
        let mut blocks = Vec::with_capacity(self.pending.len() + self.user.len());
        for pending in self.pending.drain(..) {
            let Some(result) = pending.result else {
                let path = self.request.path(pending.message, None);
                let words = format!("The tool call `{}` has no result: each call must be followed by one.", pending.id);
                return Err(TranslateError::invalid(path, words));
            };
            blocks.push(result);
        }
        self.waiting.clear();
        blocks.append(&mut self.user);
        self.append("user", blocks);
        Ok(())
    }

    /// Neighbours of the same role are one turn.
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
    /// Thoughts that nothing came of, since the model was cut off or had nothing to say, are no turn: Anthropic answers
    /// 400 to one that ends in them.
    fn end_turn(&mut self) {
        let Some(turn) = self.turns.last_mut() else { return };
        let thought = |block: &Block<'_>| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. });
        while turn.content.pop_if(|block| thought(block)).is_some() {}
        if turn.content.is_empty() {
            self.turns.pop();
        }
    }
}

/// A block of a user, or of a tool's result. None for what says nothing to the model.
fn content<'r>(
    part: &'r Part,
    path: &dyn Fn() -> String,
    rules: Rules<'r>,
    dropped: &mut Dropped,
) -> Result<Option<Block<'r>>, TranslateError> {
    Ok(match part {
        Part::Text { text, cache, .. } => text_block(text, Cache::of(cache.as_ref())),
        Part::Refusal(text) => text_block(text, None),
        Part::Media(media) => Some(media::block(media, path, rules, dropped)?),
        Part::Opaque { family, block } if is_ours(*family) => Some(Block::Opaque(block)),
        Part::Opaque { .. } => {
            dropped.named(path());
            None
        }
        _ => None,
    })
}

/// Anthropic answers 400 to texts of nothing but white space.
pub(super) fn text_block<'r>(text: &'r str, cache_control: Option<Cache<'r>>) -> Option<Block<'r>> {
    let filled = !text.trim().is_empty();
    filled.then(|| Block::Text { text: Cow::Borrowed(text), citations: Vec::new(), cache_control })
}

/// Cuts white space off the end of a model's turn that is to be continued, which Anthropic answers 400 to.
pub(super) fn trim_last(turns: &mut [Turn<'_>]) {
    let Some(turn) = turns.last_mut().filter(|turn| turn.role == "assistant") else { return };
    if let Some(Block::Text { text, .. }) = turn.content.last_mut() {
        *text = match std::mem::take(text) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end().len());
                Cow::Owned(text)
            }
        };
    }
}
