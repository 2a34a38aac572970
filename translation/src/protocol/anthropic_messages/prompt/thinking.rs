//! How much to think (`docs/TRANSLATION.md` section 2.5; "Extended thinking", "Adaptive thinking", "Effort").

use super::wire;
use crate::facts::{ForcedTools, ModelFacts, Off, ThinkingForm};
use crate::format::Format;
use crate::ir::{Dropped, Effort, Field, Reasoning, Request, Summary, Thinking};
use crate::protocol::claude::{budget_of, nearest, wanted};

/// What the request says of thinking.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) thinking: Option<wire::Thinking>,
    pub(super) effort: Option<Effort>,
    /// The model will think: that narrows its sampling and what it can be forced to.
    pub(super) on: bool,
}

/// What else bears on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    /// A tool is forced.
    pub(super) forced: bool,
    /// The last turn is the model's, to be continued.
    pub(super) prefilled: bool,
    /// A tool loop is under way, and the thoughts that began it are not at hand.
    pub(super) thoughtless_loop: bool,
}

/// The least budget that Anthropic takes.
const LEAST_BUDGET: u64 = 1024;

/// Decides. `max_tokens` is raised where a budget needs it, up to `most`.
pub(super) fn plan(
    request: &Request,
    facts: &ModelFacts,
    situation: Situation,
    max_tokens: &mut u64,
    most: u64,
    dropped: &mut Dropped,
) -> Plan {
    let by_default = facts.thinks_by_default;
    let Some(reasoning) = &request.reasoning else {
        return Plan { on: by_default, ..Plan::default() };
    };
    let effort = reasoning.effort.filter(|effort| *effort != Effort::None);
    let wanted = wanted(request, reasoning, effort);
    let plan = match facts.thinking {
        ThinkingForm::None => {
            if !matches!(wanted, None | Some(Thinking::Off)) {
                dropped.field(request, Field::Reasoning);
            }
            return Plan::default();
        }
        ThinkingForm::Adaptive => adaptive(request, reasoning, effort, wanted, facts),
        ThinkingForm::Budget | ThinkingForm::Level => {
            let native = effort.filter(|_| facts.thinking == ThinkingForm::Budget);
            let native = native.and_then(|effort| nearest(facts, effort));
            Plan { effort: native, ..budget(request, reasoning, effort, wanted, facts) }
        }
    };
    let plan = possible(plan, facts, situation, request, dropped);
    fit(plan, max_tokens, most, request, dropped)
}

/// The models since 4.6 decide for themselves how long they think.
fn adaptive(
    request: &Request,
    reasoning: &Reasoning,
    effort: Option<Effort>,
    wanted: Option<Thinking>,
    facts: &ModelFacts,
) -> Plan {
    let display = display(request, reasoning);
    let on = |effort: Option<Effort>| Plan { thinking: Some(wire::Thinking::Adaptive { display }), effort, on: true };
    let native = effort.and_then(|effort| nearest(facts, effort));
    match wanted {
        Some(Thinking::Adaptive) => on(native),
        Some(Thinking::Budget(tokens)) => on(native.or_else(|| nearest(facts, Effort::of_budget(tokens)))),
        Some(Thinking::Off) => off(facts, native),
        // It thinks anyway, and the client asks to be shown.
        None if facts.thinks_by_default && reasoning.summary.is_some() => on(native),
        None => Plan { thinking: None, effort: native, on: facts.thinks_by_default },
    }
}

/// As little as the model can.
fn off(facts: &ModelFacts, effort: Option<Effort>) -> Plan {
    let least = || nearest(facts, Effort::Low);
    match facts.off {
        // Nothing said is off already.
        _ if !facts.thinks_by_default => Plan { thinking: None, effort, on: false },
        // Models take either up to the effort `high`, and answer 400 above it.
        Some(Off::Disabled) => {
            let effort = effort.map(|effort| effort.min(Effort::High));
            Plan { thinking: Some(wire::Thinking::Disabled), effort, on: false }
        }
        Some(Off::BetweenTools) => {
            let effort = effort.map(|effort| effort.min(Effort::High)).or_else(least);
            Plan { thinking: Some(wire::Thinking::BetweenTools), effort, on: true }
        }
        None => Plan { thinking: None, effort: effort.or_else(least), on: true },
    }
}

/// The models before 4.6 are given so many tokens.
fn budget(
    request: &Request,
    reasoning: &Reasoning,
    effort: Option<Effort>,
    wanted: Option<Thinking>,
    facts: &ModelFacts,
) -> Plan {
    let tokens = match wanted {
        Some(Thinking::Budget(tokens)) => tokens,
        Some(Thinking::Adaptive) => budget_of(effort.unwrap_or(Effort::High)),
        // Of a model that is not known it is not known either what it does where nothing is said.
        Some(Thinking::Off) if facts.thinking == ThinkingForm::Level => {
            return Plan { thinking: Some(wire::Thinking::Disabled), ..Plan::default() };
        }
        Some(Thinking::Off) => return off(facts, None),
        None => return Plan { on: facts.thinks_by_default, ..Plan::default() },
    };
    let (least, most) = facts.budget.unwrap_or((LEAST_BUDGET, u64::MAX));
    let budget_tokens = tokens.min(most).max(least).max(LEAST_BUDGET);
    // These models show their thoughts unless told otherwise, and Gemini's clients see thoughts only if they ask.
    let unasked = reasoning.summary.is_none() && request.origin == Format::GeminiGenerate;
    let display = (reasoning.summary == Some(Summary::Omitted) || unasked).then_some("omitted");
    Plan { thinking: Some(wire::Thinking::Enabled { budget_tokens, display }), effort: None, on: true }
}

/// Leaves thinking out where the rest of the request rules it out.
fn possible(plan: Plan, facts: &ModelFacts, situation: Situation, request: &Request, dropped: &mut Dropped) -> Plan {
    let enabled = matches!(plan.thinking, Some(wire::Thinking::Enabled { .. }));
    let adaptive = matches!(plan.thinking, Some(wire::Thinking::Adaptive { .. }));
    let forced = situation.forced && facts.forced_tools == ForcedTools::NotWithThinking;
    // A model that thinks adaptively does not mind a turn that begins without a thought ("Adaptive thinking", section
    // "Validation changes").
    let ruled_out = (enabled && (forced || situation.thoughtless_loop || situation.prefilled))
        || (adaptive && (forced || situation.prefilled));
    if !ruled_out || facts.off.is_none() {
        return plan;
    }
    dropped.field(request, Field::Reasoning);
    off(facts, plan.effort)
}

/// A budget has to leave room for the answer: `max_tokens` is raised by it, and if that does not do, it is made smaller
/// (`docs/TRANSLATION.md` section 13, point 13).
fn fit(plan: Plan, max_tokens: &mut u64, most: u64, request: &Request, dropped: &mut Dropped) -> Plan {
    let Some(wire::Thinking::Enabled { budget_tokens, display }) = plan.thinking else { return plan };
    let mut budget_tokens = budget_tokens;
    if *max_tokens <= budget_tokens {
        let answer = *max_tokens;
        *max_tokens = answer.saturating_add(budget_tokens).min(most);
        // As long an answer as was asked for still fits behind the thoughts, where both can.
        let rest = max_tokens.saturating_sub(answer);
        if rest >= LEAST_BUDGET {
            budget_tokens = budget_tokens.min(rest);
        }
    }
    let budget_tokens = budget_tokens.min(max_tokens.saturating_sub(1));
    if budget_tokens < LEAST_BUDGET {
        dropped.field(request, Field::Reasoning);
        return Plan { thinking: None, on: false, ..plan };
    }
    Plan { thinking: Some(wire::Thinking::Enabled { budget_tokens, display }), ..plan }
}

/// Newer models give empty thoughts unless asked to show them (`docs/TRANSLATION.md` section 13, point 21).
fn display(request: &Request, reasoning: &Reasoning) -> Option<&'static str> {
    match reasoning.summary {
        Some(Summary::Omitted) => Some("omitted"),
        // Clients of Anthropic's and of Gemini's say so if they want to see thoughts.
        None if matches!(request.origin, Format::AnthropicMessages | Format::GeminiGenerate) => None,
        _ => Some("summarized"),
    }
}
