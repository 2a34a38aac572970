//! Writes a request for a provider (`docs/TRANSLATION.md` section 2).
//!
//! - [`messages`]: the conversation, and [`media`] in it.
//! - [`tools`]: tools, whether they must be called, and the shape of the answer.
//! - [`wire`]: the request as it is written.

use std::borrow::Cow;

use bytes::Bytes;

use super::blocks::{Block, Cache, ResultContent};
use super::request::DOCUMENT_CITATIONS;
use crate::back::Back;
use crate::format::Format;
use crate::ir::{Dropped, Field, Request, ServiceTier, TranslateError};
use crate::names::{ANTHROPIC_IDS, ANTHROPIC_NAMES};
use crate::protocol::claude::Room;
use crate::protocol::claude::limits::{self, Sampled};
use crate::protocol::claude::thinking::{self, Differences, Situation};
use crate::protocol::claude::turns::{self, Turn};
use crate::protocol::contract::{Encoded, Target};

mod media;
mod messages;
mod tools;
mod wire;

use wire::{Body, Extra, Metadata, OutputConfig, System, Tool};

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    limits::refuse(request)?;
    let facts = target.facts;
    let (mut dropped, mut back) = (Dropped::default(), Back::default());
    let (mut names, mut ids) = limits::mappings(request, ANTHROPIC_NAMES, ANTHROPIC_IDS);
    let extra = extensions(request, &mut dropped)?;
    let tooling = tools::Writer {
        request,
        facts,
        room: Room::default(),
        names: &mut names,
        back: &mut back,
        dropped: &mut dropped,
    }
    .write()?;
    let mut conversation = messages::write(request, target, extra.citations, &mut names, &mut ids, &mut dropped)?;
    let turns = &mut conversation.turns;
    turns::trim_last(turns);

    let prefilled = turns::prefilled(request, facts, turns)?;
    let most = facts.max_output.unwrap_or(USUAL_OUTPUT);
    let asked = limits::asked_limit(request, facts)?;
    let mut max_tokens = asked.unwrap_or_else(|| limits::unasked_limit(most, target.stream));
    let situation =
        Situation { forced: tooling.forces(), prefilled, thoughtless_loop: turns::is_thoughtless_loop(turns) };
    let thought = thinking::plan(request, facts, THINKING, situation, Some(&mut max_tokens), &mut dropped);
    let sampled = Sampled::of(request, facts, thought.on);
    sampled.note(request, &mut dropped);
    if tooling.any_object
        && facts.prefill
        && !thought.on
        && tooling.tools.is_empty()
        && turns.last().is_some_and(Turn::is_users)
    {
        let content = vec![Block::Text { text: Cow::Borrowed("{"), citations: Vec::new(), cache_control: None }];
        turns.push(Turn::of_model(content));
        back.prefill = Some("{".to_owned());
    }
    limits::note_unsupported(request, &mut dropped);

    let mut body = Body {
        model: target.model,
        max_tokens,
        system: None,
        messages: conversation.turns,
        tools: tooling.tools,
        tool_choice: tooling.choice,
        thinking: thought.thinking,
        output_config: OutputConfig {
            effort: thought.effort.map(crate::ir::Effort::word),
            format: tooling.format,
            extra: Extra(extra.output_config),
        },
        temperature: sampled.temperature,
        top_p: sampled.top_p,
        top_k: sampled.top_k,
        stop_sequences: limits::stops(request, true, &mut dropped),
        metadata: user(request, &mut dropped).map(|user_id| Metadata { user_id }),
        service_tier: service_tier(request, &mut dropped),
        cache_control: Cache::of(request.cache.as_ref()),
        stream: target.stream,
        extra: Extra(extra.top),
    };
    let mut system = conversation.system;
    system.extend(tooling.lines.into_iter().map(|text| Block::Text {
        text,
        citations: Vec::new(),
        cache_control: None,
    }));
    keep_last_breakpoints(&mut body, &mut system, request, &mut dropped);
    body.system = joined(system);
    // Texts and numbers always serialise.
    let body = Bytes::from(serde_json::to_vec(&body).unwrap_or_default());
    back.tool_names = names.changed();
    Ok(Encoded { body, dropped, back })
}

/// Fields that only some families have.
#[derive(Default)]
struct Extensions<'r> {
    top: Vec<(&'r str, &'r crate::json::Json)>,
    output_config: Vec<(&'r str, &'r crate::json::Json)>,
    citations: bool,
}

/// Sorts the fields without a neutral form. Those of Anthropic's own clients pass. Others are named, or refused where
/// the answer would be another one without them.
fn extensions<'r>(request: &'r Request, dropped: &mut Dropped) -> Result<Extensions<'r>, TranslateError> {
    let mut found = Extensions::default();
    let own = request.origin == Format::AnthropicMessages;
    for (name, value) in &request.extensions {
        match name.as_str() {
            DOCUMENT_CITATIONS if own => found.citations = true,
            name if own => match name.split_once('.') {
                None => found.top.push((name, value)),
                Some(("output_config", name)) => found.output_config.push((name, value)),
                Some(_) => dropped.named(name.to_owned()),
            },
            // `user` reads these.
            "metadata.user_id" | "safety_identifier" => {}
            "metadata" => {
                if let Ok(serde_json::Value::Object(fields)) = value.read()
                    && fields.keys().any(|field| field != "user_id")
                {
                    dropped.named("metadata");
                }
            }
            name => {
                limits::refuse_decisive(request, name)?;
                dropped.named(name.to_owned());
            }
        }
    }
    Ok(found)
}

/// The longest answer of a model of which no limit is known, in tokens.
const USUAL_OUTPUT: u64 = 16_384;
/// How Anthropic's own API is asked for thoughts.
const THINKING: Differences =
    Differences { switches_unknown_off: true, caps_between_tools: true, hides_unasked: true, keeps_answer: true };

/// The longest name of a user, in characters.
const LONGEST_USER: usize = 256;

/// Who the user is. Anthropic forbids names that identify a person.
fn user<'r>(request: &'r Request, dropped: &mut Dropped) -> Option<Cow<'r, str>> {
    let extension = |wanted: &str| request.extensions.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let text = |value: &crate::json::Json| value.read::<String>().ok().map(Cow::Owned);
    let own = request.origin == Format::AnthropicMessages;
    let in_metadata = || {
        let metadata = extension("metadata").filter(|_| !own)?.read::<serde_json::Value>().ok()?;
        Some(Cow::Owned(metadata["user_id"].as_str()?.to_owned()))
    };
    let filled = |user: &Cow<'_, str>| !user.is_empty();
    let user = extension("metadata.user_id").and_then(text).or_else(in_metadata).filter(filled);
    let user = user.or_else(|| request.user.as_deref().map(Cow::Borrowed).filter(filled));
    let user = user.or_else(|| extension("safety_identifier").and_then(text).filter(filled))?;
    if is_personal(&user) && !own {
        dropped.field(request, Field::User);
        return None;
    }
    let cut = user.char_indices().nth(LONGEST_USER).map_or(user.len(), |(at, _)| at);
    Some(match user {
        Cow::Borrowed(user) => Cow::Borrowed(&user[..cut]),
        Cow::Owned(mut user) => {
            user.truncate(cut);
            Cow::Owned(user)
        }
    })
}

/// Whether `user` is an e-mail address or a telephone number.
fn is_personal(user: &str) -> bool {
    let mail = user.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
    let digits = user.bytes().filter(u8::is_ascii_digit).count();
    let dialled =
        user.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b' ' | b'(' | b')' | b'.'));
    let written = user.starts_with('+') || user.bytes().any(|byte| matches!(byte, b' ' | b'(' | b'-'));
    mail || (dialled && written && (7..=15).contains(&digits))
}

fn service_tier(request: &Request, dropped: &mut Dropped) -> Option<&'static str> {
    match request.service_tier.as_ref()? {
        ServiceTier::Auto => (request.origin == Format::AnthropicMessages).then_some("auto"),
        ServiceTier::Standard => Some("standard_only"),
        ServiceTier::Priority => Some("auto"),
        ServiceTier::Other(word) if word == "fast" => Some("auto"),
        ServiceTier::Flex | ServiceTier::Other(_) => {
            dropped.field(request, Field::ServiceTier);
            None
        }
    }
}

/// The system message: one text where no block has a breakpoint of its own.
fn joined(blocks: Vec<Block<'_>>) -> Option<System<'_>> {
    let marked = |block: &Block<'_>| matches!(block, Block::Text { cache_control: Some(_), .. });
    if blocks.is_empty() {
        None
    } else if blocks.iter().any(marked) {
        Some(System::Blocks(blocks))
    } else {
        let texts: Vec<_> = blocks
            .into_iter()
            .filter_map(|block| match block {
                Block::Text { text, .. } => Some(text),
                _ => None,
            })
            .collect();
        Some(System::Text(texts.join("\n\n")))
    }
}

/// Keeps the last breakpoints, which are of the newest content (`docs/TRANSLATION.md` section 2.6).
fn keep_last_breakpoints<'r>(body: &mut Body<'r>, system: &mut [Block<'r>], request: &Request, dropped: &mut Dropped) {
    let mut marks: Vec<&mut Option<Cache<'r>>> = Vec::new();
    for tool in &mut body.tools {
        if let Tool::Custom { cache_control, .. } = tool {
            marks.push(cache_control);
        }
    }
    let contents = body.messages.iter_mut().flat_map(|turn| &mut turn.content);
    for block in system.iter_mut().chain(contents) {
        mark(block, &mut marks);
    }
    marks.push(&mut body.cache_control);
    marks.retain(|mark| mark.is_some());
    let excess = limits::excess_breakpoints(marks.len(), request, dropped);
    for mark in marks.into_iter().take(excess) {
        *mark = None;
    }
}

fn mark<'b, 'r>(block: &'b mut Block<'r>, marks: &mut Vec<&'b mut Option<Cache<'r>>>) {
    match block {
        Block::Text { cache_control, .. }
        | Block::Image { cache_control, .. }
        | Block::Document { cache_control, .. }
        | Block::ToolUse { cache_control, .. } => marks.push(cache_control),
        Block::ToolResult { content, cache_control, .. } => {
            if let Some(ResultContent::Blocks(blocks)) = content {
                for block in blocks {
                    mark(block, marks);
                }
            }
            marks.push(cache_control);
        }
        Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::Opaque(_) => {}
    }
}
