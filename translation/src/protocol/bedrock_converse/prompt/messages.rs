//! The messages of a conversation, in Bedrock's content blocks (`docs/TRANSLATION.md` section 2.1; Amazon Bedrock User
//! Guide, "Carry out a conversation with the Converse API operations").

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::maker::Maker;
use super::media;
use super::wire::{Block, CachePoint, Input, Thought};
use crate::facts::ThinkingForm;
use crate::ir::{
    CacheControl, Dropped, Field, Media, Message, Part, Request, Signature, ToolCall, ToolResult, TranslateError,
};
use crate::names::Mapping;
use crate::protocol::builtin;
use crate::protocol::claude::conversation::{self, Api, Conversation, Notes};
use crate::protocol::claude::turns::{self, Turn};
use crate::protocol::contract::Target;

/// Where cache breakpoints go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caching {
    /// Whether the model has a prompt cache.
    pub(super) on: bool,
    /// Whether the cache can keep what is in it for an hour.
    pub(super) hour: bool,
}

struct Writer<'w, 'r> {
    notes: Notes<'w, 'r>,
    maker: Maker,
    caching: Caching,
    media: media::Writer,
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
) -> Result<Conversation<Block<'r>>, TranslateError> {
    let thinks = maker == Maker::Claude && target.facts.thinking != ThinkingForm::None;
    let writer = Writer { notes: Notes { request, dropped }, maker, caching, media: media::Writer::new(maker) };
    let mut conversation = conversation::write(request, writer, thinks, names, ids)?;
    let turns = &mut conversation.turns;
    if turns.first().is_some_and(Turn::is_models) {
        // "A conversation must start with a user message", says Bedrock.
        turns.insert(0, Turn::of_user(vec![Block::Text(Cow::Borrowed("(start)"))]));
    }
    for turn in turns.iter_mut() {
        give_words(turn);
    }
    turns::trim_last(turns);
    Ok(conversation)
}

impl<'r> Writer<'_, 'r> {
    fn cache_point(&mut self, cache: Option<&'r CacheControl>) -> Option<Block<'r>> {
        let cache = cache?;
        if !self.caching.on {
            self.notes.field(Field::Cache);
            return None;
        }
        Some(Block::CachePoint(CachePoint::of(cache, self.caching.hour)))
    }
}

impl<'w, 'r> Api<'w, 'r> for Writer<'w, 'r> {
    type Block = Block<'r>;

    fn notes(&mut self) -> &mut Notes<'w, 'r> {
        &mut self.notes
    }

    fn text(&mut self, text: &'r str, cache: Option<&'r CacheControl>, blocks: &mut Vec<Block<'r>>) {
        let block = text_block(text);
        // A breakpoint needs something before it.
        let point = self.cache_point(cache).filter(|_| block.is_some());
        blocks.extend(block);
        blocks.extend(point);
    }

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
                    self.notes.field(Field::Detail);
                }
                blocks.push(self.media.block(media, path)?);
                media.cache.as_ref()
            }
            other => {
                blocks.extend(builtin::in_words(other).map(|words| Block::Text(Cow::Owned(words))));
                None
            }
        };
        if blocks.len() > before {
            blocks.extend(self.cache_point(cache));
        }
        Ok(())
    }

    fn thought(text: &'r str, signature: &'r Signature) -> Block<'r> {
        Block::ReasoningContent(Thought::ReasoningText { text, signature: &signature.data })
    }

    fn redacted(signature: &'r Signature) -> Option<Block<'r>> {
        is_base64(&signature.data).then(|| Block::ReasoningContent(Thought::RedactedContent(&signature.data)))
    }

    fn next_id(id: &str, _times: usize, message: &Message) -> String {
        format!("{id}#{}", message.origin)
    }

    fn call(&mut self, id: String, name: String, call: &'r ToolCall, blocks: &mut Vec<Block<'r>>) {
        blocks.push(Block::ToolUse { tool_use_id: id, name, input: Input::of(call) });
        blocks.extend(self.cache_point(call.cache.as_ref()));
    }

    fn result(
        &mut self,
        id: String,
        result: &'r ToolResult,
        path: &dyn Fn() -> String,
    ) -> Result<(Block<'r>, Option<Block<'r>>), TranslateError> {
        let mut content = Vec::with_capacity(result.content.len());
        for part in &result.content {
            self.content(part, path, &mut content)?;
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
        // Other makers' models do not take a status.
        let says = self.maker == Maker::Claude || self.maker.is_nova();
        let status = (says && result.is_error == Some(true)).then_some("error");
        Ok((Block::ToolResult { tool_use_id: id, content, status }, point))
    }
}

impl<'r> turns::Block<'r> for Block<'r> {
    fn is_thought(&self) -> bool {
        matches!(self, Self::ReasoningContent(_))
    }

    fn is_result(&self) -> bool {
        matches!(self, Self::ToolResult { .. })
    }

    fn text_mut(&mut self) -> Option<&mut Cow<'r, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
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
fn give_words(turn: &mut Turn<Block<'_>>) {
    let has = |wanted: fn(&Block<'_>) -> bool| turn.content.iter().any(wanted);
    if has(|block| matches!(block, Block::Document(_))) && !has(|block| matches!(block, Block::Text(_))) {
        turn.content.push(Block::Text(Cow::Borrowed("(document)")));
    }
}
