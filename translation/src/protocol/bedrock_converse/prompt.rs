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
use crate::facts::{ModelFacts, ThinkingForm};
use crate::ir::{Dropped, Field, Request, ServiceTier, TranslateError};
use crate::json::Json;
use crate::names::Rule;
use crate::protocol::claude::limits::{self, Sampled};
use crate::protocol::claude::thinking::Situation;
use crate::protocol::claude::{Room, turns};
use crate::protocol::contract::{Encoded, Target};

mod media;
mod messages;
mod schema;
mod thinking;
mod tools;
mod wire;

use messages::Caching;
use wire::{Block, Body, CachePoint, Inference, Paths, Tier, Tool, ToolConfig};

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Names of tools and ids of calls that both Bedrock and Claude take.
const NAMES: Rule = Rule { longest: 64, allows: |byte, _| is_word(byte), exact: None, marked: false };

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    limits::refuse(request)?;
    let facts = target.facts;
    let maker = Maker::of(target.model, facts);
    let caching = caching(maker, target);
    let (mut dropped, mut back) = (Dropped::default(), Back::default());
    // Mistral's models take ids of nine letters and digits, here as at Mistral itself.
    let exact = (maker == Maker::Mistral).then_some(9);
    let (mut names, mut ids) = limits::mappings(request, NAMES, Rule { exact, marked: true, ..NAMES });
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

    let prefilled = turns::prefilled(request, facts, &turns)?;
    let mut max_tokens = max_tokens(request, maker, target)?;
    let limited = request.max_output_tokens.is_some() || request.temperature.is_some() || request.top_p.is_some();
    let situation =
        Situation { forced: tooling.forces(), prefilled, thoughtless_loop: turns::is_thoughtless_loop(&turns) };
    let thought = thinking::plan(request, maker, facts, situation, limited, &mut max_tokens, &mut dropped);
    let mut fields = passed.fields;
    thought.write(maker, &mut fields);
    if let Some(choice) = tooling.tool_choice.take() {
        fields.insert("tool_choice".to_owned(), choice);
    }
    let sampled = sampling(request, maker, facts, thought.said.on, &mut fields, &mut dropped);
    limits::note_unsupported(request, &mut dropped);
    if request.user.is_some() {
        dropped.field(request, Field::User);
    }

    let takes_stops = !WITHOUT_STOPS.iter().any(|without| target.model.contains(without));
    let stop_sequences = limits::stops(request, takes_stops, &mut dropped);
    let whole = request.cache.as_ref().filter(|_| caching.on);
    if let (Some(cache), Some(turn)) = (whole, turns.last_mut()) {
        turn.content.push(Block::CachePoint(CachePoint::of(cache, caching.hour)));
    } else if request.cache.is_some() {
        dropped.field(request, Field::Cache);
    }
    // The stop text is asked for only where the model may tell it. Other makers' models have other fields.
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

/// Where cache breakpoints go. Claude has a prompt cache since 3.5, with a choice of how long since 4.5, and Nova has
/// one (Amazon Bedrock User Guide, "Prompt caching").
fn caching(maker: Maker, target: &Target<'_>) -> Caching {
    match maker {
        Maker::Claude => Caching {
            on: target.facts.thinking != ThinkingForm::None || target.model.contains("claude-3-5"),
            hour: maker.is_claude_since_4_5(target.model, target.facts),
        },
        maker => Caching { on: maker.is_nova(), hour: false },
    }
}

/// Fields of the Converse API itself, which a client gives beside the fields of its own API.
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
            match name.as_str() {
                "additionalModelRequestFields" => {
                    let fields = value.read();
                    passed.fields = fields.map_err(|_| TranslateError::invalid(name, "It has to be an object."))?;
                }
                "additionalModelResponseFieldPaths" => passed.response_paths = Some(value),
                "guardrailConfig" => passed.guardrail = Some(value),
                "performanceConfig" => passed.performance = Some(value),
                "requestMetadata" => passed.metadata = Some(value),
                name => {
                    limits::refuse_decisive(request, name)?;
                    dropped.named(name.to_owned());
                }
            }
        }
        Ok(passed)
    }
}

/// The limit of the answer. Bedrock sets its own where there is none, and that of older Claude models cuts answers
/// short.
fn max_tokens(request: &Request, maker: Maker, target: &Target<'_>) -> Result<Option<u64>, TranslateError> {
    Ok(match limits::asked_limit(request, target.facts)? {
        None if maker == Maker::Claude => {
            target.facts.max_output.map(|most| limits::unasked_limit(most, target.stream))
        }
        asked => asked,
    })
}

/// The sampling parameters that the model takes. The Converse API has no field for the number of tokens to sample
/// among, so that goes into `fields`, under the name that the maker has for it.
fn sampling<'r>(
    request: &Request,
    maker: Maker,
    facts: &ModelFacts,
    thinks: bool,
    fields: &mut Map<String, Value>,
    dropped: &mut Dropped,
) -> Inference<'r> {
    let mut sampled = Sampled::of(request, facts, thinks);
    let top_k = sampled.top_k.and_then(|top_k| match maker {
        Maker::Claude | Maker::Mistral => Some(("top_k", json!(top_k))),
        Maker::Nova | Maker::Nova2 => Some(("inferenceConfig", json!({ "topK": top_k }))),
        Maker::Cohere => Some(("k", json!(top_k))),
        Maker::OpenAi | Maker::Other => None,
    });
    sampled.top_k = sampled.top_k.filter(|_| top_k.is_some());
    sampled.note(request, dropped);
    if let Some((name, value)) = top_k {
        fields.insert(name.to_owned(), value);
    }
    Inference { temperature: sampled.temperature, top_p: sampled.top_p, ..Inference::default() }
}

/// Models that answer 400 to any stop text: "This model doesn't support the stopSequences field".
const WITHOUT_STOPS: [&str; 3] = ["openai.gpt-oss", "qwen.", "deepseek.v3"];

/// The service tier. Tiers are for models other than Claude (Amazon Bedrock User Guide, "Service tiers").
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

/// Keeps the last cache points, which are of the newest content (`docs/TRANSLATION.md` section 2.6).
fn keep_last_points(body: &mut Body<'_>, request: &Request, dropped: &mut Dropped) {
    let is_point = |block: &Block<'_>| matches!(block, Block::CachePoint(_));
    let is_tool_point = |tool: &Tool<'_>| matches!(tool, Tool::CachePoint(_));
    let tools = body.tool_config.iter().flat_map(|config: &ToolConfig<'_>| &config.tools);
    let blocks = body.system.iter().chain(body.messages.iter().flat_map(|turn| &turn.content));
    let points = tools.filter(|tool| is_tool_point(tool)).count() + blocks.filter(|block| is_point(block)).count();
    let mut excess = limits::excess_breakpoints(points, request, dropped);
    if excess == 0 {
        return;
    }
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
