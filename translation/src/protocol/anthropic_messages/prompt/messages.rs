//! The messages of a conversation, in Anthropic's content blocks (`docs/TRANSLATION.md` section 2.1).

use std::borrow::Cow;

use super::super::blocks::{Block, Cache, Input, ResultContent};
use super::media::{self, Rules, is_ours};
use crate::facts::ThinkingForm;
use crate::ir::{CacheControl, Dropped, Message, Part, Request, Signature, ToolCall, ToolResult, TranslateError};
use crate::json::Json;
use crate::names::Mapping;
use crate::protocol::claude::conversation::{self, Api, Conversation, Notes};
use crate::protocol::claude::turns;
use crate::protocol::contract::Target;

struct Writer<'w, 'r> {
    notes: Notes<'w, 'r>,
    rules: Rules<'r>,
}

/// Writes the messages of `request`. `citations` says whether documents are to be cited.
pub(super) fn write<'r>(
    request: &'r Request,
    target: &Target<'_>,
    citations: bool,
    names: &mut Mapping,
    ids: &mut Mapping,
    dropped: &mut Dropped,
) -> Result<Conversation<Block<'r>>, TranslateError> {
    let rules = Rules { request, urls: target.quirks.media_urls, citations };
    let thinks = target.facts.thinking != ThinkingForm::None;
    conversation::write(request, Writer { notes: Notes { request, dropped }, rules }, thinks, names, ids)
}

impl<'w, 'r> Api<'w, 'r> for Writer<'w, 'r> {
    type Block = Block<'r>;

    fn notes(&mut self) -> &mut Notes<'w, 'r> {
        &mut self.notes
    }

    fn text(&mut self, text: &'r str, cache: Option<&'r CacheControl>, blocks: &mut Vec<Block<'r>>) {
        blocks.extend(text_block(text, Cache::of(cache)));
    }

    fn content(
        &mut self,
        part: &'r Part,
        path: &dyn Fn() -> String,
        blocks: &mut Vec<Block<'r>>,
    ) -> Result<(), TranslateError> {
        blocks.extend(content(part, path, self.rules, self.notes.dropped)?);
        Ok(())
    }

    fn thought(text: &'r str, signature: &'r Signature) -> Block<'r> {
        Block::Thinking { thinking: text, signature: Cow::Borrowed(&signature.data) }
    }

    fn redacted(signature: &'r Signature) -> Option<Block<'r>> {
        Some(Block::RedactedThinking { data: Cow::Borrowed(&signature.data) })
    }

    fn opaque(block: &'r Json) -> Option<Block<'r>> {
        Some(Block::Opaque(block))
    }

    fn next_id(id: &str, times: usize, _message: &Message) -> String {
        format!("{id}#{times}")
    }

    fn call(&mut self, id: String, name: String, call: &'r ToolCall, blocks: &mut Vec<Block<'r>>) {
        blocks.push(Block::ToolUse {
            id: Cow::Owned(id),
            name: Cow::Owned(name),
            input: Input::of(call),
            cache_control: Cache::of(call.cache.as_ref()),
        });
    }

    fn result(
        &mut self,
        id: String,
        result: &'r ToolResult,
        path: &dyn Fn() -> String,
    ) -> Result<(Block<'r>, Option<Block<'r>>), TranslateError> {
        let content = match result.content.as_slice() {
            [Part::Text { text, cache: None, .. }] => (!text.is_empty()).then_some(ResultContent::Text(text)),
            parts => {
                let mut blocks = Vec::with_capacity(parts.len());
                for part in parts {
                    self.content(part, path, &mut blocks)?;
                }
                (!blocks.is_empty()).then_some(ResultContent::Blocks(blocks))
            }
        };
        let block = Block::ToolResult {
            tool_use_id: Cow::Owned(id),
            content,
            is_error: result.is_error,
            cache_control: Cache::of(result.cache.as_ref()),
        };
        Ok((block, None))
    }
}

impl<'r> turns::Block<'r> for Block<'r> {
    fn is_thought(&self) -> bool {
        matches!(self, Self::Thinking { .. } | Self::RedactedThinking { .. })
    }

    fn is_result(&self) -> bool {
        matches!(self, Self::ToolResult { .. })
    }

    fn is_paused(&self) -> bool {
        matches!(self, Self::Opaque(_))
    }

    fn text_mut(&mut self) -> Option<&mut Cow<'r, str>> {
        match self {
            Self::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// A block of a user, or of a tool's result. None for a part that says nothing to the model.
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
fn text_block<'r>(text: &'r str, cache_control: Option<Cache<'r>>) -> Option<Block<'r>> {
    let filled = !text.trim().is_empty();
    filled.then(|| Block::Text { text: Cow::Borrowed(text), citations: Vec::new(), cache_control })
}
