//! Writes a request for a provider (Bedrock API Reference, "Converse"; `docs/TRANSLATION.md` section 2).
//!
//! - [`messages`]: the conversation, and [`media`] in it.
//! - [`tools`]: tools, whether they must be called, and the shape of the answer, with its [`schema`].
//! - [`thinking`]: how much to think.
//! - [`wire`]: the request as it is written.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::maker::Maker;
use crate::back::Back;
use crate::facts::{ModelFacts, Sampling, ThinkingForm};
use crate::format::Format;
use crate::ir::{Dropped, ErrorCode, Field, Part, Request, ServiceTier, TranslateError};
use crate::json::Json;
use crate::names::{Mapping, Rule};
use crate::protocol::anthropic_messages::Room;
use crate::protocol::contract::{Encoded, Target};

mod media;
mod messages;
mod schema;
mod thinking;
mod tools;
mod wire;

use messages::Caching;
use wire::{Block, Body, CachePoint, Inference, Paths, Tier, Tool, ToolConfig, Turn};

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Names of tools, and ids of calls: of those that Bedrock takes the ones that Claude takes too.
const NAMES: Rule = Rule { longest: 64, allows: |byte, _| is_word(byte), exact: None, marked: false };

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    refuse(request)?;
    let facts = target.facts;
    let maker = Maker::of(target.model, facts);
    let caching = caching(maker, target);
    let (mut dropped, mut back) = (Dropped::default(), Back::default());
    let (mut names, mut ids) = mappings(request, maker);
    let passed = Passed::of(request, &mut dropped)?;
    let tooling = tools::Writer {
        request,
        model: target.model,
        maker,
        room: Room::default(),
        facts,
        caching,
        names: &mut names,
        back: &mut back,
        dropped: &mut dropped,
    };
    let mut tooling = tooling.write()?;
    let conversation = messages::write(request, target, maker, caching, &mut names, &mut ids, &mut dropped)?;
    let (mut system, mut turns) = (conversation.system, conversation.turns);
    system.extend(std::mem::take(&mut tooling.lines).into_iter().map(Block::Text));

    let prefilled = prefilled(request, facts, &turns)?;
    let mut max_tokens = max_tokens(request, maker, target)?;
    let limited = request.max_output_tokens.is_some() || request.temperature.is_some() || request.top_p.is_some();
    let situation = thinking::Situation {
        forced: tooling.forces(),
        prefilled,
        thoughtless_loop: conversation.has_calls && is_thoughtless_loop(&turns),
        limited,
    };
    let thought = thinking::plan(request, maker, facts, situation, &mut max_tokens, &mut dropped);
    let mut fields = passed.fields;
    thought.write(maker, &mut fields);
    if let Some(choice) = tooling.tool_choice.take() {
        fields.insert("tool_choice".to_owned(), choice);
    }
    let sampled = sampling(request, maker, facts, thought.on, &mut fields, &mut dropped);
    unsupported(request, &mut dropped);

    let stop_sequences = stops(request, target.model, &mut dropped);
    let whole = request.cache.as_ref().filter(|_| caching.on);
    if let (Some(cache), Some(turn)) = (whole, turns.last_mut()) {
        turn.content.push(Block::CachePoint(CachePoint::of(cache, caching.hour)));
    } else if request.cache.is_some() {
        dropped.field(request, Field::Cache);
    }
    // Asked for only where there can be one: other makers' models have other fields.
    let ours = (maker == Maker::Claude && !stop_sequences.is_empty()).then_some(Paths::Ours([if target.stream {
        "/delta/stop_sequence"
    } else {
        "/stop_sequence"
    }]));
    let output_config = tooling.output.take();
    let mut body = Body {
        messages: turns,
        system,
        inference_config: Inference { max_tokens, stop_sequences, ..sampled },
        tool_config: tooling.config(),
        additional_model_request_fields: fields,
        additional_model_response_field_paths: passed.response_paths.map(Paths::Clients).or(ours),
        output_config,
        service_tier: service_tier(request, maker, &mut dropped),
        guardrail_config: passed.guardrail,
        performance_config: passed.performance,
        request_metadata: passed.metadata,
    };
    keep_last_points(&mut body, request, &mut dropped);
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
fn mappings(request: &Request, maker: Maker) -> (Mapping, Mapping) {
    // Mistral's models take ids of nine letters and digits, here as at Mistral itself.
    let exact = (maker == Maker::Mistral).then_some(9);
    let (mut names, mut ids) = (Mapping::new(NAMES), Mapping::new(Rule { exact, marked: true, ..NAMES }));
    names.reserve(request.tools.iter().map(|tool| &*tool.name));
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        if let Part::ToolCall(call) = part {
            names.reserve([&*call.name]);
            ids.reserve([&*call.id]);
        }
    }
    (names, ids)
}

/// Claude has a prompt cache since 3.5, with a choice of how long since 4.5; Nova has one (Amazon Bedrock User Guide,
/// "Prompt caching").
fn caching(maker: Maker, target: &Target<'_>) -> Caching {
    match maker {
        Maker::Claude => Caching {
            on: target.facts.thinking != ThinkingForm::None || target.model.contains("claude-3-5"),
            hour: maker.is_claude_since_4_5(target.model, target.facts),
        },
        maker => Caching { on: maker.is_nova(), hour: false },
    }
}

/// Fields of the Converse API itself, which a client gives beside those of its own.
#[derive(Default)]
struct Passed<'r> {
    fields: Map<String, Value>,
    response_paths: Option<&'r Json>,
    guardrail: Option<&'r Json>,
    performance: Option<&'r Json>,
    metadata: Option<&'r Json>,
}

impl<'r> Passed<'r> {
    fn of(request: &'r Request, dropped: &mut Dropped) -> Result<Self, TranslateError> {
        let mut passed = Self::default();
        for (name, value) in &request.extensions {
            match (request.origin, name.as_str()) {
                (_, "additionalModelRequestFields") => {
                    let fields = value.read();
                    passed.fields = fields.map_err(|_| TranslateError::invalid(name, "It has to be an object."))?;
                }
                (_, "additionalModelResponseFieldPaths") => passed.response_paths = Some(value),
                (_, "guardrailConfig") => passed.guardrail = Some(value),
                (_, "performanceConfig") => passed.performance = Some(value),
                (_, "requestMetadata") => passed.metadata = Some(value),
                (Format::OpenAiChat, "web_search_options" | "audio") => {
                    let words = format!("This model's provider has nothing like `{name}`.");
                    return Err(TranslateError::new(ErrorCode::UnsupportedParameter, name.as_str(), words));
                }
                (_, name) => dropped.named(name.to_owned()),
            }
        }
        Ok(passed)
    }
}

/// Longest answer in one piece of a model that is asked for no limit: what fits in the ten minutes that clients wait.
const LONGEST_UNSTREAMED: u64 = 21_333;

/// The limit of the answer. Bedrock sets its own where there is none; that of older Claude models cuts answers short.
fn max_tokens(request: &Request, maker: Maker, target: &Target<'_>) -> Result<Option<u64>, TranslateError> {
    let most = target.facts.max_output;
    match request.max_output_tokens {
        Some(0) => {
            Err(TranslateError::invalid(Field::MaxOutputTokens.name(request.origin), "It has to be at least 1."))
        }
        Some(tokens) => Ok(Some(tokens.min(most.unwrap_or(u64::MAX)))),
        None if maker == Maker::Claude => {
            Ok(most.map(|most| if target.stream { most } else { most.min(LONGEST_UNSTREAMED) }))
        }
        None => Ok(None),
    }
}

/// Whether the last turn is the model's, to be continued.
fn prefilled(request: &Request, facts: &ModelFacts, turns: &[Turn<'_>]) -> Result<bool, TranslateError> {
    if turns.last().is_none_or(|turn| turn.role != "assistant") {
        return Ok(false);
    }
    if facts.prefill {
        return Ok(true);
    }
    let words = "This model does not continue a message of its own: the last message has to be the user's.";
    Err(TranslateError::unsupported(Field::Messages.name(request.origin), words))
}

/// Whether results are given to calls of a turn in which, since the user last spoke, the model did not think: its
/// thoughts were lost on the way.
fn is_thoughtless_loop(turns: &[Turn<'_>]) -> bool {
    let gives_results = |turn: &Turn<'_>| turn.content.iter().any(|block| matches!(block, Block::ToolResult { .. }));
    if !turns.last().is_some_and(gives_results) {
        return false;
    }
    let mut in_loop = turns.iter().rev().take_while(|turn| turn.role == "assistant" || gives_results(turn));
    let thoughts = |block: &Block<'_>| matches!(block, Block::ReasoningContent(_));
    !in_loop.any(|turn| turn.content.iter().any(thoughts))
}

/// What of sampling the model takes (`docs/TRANSLATION.md` section 13, point 14). Nothing is ever added.
fn sampling<'r>(
    request: &Request,
    maker: Maker,
    facts: &ModelFacts,
    thinks: bool,
    fields: &mut Map<String, Value>,
    dropped: &mut Dropped,
) -> Inference<'r> {
    let none = facts.sampling == Sampling::None;
    let temperature = request.temperature.map(|wanted| wanted.clamp(0.0, 1.0));
    let temperature = temperature.filter(|wanted| !none && (!thinks || *wanted >= 1.0));
    let both = facts.sampling == Sampling::OneOf && temperature.is_some();
    let top_p = request.top_p.filter(|wanted| !none && !both && (!thinks || *wanted >= 0.95));
    let top_k = request.top_k.filter(|wanted| !none && !thinks && *wanted > 0);
    // The Converse API has no field for it, and each maker's is called otherwise.
    let top_k = top_k.and_then(|top_k| match maker {
        Maker::Claude | Maker::Mistral => Some(("top_k", json!(top_k))),
        Maker::Nova | Maker::Nova2 => Some(("inferenceConfig", json!({ "topK": top_k }))),
        Maker::Cohere => Some(("k", json!(top_k))),
        Maker::OpenAi | Maker::Other => None,
    });
    let mut drop_unless = |wanted: bool, kept: bool, field| {
        if wanted && !kept {
            dropped.field(request, field);
        }
    };
    drop_unless(request.temperature.is_some(), temperature.is_some(), Field::Temperature);
    drop_unless(request.top_p.is_some(), top_p.is_some(), Field::TopP);
    drop_unless(request.top_k.is_some(), top_k.is_some(), Field::TopK);
    if let Some((name, value)) = top_k {
        fields.insert(name.to_owned(), value);
    }
    Inference { temperature, top_p, ..Inference::default() }
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
        (request.user.is_some(), Field::User),
    ];
    for (_, field) in fields.into_iter().filter(|(wanted, _)| *wanted) {
        dropped.field(request, field);
    }
}

/// Models that answer 400 to any stop text: "This model doesn't support the stopSequences field".
const WITHOUT_STOPS: [&str; 3] = ["openai.gpt-oss", "qwen.", "deepseek.v3"];

/// Claude answers 400 to a stop text of nothing but white space (`docs/TRANSLATION.md` section 13, point 16).
fn stops<'r>(request: &'r Request, model: &str, dropped: &mut Dropped) -> Vec<&'r str> {
    let takes = !WITHOUT_STOPS.iter().any(|without| model.contains(without));
    let kept = request.stop.iter().map(String::as_str).filter(|stop| takes && !stop.trim().is_empty());
    let kept: Vec<_> = kept.collect();
    if kept.len() < request.stop.len() {
        dropped.field(request, Field::Stop);
    }
    kept
}

/// Tiers are for models other than Claude (Amazon Bedrock User Guide, "Service tiers").
fn service_tier<'r>(request: &'r Request, maker: Maker, dropped: &mut Dropped) -> Option<Tier<'r>> {
    let wanted = match request.service_tier.as_ref()? {
        ServiceTier::Auto | ServiceTier::Standard => return None,
        ServiceTier::Priority => "priority",
        ServiceTier::Flex => "flex",
        ServiceTier::Other(word) => word,
    };
    if maker == Maker::Claude || !matches!(wanted, "priority" | "flex" | "reserved") {
        dropped.field(request, Field::ServiceTier);
        return None;
    }
    Some(Tier { r#type: wanted })
}

/// Most cache points that a request may have.
const MOST_POINTS: usize = 4;

/// Keeps the last cache points, which are of the newest content (`docs/TRANSLATION.md` section 2.6).
fn keep_last_points(body: &mut Body<'_>, request: &Request, dropped: &mut Dropped) {
    let is_point = |block: &Block<'_>| matches!(block, Block::CachePoint(_));
    let is_tool_point = |tool: &Tool<'_>| matches!(tool, Tool::CachePoint(_));
    let tools = body.tool_config.iter().flat_map(|config: &ToolConfig<'_>| &config.tools);
    let blocks = body.system.iter().chain(body.messages.iter().flat_map(|turn| &turn.content));
    let points = tools.filter(|tool| is_tool_point(tool)).count() + blocks.filter(|block| is_point(block)).count();
    let mut excess = points.saturating_sub(MOST_POINTS);
    if excess == 0 {
        return;
    }
    dropped.field(request, Field::Cache);
    let mut stays = |point: bool| {
        let goes = point && excess > 0;
        excess -= usize::from(goes);
        !goes
    };
    if let Some(config) = &mut body.tool_config {
        config.tools.retain(|tool| stays(is_tool_point(tool)));
    }
    body.system.retain(|block| stays(is_point(block)));
    for turn in &mut body.messages {
        turn.content.retain(|block| stays(is_point(block)));
    }
}
