//! How much to think (`docs/TRANSLATION.md` section 2.5). What the Converse API has no field for goes to the model in
//! its maker's own words, as `additionalModelRequestFields` (Amazon Bedrock User Guide, "Enhance model responses with
//! model reasoning").

use serde_json::{Map, Value, json};

use super::super::maker::Maker;
use crate::facts::{ForcedTools, ModelFacts, Off, ThinkingForm};
use crate::format::Format;
use crate::ir::{Dropped, Effort, Field, Reasoning, Request, Summary, Thinking};
use crate::protocol::claude::{budget_of, nearest, wanted};

/// What the request says of thinking.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Claude's `thinking`.
    thinking: Option<Mode>,
    effort: Option<Effort>,
    /// Takes an effort only as a beta: Opus 4.5.
    beta: bool,
    /// Claude will think: that narrows its sampling and what it can be forced to.
    pub(super) on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Enabled { budget: u64, display: Option<&'static str> },
    Adaptive { display: Option<&'static str> },
    Disabled,
    BetweenTools,
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
    /// Sampling or the length of the answer is limited.
    pub(super) limited: bool,
}

/// Opus 4.5 takes an effort only with it (Anthropic's "Effort"); later models without.
const EFFORT: &str = "effort-2025-11-24";

/// The least budget that Claude takes.
const LEAST_BUDGET: u64 = 1024;

/// Decides. `max_tokens` is raised where a budget needs it.
pub(super) fn plan(
    request: &Request,
    maker: Maker,
    facts: &ModelFacts,
    situation: Situation,
    max_tokens: &mut Option<u64>,
    dropped: &mut Dropped,
) -> Plan {
    let by_default = maker == Maker::Claude && facts.thinks_by_default;
    let Some(reasoning) = &request.reasoning else { return Plan { on: by_default, ..Plan::default() } };
    if maker != Maker::Claude {
        return others(request, reasoning, maker, facts, situation, dropped);
    }
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
            Plan { effort: native, beta: native.is_some(), ..budget(reasoning, effort, wanted, facts) }
        }
    };
    let plan = possible(plan, facts, situation, request, dropped);
    fit(plan, facts, max_tokens, request, dropped)
}

impl Plan {
    /// Writes it, in the maker's words.
    pub(super) fn write(&self, maker: Maker, fields: &mut Map<String, Value>) {
        if let Some(mode) = self.thinking {
            let (mut value, display) = match mode {
                Mode::Enabled { budget, display } => (json!({"type": "enabled", "budget_tokens": budget}), display),
                Mode::Adaptive { display } => (json!({"type": "adaptive"}), display),
                Mode::Disabled => (json!({"type": "disabled"}), None),
                Mode::BetweenTools => (json!({"type": "between_tools"}), None),
            };
            if let Some(display) = display {
                value["display"] = display.into();
            }
            fields.insert("thinking".to_owned(), value);
        }
        let Some(effort) = self.effort.map(Effort::word) else { return };
        match maker {
            Maker::Claude => {
                fields.insert("output_config".to_owned(), json!({"effort": effort}));
                if self.beta {
                    let betas = fields.entry("anthropic_beta").or_insert_with(|| json!([]));
                    betas.as_array_mut().into_iter().for_each(|betas| betas.push(EFFORT.into()));
                }
            }
            Maker::Nova2 if self.effort == Some(Effort::None) => {
                fields.insert("reasoningConfig".to_owned(), json!({"type": "disabled"}));
            }
            Maker::Nova2 => {
                let config = json!({"type": "enabled", "maxReasoningEffort": effort});
                fields.insert("reasoningConfig".to_owned(), config);
            }
            _ => {
                fields.insert("reasoning_effort".to_owned(), effort.into());
            }
        }
    }
}

/// Makers that know efforts only, or nothing of the kind.
fn others(
    request: &Request,
    reasoning: &Reasoning,
    maker: Maker,
    facts: &ModelFacts,
    situation: Situation,
    dropped: &mut Dropped,
) -> Plan {
    let wanted = match (reasoning.thinking, reasoning.effort) {
        (Some(Thinking::Off), _) => Some(Effort::None),
        (_, Some(effort)) => Some(effort),
        (Some(Thinking::Budget(tokens)), None) => Some(Effort::of_budget(tokens)),
        (Some(Thinking::Adaptive), None) => Some(Effort::Medium),
        (None, None) => None,
    };
    let Some(wanted) = wanted else { return Plan::default() };
    let effort = match maker {
        Maker::Nova2 if wanted == Effort::None => Some(wanted),
        // With the effort `high`, Nova takes neither limits nor sampling.
        Maker::Nova2 if situation.limited => nearest(facts, wanted.min(Effort::Medium)),
        Maker::Nova2 | Maker::OpenAi => nearest(facts, wanted),
        _ => None,
    };
    if effort.is_none() && wanted != Effort::None {
        dropped.field(request, Field::Reasoning);
    }
    Plan { effort, ..Plan::default() }
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
    let on =
        |effort: Option<Effort>| Plan { thinking: Some(Mode::Adaptive { display }), effort, on: true, beta: false };
    let native = effort.and_then(|effort| nearest(facts, effort));
    match wanted {
        Some(Thinking::Adaptive) => on(native),
        Some(Thinking::Budget(tokens)) => on(native.or_else(|| nearest(facts, Effort::of_budget(tokens)))),
        Some(Thinking::Off) => off(facts, native),
        // It thinks anyway, and the client asks to be shown.
        None if facts.thinks_by_default && reasoning.summary.is_some() => on(native),
        None => Plan { thinking: None, effort: native, on: facts.thinks_by_default, ..Plan::default() },
    }
}

/// As little as the model can.
fn off(facts: &ModelFacts, effort: Option<Effort>) -> Plan {
    let least = || nearest(facts, Effort::Low);
    match facts.off {
        // Nothing said is off already.
        _ if !facts.thinks_by_default => Plan { thinking: None, effort, on: false, ..Plan::default() },
        // Opus 5 takes it up to the effort `high`.
        Some(Off::Disabled) => Plan {
            thinking: Some(Mode::Disabled),
            effort: effort.map(|effort| effort.min(Effort::High)),
            ..Plan::default()
        },
        Some(Off::BetweenTools) => {
            Plan { thinking: Some(Mode::BetweenTools), effort: effort.or_else(least), on: true, ..Plan::default() }
        }
        None => Plan { thinking: None, effort: effort.or_else(least), on: true, ..Plan::default() },
    }
}

/// The models before 4.6 are given so many tokens.
fn budget(reasoning: &Reasoning, effort: Option<Effort>, wanted: Option<Thinking>, facts: &ModelFacts) -> Plan {
    let tokens = match wanted {
        Some(Thinking::Budget(tokens)) => tokens,
        Some(Thinking::Adaptive) => budget_of(effort.unwrap_or(Effort::High)),
        Some(Thinking::Off) => return off(facts, None),
        None => return Plan { on: facts.thinks_by_default, ..Plan::default() },
    };
    let (least, most) = facts.budget.unwrap_or((LEAST_BUDGET, u64::MAX));
    let budget = tokens.min(most).max(least).max(LEAST_BUDGET);
    // These models show their thoughts unless told otherwise.
    let display = (reasoning.summary == Some(Summary::Omitted)).then_some("omitted");
    Plan { thinking: Some(Mode::Enabled { budget, display }), effort: None, on: true, ..Plan::default() }
}

/// Leaves thinking out where the rest of the request rules it out.
fn possible(plan: Plan, facts: &ModelFacts, situation: Situation, request: &Request, dropped: &mut Dropped) -> Plan {
    let enabled = matches!(plan.thinking, Some(Mode::Enabled { .. }));
    let adaptive = matches!(plan.thinking, Some(Mode::Adaptive { .. }));
    let forced = situation.forced && facts.forced_tools == ForcedTools::NotWithThinking;
    // A model that thinks adaptively does not mind a turn that begins without a thought.
    let ruled_out = (enabled && (forced || situation.thoughtless_loop || situation.prefilled))
        || (adaptive && (forced || situation.prefilled));
    if !ruled_out || facts.off.is_none() {
        return plan;
    }
    dropped.field(request, Field::Reasoning);
    Plan { beta: plan.beta, ..off(facts, plan.effort) }
}

/// A budget has to leave room for the answer: the limit is raised by it, and if that does not do, it is made smaller
/// (`docs/TRANSLATION.md` section 13, point 13).
fn fit(plan: Plan, facts: &ModelFacts, max_tokens: &mut Option<u64>, request: &Request, dropped: &mut Dropped) -> Plan {
    let (Some(Mode::Enabled { budget, display }), Some(limit)) = (plan.thinking, *max_tokens) else { return plan };
    let most = facts.max_output.unwrap_or(u64::MAX);
    let limit = if limit <= budget { limit.saturating_add(budget).min(most) } else { limit };
    *max_tokens = Some(limit);
    let budget = budget.min(limit.saturating_sub(1));
    if budget < LEAST_BUDGET {
        dropped.field(request, Field::Reasoning);
        return Plan { thinking: None, on: false, ..plan };
    }
    Plan { thinking: Some(Mode::Enabled { budget, display }), ..plan }
}

/// Newer models give empty thoughts unless asked to show them.
fn display(request: &Request, reasoning: &Reasoning) -> Option<&'static str> {
    match reasoning.summary {
        Some(Summary::Omitted) => Some("omitted"),
        // Anthropic's own clients have said what they want.
        None if request.origin == Format::AnthropicMessages => None,
        _ => Some("summarized"),
    }
}
