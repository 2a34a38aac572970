//! Writes a request for a provider (`docs/TRANSLATION.md` section 2).
//!
//! - [`messages`]: the conversation, and [`media`] in it.
//! - [`tools`]: tools, whether they must be called, and the shape of the answer.
//! - [`thinking`]: how much to think.
//! - [`wire`]: the request as it is written.

use std::borrow::Cow;

use bytes::Bytes;

use super::Room;
use super::blocks::{Block, Cache, ResultContent};
use super::request::DOCUMENT_CITATIONS;
use crate::back::Back;
use crate::facts::{ModelFacts, Sampling};
use crate::format::Format;
use crate::ir::{Dropped, Field, Part, Request, ServiceTier, TranslateError};
use crate::names::{ANTHROPIC_IDS, ANTHROPIC_NAMES, Mapping};
use crate::protocol::contract::{Encoded, Target};

mod media;
mod messages;
mod thinking;
mod tools;
mod wire;

use wire::{Body, Extra, Metadata, OutputConfig, System, Tool, Turn};

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    refuse(request)?;
    let facts = target.facts;
    let (mut dropped, mut back) = (Dropped::default(), Back::default());
    let (mut names, mut ids) = mappings(request);
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
    messages::trim_last(turns);

    let prefilled = prefilled(request, facts, turns)?;
    let most = facts.max_output.unwrap_or(u64::MAX);
    let mut max_tokens = max_tokens(request, target)?;
    let situation =
        thinking::Situation { forced: tooling.forces(), prefilled, thoughtless_loop: is_thoughtless_loop(turns) };
    let thought = thinking::plan(request, facts, situation, &mut max_tokens, most, &mut dropped);
    let sampled = sampling(request, facts, thought.on, &mut dropped);
    if tooling.any_object && facts.prefill && !thought.on && tooling.tools.is_empty() && is_users(turns) {
        let content = vec![Block::Text { text: Cow::Borrowed("{"), citations: Vec::new(), cache_control: None }];
        turns.push(Turn { role: "assistant", content });
        back.prefill = Some("{".to_owned());
    }
    unsupported(request, &mut dropped);

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
        stop_sequences: stops(request, &mut dropped),
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

/// Refuses what would mean something else without.
fn refuse(request: &Request) -> Result<(), TranslateError> {
    let no = |field: Field, words: &str| Err(TranslateError::unsupported(field.name(request.origin), words));
    if request.candidates.is_some_and(|candidates| candidates != 1) {
        return no(Field::Candidates, "This model gives one answer at a time.");
    }
    if request.modalities.iter().any(|modality| modality != "text") {
        return no(Field::Modalities, "This model answers in text only.");
    }
    Ok(())
}

/// The names of tools and the ids of calls. Those that fit keep theirs.
fn mappings(request: &Request) -> (Mapping, Mapping) {
    let (mut names, mut ids) = (Mapping::new(ANTHROPIC_NAMES), Mapping::new(ANTHROPIC_IDS));
    names.reserve(request.tools.iter().map(|tool| &*tool.name));
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        if let Part::ToolCall(call) = part {
            names.reserve([&*call.name]);
            ids.reserve([&*call.id]);
        }
    }
    (names, ids)
}

/// Fields that only some families have.
#[derive(Default)]
struct Extensions<'r> {
    top: Vec<(&'r str, &'r crate::json::Json)>,
    output_config: Vec<(&'r str, &'r crate::json::Json)>,
    citations: bool,
}

/// Fields without a neutral form: those of Anthropic's own pass, the others are named, or refused where the answer
/// would be another without them.
fn extensions<'r>(request: &'r Request, dropped: &mut Dropped) -> Result<Extensions<'r>, TranslateError> {
    let mut found = Extensions::default();
    for (name, value) in &request.extensions {
        match (request.origin, name.as_str()) {
            (Format::AnthropicMessages, DOCUMENT_CITATIONS) => found.citations = true,
            (Format::AnthropicMessages, name) => match name.split_once('.') {
                None => found.top.push((name, value)),
                Some(("output_config", name)) => found.output_config.push((name, value)),
                Some(_) => dropped.named(name.to_owned()),
            },
            (Format::OpenAiChat, "web_search_options" | "audio") => {
                let words = format!("This model's provider has nothing like `{name}`.");
                return Err(TranslateError::new(crate::ir::ErrorCode::UnsupportedParameter, name.as_str(), words));
            }
            // Read by `user`.
            (_, "metadata.user_id" | "safety_identifier") => {}
            (_, "metadata") => {
                if let Ok(serde_json::Value::Object(fields)) = value.read()
                    && fields.keys().any(|field| field != "user_id")
                {
                    dropped.named("metadata");
                }
            }
            (_, name) => dropped.named(name.to_owned()),
        }
    }
    Ok(found)
}

/// Longest answer of a model of which no limit is known.
const USUAL_OUTPUT: u64 = 16_384;
/// Longest answer that fits in the ten minutes that Anthropic gives an answer in one piece.
const LONGEST_UNSTREAMED: u64 = 21_333;

fn max_tokens(request: &Request, target: &Target<'_>) -> Result<u64, TranslateError> {
    match request.max_output_tokens {
        Some(0) => {
            Err(TranslateError::invalid(Field::MaxOutputTokens.name(request.origin), "It has to be at least 1."))
        }
        Some(tokens) => Ok(tokens.min(target.facts.max_output.unwrap_or(u64::MAX))),
        None => {
            let most = target.facts.max_output.unwrap_or(USUAL_OUTPUT);
            Ok(if target.stream { most } else { most.min(LONGEST_UNSTREAMED) })
        }
    }
}

/// Whether the last turn is words of the model's, to be continued.
fn prefilled(request: &Request, facts: &ModelFacts, turns: &[Turn<'_>]) -> Result<bool, TranslateError> {
    let Some(last) = turns.last().filter(|turn| turn.role == "assistant") else { return Ok(false) };
    // A step at the provider that was paused is continued by giving it back.
    if matches!(last.content.last(), Some(Block::Opaque(_))) {
        return Ok(false);
    }
    if facts.prefill {
        return Ok(true);
    }
    let words = "This model does not continue a message of its own: the last message has to be the user's.";
    Err(TranslateError::unsupported(Field::Messages.name(request.origin), words))
}

fn is_users(turns: &[Turn<'_>]) -> bool {
    turns.last().is_some_and(|turn| turn.role == "user")
}

/// Whether results are given to calls of a turn in which, since the user last spoke, the model did not think: its
/// thoughts were lost on the way.
fn is_thoughtless_loop(turns: &[Turn<'_>]) -> bool {
    let gives_results = |turn: &Turn<'_>| turn.content.iter().any(|block| matches!(block, Block::ToolResult { .. }));
    if !turns.last().is_some_and(gives_results) {
        return false;
    }
    let in_loop = turns.iter().rev().take_while(|turn| turn.role == "assistant" || gives_results(turn));
    let thoughts = |block: &Block<'_>| matches!(block, Block::Thinking { .. } | Block::RedactedThinking { .. });
    !in_loop.flat_map(|turn| &turn.content).any(thoughts)
}

struct Sampled {
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<u64>,
}

/// What of sampling the model takes (`docs/TRANSLATION.md` section 13, point 14). Nothing is ever added.
fn sampling(request: &Request, facts: &ModelFacts, thinks: bool, dropped: &mut Dropped) -> Sampled {
    let none = facts.sampling == Sampling::None;
    let temperature = request.temperature.map(|wanted| wanted.clamp(0.0, 1.0));
    let temperature = temperature.filter(|wanted| !none && (!thinks || *wanted >= 1.0));
    let both = facts.sampling == Sampling::OneOf && temperature.is_some();
    let top_p = request.top_p.filter(|wanted| !none && !both && (!thinks || *wanted >= 0.95));
    let top_k = request.top_k.filter(|wanted| !none && !thinks && *wanted > 0);
    let mut drop_unless = |wanted: bool, kept: bool, field| {
        if wanted && !kept {
            dropped.field(request, field);
        }
    };
    drop_unless(request.temperature.is_some(), temperature.is_some(), Field::Temperature);
    drop_unless(request.top_p.is_some(), top_p.is_some(), Field::TopP);
    drop_unless(request.top_k.is_some(), top_k.is_some(), Field::TopK);
    Sampled { temperature, top_p, top_k }
}

/// Names what there is nothing like.
fn unsupported(request: &Request, dropped: &mut Dropped) {
    let fields = [
        (request.seed.is_some(), Field::Seed),
        (request.presence_penalty.is_some_and(|penalty| penalty != 0.0), Field::PresencePenalty),
        (request.frequency_penalty.is_some_and(|penalty| penalty != 0.0), Field::FrequencyPenalty),
        (request.logprobs == Some(true), Field::Logprobs),
        (request.top_logprobs.is_some_and(|top| top > 0), Field::TopLogprobs),
        (request.verbosity.is_some(), Field::Verbosity),
    ];
    for (_, field) in fields.into_iter().filter(|(wanted, _)| *wanted) {
        dropped.field(request, field);
    }
}

/// Anthropic answers 400 to a stop text of nothing but white space (`docs/TRANSLATION.md` section 13, point 16).
fn stops<'r>(request: &'r Request, dropped: &mut Dropped) -> Vec<&'r str> {
    let kept: Vec<_> = request.stop.iter().map(String::as_str).filter(|stop| !stop.trim().is_empty()).collect();
    if kept.len() < request.stop.len() {
        dropped.field(request, Field::Stop);
    }
    kept
}

/// Longest name of a user.
const LONGEST_USER: usize = 256;

/// Who the user is. Anthropic forbids what identifies a person.
fn user<'r>(request: &'r Request, dropped: &mut Dropped) -> Option<Cow<'r, str>> {
    let extension = |wanted: &str| request.extensions.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let text = |value: &crate::json::Json| value.read::<String>().ok().map(Cow::Owned);
    let in_metadata = || match request.origin {
        Format::AnthropicMessages => None,
        _ => Some(Cow::Owned(extension("metadata")?.read::<serde_json::Value>().ok()?["user_id"].as_str()?.to_owned())),
    };
    let filled = |user: &Cow<'_, str>| !user.is_empty();
    let user = extension("metadata.user_id").and_then(text).or_else(in_metadata).filter(filled);
    let user = user.or_else(|| request.user.as_deref().map(Cow::Borrowed).filter(filled));
    let user = user.or_else(|| extension("safety_identifier").and_then(text).filter(filled))?;
    if is_personal(&user) && request.origin != Format::AnthropicMessages {
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

/// An e-mail address or a telephone number.
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

/// One text where no block has a breakpoint of its own.
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

/// Most breakpoints that a request may have.
const MOST_BREAKPOINTS: usize = 4;

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
    let excess = marks.len().saturating_sub(MOST_BREAKPOINTS);
    if excess > 0 {
        dropped.field(request, Field::Cache);
    }
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
