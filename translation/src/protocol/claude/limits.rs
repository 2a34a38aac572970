//! The length of the answer, sampling and stop texts, and fields that neither API has anything like.

use crate::facts::{ModelFacts, Sampling};
use crate::ir::{Dropped, ErrorCode, Field, Part, Request, TranslateError};
use crate::names::{Mapping, Rule};

/// Refuses a request that would mean something else without a field that is not served.
///
/// # Errors
/// Names the field.
pub(in crate::protocol) fn refuse(request: &Request) -> Result<(), TranslateError> {
    let no = |field: Field, words: &str| Err(TranslateError::unsupported(field.name(request.origin), words));
    if request.candidates.is_some_and(|candidates| candidates != 1) {
        return no(Field::Candidates, "This model gives one answer at a time.");
    }
    if request.modalities.iter().any(|modality| modality != "text") {
        return no(Field::Modalities, "This model answers in text only.");
    }
    Ok(())
}

/// Refuses a field without a neutral form that changes what the answer is.
///
/// # Errors
/// Names the field.
pub(in crate::protocol) fn refuse_decisive(request: &Request, name: &str) -> Result<(), TranslateError> {
    if request.origin.facts().decisive_fields.contains(&name) {
        let words = format!("This model's provider has nothing like `{name}`.");
        return Err(TranslateError::new(ErrorCode::UnsupportedParameter, name, words));
    }
    Ok(())
}

/// The names of tools and the ids of calls, by these rules. Names and ids that fit stay as they are.
pub(in crate::protocol) fn mappings(request: &Request, names: Rule, ids: Rule) -> (Mapping, Mapping) {
    let (mut names, mut ids) = (Mapping::new(names), Mapping::new(ids));
    names.reserve(request.tools.iter().map(|tool| &*tool.name));
    for part in request.messages.iter().flat_map(|message| &message.parts) {
        if let Part::ToolCall(call) = part {
            names.reserve([&*call.name]);
            ids.reserve([&*call.id]);
        }
    }
    (names, ids)
}

/// The limit of the answer that the client asks for, or the model's own if that is lower. None where the client asks
/// for none.
///
/// # Errors
/// When the client asks for no token at all.
pub(in crate::protocol) fn asked_limit(request: &Request, facts: &ModelFacts) -> Result<Option<u64>, TranslateError> {
    if request.max_output_tokens == Some(0) {
        let field = Field::MaxOutputTokens.name(request.origin);
        return Err(TranslateError::invalid(field, "It has to be at least 1."));
    }
    Ok(request.max_output_tokens.map(|tokens| tokens.min(facts.max_output.unwrap_or(u64::MAX))))
}

/// The longest answer in one piece, in tokens: what fits in the ten minutes that clients wait for it.
const LONGEST_UNSTREAMED: u64 = 21_333;

/// The limit of an answer where the client asks for none, of a model that gives at most `most` tokens.
pub(in crate::protocol) fn unasked_limit(most: u64, stream: bool) -> u64 {
    if stream { most } else { most.min(LONGEST_UNSTREAMED) }
}

/// The sampling parameters that the model takes (`docs/TRANSLATION.md` section 13, point 14).
pub(in crate::protocol) struct Sampled {
    pub(in crate::protocol) temperature: Option<f64>,
    pub(in crate::protocol) top_p: Option<f64>,
    pub(in crate::protocol) top_k: Option<u64>,
}

impl Sampled {
    /// The sampling parameters of `request` that the model takes. Nothing is ever added.
    pub(in crate::protocol) fn of(request: &Request, facts: &ModelFacts, thinks: bool) -> Self {
        let none = facts.sampling == Sampling::None;
        let temperature = request.temperature.map(|wanted| wanted.clamp(0.0, 1.0));
        let temperature = temperature.filter(|wanted| !none && (!thinks || *wanted >= 1.0));
        let both = facts.sampling == Sampling::OneOf && temperature.is_some();
        let top_p = request.top_p.filter(|wanted| !none && !both && (!thinks || *wanted >= 0.95));
        let top_k = request.top_k.filter(|wanted| !none && !thinks && *wanted > 0);
        Self { temperature, top_p, top_k }
    }

    /// Notes the parameters of `request` that are left out.
    pub(in crate::protocol) fn note(&self, request: &Request, dropped: &mut Dropped) {
        let left_out = [
            (request.temperature.is_some() && self.temperature.is_none(), Field::Temperature),
            (request.top_p.is_some() && self.top_p.is_none(), Field::TopP),
            (request.top_k.is_some() && self.top_k.is_none(), Field::TopK),
        ];
        for (_, field) in left_out.into_iter().filter(|(left_out, _)| *left_out) {
            dropped.field(request, field);
        }
    }
}

/// Notes the fields that neither API has anything like.
pub(in crate::protocol) fn note_unsupported(request: &Request, dropped: &mut Dropped) {
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

/// The stop texts. `takes` says whether the model takes any. Claude answers 400 to one of nothing but white space
/// (`docs/TRANSLATION.md` section 13, point 16).
pub(in crate::protocol) fn stops<'r>(request: &'r Request, takes: bool, dropped: &mut Dropped) -> Vec<&'r str> {
    let kept = request.stop.iter().map(String::as_str).filter(|stop| takes && !stop.trim().is_empty());
    let kept: Vec<_> = kept.collect();
    if kept.len() < request.stop.len() {
        dropped.field(request, Field::Stop);
    }
    kept
}

/// The most cache breakpoints that a request may have.
const MOST_BREAKPOINTS: usize = 4;

/// How many of the request's `breakpoints` are too many. The first ones are left out, since the last are of the newest
/// content (`docs/TRANSLATION.md` section 2.6).
pub(in crate::protocol) fn excess_breakpoints(breakpoints: usize, request: &Request, dropped: &mut Dropped) -> usize {
    let excess = breakpoints.saturating_sub(MOST_BREAKPOINTS);
    if excess > 0 {
        dropped.field(request, Field::Cache);
    }
    excess
}
