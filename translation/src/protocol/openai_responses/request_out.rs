//! Writes a request for a provider (API reference, "Create a model response").

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::given::{Given, WEB_SEARCH, choice, is_own, named, tools};
use super::history::{Content, Item, Writer};
use super::request_in::{ENCRYPTED, LOGPROBS};
use super::shape::{Shape, summary_word, tier_word};
use super::tools::WrittenChoice;
use crate::back::Back;
use crate::facts::{Sampling, ThinkingForm};
use crate::format::Family;
use crate::format::Format;
use crate::ir::{
    Dropped, Effort, Field, Message, Output, Part, Request, Role, ServiceTier, Thinking, ToolChoice, TranslateError,
};
use crate::names::{Mapping, OPENAI_NAMES};
use crate::protocol::contract::{Encoded, Target};
use crate::protocol::{openai_limits, state};

/// The least limit of the answer that the API takes, in tokens.
const LEAST_OUTPUT: u64 = 16;

/// Fields without a neutral form that chat completions and responses share.
const SHARED: [&str; 5] = ["metadata", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"];

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, TranslateError> {
    let mut dropped = Dropped::default();
    refuse(request)?;
    left_out(request, &mut dropped);
    let mut names = Mapping::new(OPENAI_NAMES);
    names.reserve(request.tools.iter().map(|tool| tool.name.as_str()));
    let tools = tools(request, &mut names, &mut dropped)?;
    let choice = choice(request)?;
    let (instructions, messages) = instructions(request, &mut dropped)?;
    let mut input = Writer::new(request, &mut names, &mut dropped).write(messages)?;
    if let Some(words) = shape_in_words(request) {
        let content = Content::Owned(words);
        input.insert(0, Item::Message { r#type: "message", role: "developer", content });
    }
    if input.is_empty() && state::field_of(request, Format::OpenAiResponses.facts()).is_none() {
        let param = Field::Messages.name(request.origin);
        return Err(TranslateError::invalid(param, "the conversation has no message"));
    }
    let body = Body { request, target, instructions, input, tools, choice };
    let settings = Settings::of(&body, &mut dropped);
    let body = serde_json::to_vec(&(Whole { body: &body, settings }))
        .map_err(|error| TranslateError::invalid("", format!("the request cannot be written: {error}")))?;
    let back = Back { tool_names: names.changed(), unfence: said_in_words(request), ..Back::default() };
    Ok(Encoded { body: Bytes::from(body), dropped, back })
}

/// Refuses what cannot be left out without changing what the request means.
fn refuse(request: &Request) -> Result<(), TranslateError> {
    if request.candidates.is_some_and(|count| count != 1) {
        let param = Field::Candidates.name(request.origin);
        return Err(TranslateError::unsupported(param, "OpenAI's Responses API gives one answer"));
    }
    if let Some(kind) = request.modalities.iter().find(|kind| *kind != "text") {
        let param = Field::Modalities.name(request.origin);
        return Err(TranslateError::unsupported(param, format!("OpenAI's Responses API gives no {kind}")));
    }
    if request.origin != Format::OpenAiResponses && request.extensions.iter().any(|(name, _)| name == "audio") {
        return Err(TranslateError::unsupported("audio", "OpenAI's Responses API gives no sound"));
    }
    Ok(())
}

/// Whether OpenAI knows the tier. It does not know other families' words.
fn knows_tier(request: &Request, tier: &ServiceTier) -> bool {
    !matches!(tier, ServiceTier::Other(_)) || is_own(request)
}

fn left_out(request: &Request, dropped: &mut Dropped) {
    let fields = [
        (request.top_k.is_some(), Field::TopK),
        (request.seed.is_some(), Field::Seed),
        (request.presence_penalty.is_some(), Field::PresencePenalty),
        (request.frequency_penalty.is_some(), Field::FrequencyPenalty),
        (!request.stop.is_empty(), Field::Stop),
        (request.service_tier.as_ref().is_some_and(|tier| !knows_tier(request, tier)), Field::ServiceTier),
        (request.cache.is_some() || request.tools.iter().any(|tool| tool.cache.is_some()), Field::Cache),
    ];
    fields.into_iter().filter(|(there, _)| *there).for_each(|(_, field)| dropped.field(request, field));
    for (name, _) in &request.extensions {
        if !passes(request, name) {
            dropped.named(name.clone());
        }
    }
}

/// Whether the provider is given a field without a neutral form.
fn passes(request: &Request, name: &str) -> bool {
    let shared = || SHARED.contains(&name) || name == WEB_SEARCH;
    request.origin == Format::OpenAiResponses || (is_own(request) && shared())
}

/// The instructions, and the messages that are left. A single system message at the beginning becomes `instructions`;
/// others stay in their places (`docs/TRANSLATION.md` section 2.1.1).
fn instructions<'a>(
    request: &'a Request,
    dropped: &mut Dropped,
) -> Result<(Option<String>, &'a [Message]), TranslateError> {
    let messages = request.messages.as_slice();
    let above = |message: &Message| matches!(message.role, Role::System | Role::Developer);
    for message in messages.iter().filter(|message| above(message)) {
        for (at, part) in message.parts.iter().enumerate() {
            if !matches!(part, Part::Text { .. } | Part::Opaque { .. }) {
                let param = request.path(message, Some(at));
                return Err(TranslateError::unsupported(param, "a system message can hold text only"));
            }
        }
    }
    match messages.split_first() {
        Some((first, rest)) if first.role == Role::System && !rest.iter().any(above) => {
            if first.parts.iter().any(|part| matches!(part, Part::Text { cache: Some(_), .. })) {
                dropped.field(request, Field::Cache);
            }
            if first.name.is_some() {
                dropped.field(request, Field::Name);
            }
            for (at, _) in first.parts.iter().enumerate().filter(|(_, part)| matches!(part, Part::Opaque { .. })) {
                dropped.named(request.path(first, Some(at)));
            }
            let texts: Vec<_> = first.parts.iter().filter_map(Part::as_text).filter(|text| !text.is_empty()).collect();
            Ok(((!texts.is_empty()).then(|| texts.join("\n\n")), rest))
        }
        _ => Ok((None, messages)),
    }
}

/// Whether the shape of the answer can only be asked for in words. Other formats take schemas of lists and of
/// alternatives, which OpenAI refuses.
fn said_in_words(request: &Request) -> bool {
    matches!(&request.output, Output::JsonSchema(schema) if !is_own(request) && !schema.is_of_object())
}

/// What the model is told of the shape of the answer. OpenAI gives JSON objects only where the input speaks of JSON,
/// which other families do not demand.
fn shape_in_words(request: &Request) -> Option<String> {
    match &request.output {
        Output::JsonObject if !is_own(request) => Some("Answer with one JSON object only.".to_owned()),
        Output::JsonSchema(schema) if said_in_words(request) => Some(schema.in_words()),
        _ => None,
    }
}

/// Whether the conversation holds thoughts that OpenAI encrypted.
fn holds_thoughts(request: &Request) -> bool {
    let mut parts = request.messages.iter().flat_map(|message| &message.parts);
    parts.any(
        |part| matches!(part, Part::Thinking { signature: Some(signature), .. } if signature.family == Family::OpenAi),
    )
}

struct Body<'a> {
    request: &'a Request,
    target: &'a Target<'a>,
    instructions: Option<String>,
    input: Vec<Item<'a>>,
    tools: Vec<Given<'a>>,
    choice: Option<&'a ToolChoice>,
}

/// The settings that depend on the model.
struct Settings {
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_output_tokens: Option<u64>,
    effort: Option<&'static str>,
    summary: Option<&'static str>,
    logprobs: bool,
    encrypted: bool,
}

impl Settings {
    fn of(body: &Body<'_>, dropped: &mut Dropped) -> Self {
        let Body { request, target, .. } = body;
        let facts = target.facts;
        let (temperature, top_p) = match facts.sampling {
            Sampling::All => (request.temperature, request.top_p),
            Sampling::OneOf => (request.temperature, request.top_p.filter(|_| request.temperature.is_none())),
            Sampling::None => (None, None),
        };
        let mut gone = |gone: bool, field| {
            if gone {
                dropped.field(request, field);
            }
        };
        gone(temperature.is_none() && request.temperature.is_some(), Field::Temperature);
        gone(top_p.is_none() && request.top_p.is_some(), Field::TopP);
        let thinks = facts.thinking != ThinkingForm::None;
        let reasoning = request.reasoning.as_ref().filter(|_| thinks);
        let adaptive = request.reasoning.as_ref().is_some_and(|said| said.thinking == Some(Thinking::Adaptive));
        let begin = || facts.effort_to_begin().filter(|_| adaptive);
        let wanted = request.reasoning.as_ref().and_then(crate::ir::Reasoning::in_words).or_else(begin);
        let effort = wanted.filter(|_| thinks).and_then(|effort| facts.nearest_effort(effort));
        gone(wanted.is_some_and(|wanted| wanted != Effort::None) && effort.is_none(), Field::Reasoning);
        let wants_logprobs = request.logprobs == Some(true) || request.top_logprobs.is_some_and(|count| count > 0);
        gone(wants_logprobs && !facts.logprobs, Field::Logprobs);
        let summary = reasoning.and_then(|reasoning| reasoning.summary).and_then(summary_word);
        // Models that do not think refuse to be asked for their thoughts. Of a model that nothing is known of, only the
        // client can tell.
        let asked = effort.is_some_and(|effort| effort != Effort::None) || summary.is_some();
        let known = facts.thinks_by_default || facts.effort_to_begin().is_some();
        let encrypted = thinks && (known || asked || holds_thoughts(request));
        let least = |tokens: u64| tokens.clamp(LEAST_OUTPUT, facts.max_output.unwrap_or(u64::MAX).max(LEAST_OUTPUT));
        Self {
            temperature: temperature.map(|temperature| temperature.clamp(0.0, 2.0)),
            top_p,
            max_output_tokens: request.max_output_tokens.map(least),
            effort: effort.map(Effort::word),
            summary,
            logprobs: wants_logprobs && facts.logprobs,
            encrypted,
        }
    }
}

struct Whole<'a> {
    body: &'a Body<'a>,
    settings: Settings,
}

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Body { request, target, instructions, input, tools, choice } = self.body;
        let settings = &self.settings;
        let mut map = serializer.serialize_map(None)?;
        macro_rules! entry {
            ($name:literal, $value:expr) => {
                if let Some(value) = $value {
                    map.serialize_entry($name, &value)?;
                }
            };
        }
        map.serialize_entry("model", target.model)?;
        entry!("instructions", instructions);
        map.serialize_entry("input", input)?;
        entry!("stream", target.stream.then_some(true));
        entry!("max_output_tokens", settings.max_output_tokens);
        entry!("temperature", settings.temperature);
        entry!("top_p", settings.top_p);
        if !tools.is_empty() {
            let tools: Vec<_> = tools.iter().map(|tool| tool.written(is_own(request))).collect();
            map.serialize_entry("tools", &tools)?;
            entry!("parallel_tool_calls", request.parallel_tool_calls);
        }
        entry!(
            "tool_choice",
            choice.map(|choice| WrittenChoice { choice, tools: &request.tools, name: |name: &str| named(tools, name) })
        );
        let shape = Shape::of(request, false);
        entry!("text", if said_in_words(request) { shape.and_then(Shape::without_format) } else { shape });
        if settings.effort.is_some() || settings.summary.is_some() {
            map.serialize_entry("reasoning", &Reasoning { effort: settings.effort, summary: settings.summary })?;
        }
        entry!(
            "user",
            request.user.as_deref().map(|user| if is_own(request) {
                Cow::Borrowed(user)
            } else {
                openai_limits::user(user)
            })
        );
        entry!("service_tier", request.service_tier.as_ref().filter(|tier| knows_tier(request, tier)).map(tier_word));
        self.stored(&mut map)?;
        map.end()
    }
}

#[derive(Serialize)]
struct Reasoning {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

impl Whole<'_> {
    /// Writes what the provider keeps, and what it gives besides the answer. A client of another format expects nothing
    /// to be kept, so its thoughts travel with it, encrypted.
    fn stored<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let request = self.body.request;
        let mut include: Vec<String> = Vec::new();
        let mut store = false;
        for (name, value) in &request.extensions {
            match name.as_str() {
                "include" if request.origin == Format::OpenAiResponses => {
                    include = value.read().unwrap_or_default();
                }
                // The search is asked for as a tool.
                WEB_SEARCH => {}
                name if passes(request, name) => {
                    store |= name == "store";
                    map.serialize_entry(name, value)?;
                }
                _ => {}
            }
        }
        if !store && request.origin != Format::OpenAiResponses {
            map.serialize_entry("store", &false)?;
        }
        if self.settings.encrypted {
            include.push(ENCRYPTED.to_owned());
        }
        if self.settings.logprobs {
            include.push(LOGPROBS.to_owned());
            if let Some(count) = request.top_logprobs {
                map.serialize_entry("top_logprobs", &count)?;
            }
        }
        if !include.is_empty() {
            map.serialize_entry("include", &include)?;
        }
        Ok(())
    }
}
