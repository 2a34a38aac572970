//! How Claude is asked to think, at Anthropic as on Bedrock (`docs/TRANSLATION.md` section 2.5; "Extended thinking",
//! "Adaptive thinking", "Effort").

use serde::Serialize;

use crate::facts::{ForcedTools, ModelFacts, Off, ThinkingForm};
use crate::format::UnaskedThoughts;
use crate::ir::{Dropped, Effort, Field, Reasoning, Request, Summary, Thinking};

/// What the request says of thinking.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::protocol) struct Plan {
    pub(in crate::protocol) thinking: Option<Mode>,
    pub(in crate::protocol) effort: Option<Effort>,
    /// The model will think: that narrows its sampling and what it can be forced to.
    pub(in crate::protocol) on: bool,
}

/// Anthropic's `thinking`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::protocol) enum Mode {
    Enabled {
        budget_tokens: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Adaptive {
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    Disabled,
    BetweenTools,
}

/// What else of the request bears on thinking.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Situation {
    /// A tool is forced.
    pub(in crate::protocol) forced: bool,
    /// The last turn is the model's, to be continued.
    pub(in crate::protocol) prefilled: bool,
    /// A tool loop is under way, and the thoughts that began it were lost on the way.
    pub(in crate::protocol) thoughtless_loop: bool,
}

/// How the two APIs differ.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Differences {
    /// The thinking of a model that nothing is known of is switched off explicitly.
    pub(in crate::protocol) switches_unknown_off: bool,
    /// `between_tools` is sent with the effort `high` at most.
    pub(in crate::protocol) caps_between_tools: bool,
    /// Thoughts are hidden from clients that see them only if they ask.
    pub(in crate::protocol) hides_unasked: bool,
    /// The answer keeps the length that was asked for behind the thoughts, where both can have theirs.
    pub(in crate::protocol) keeps_answer: bool,
}

/// The least budget that Claude takes, in tokens.
const LEAST_BUDGET: u64 = 1024;

/// Decides how the model thinks. `max_tokens`, the limit of the answer, is raised where a budget needs it.
pub(in crate::protocol) fn plan(
    request: &Request,
    facts: &ModelFacts,
    differences: Differences,
    situation: Situation,
    max_tokens: Option<&mut u64>,
    dropped: &mut Dropped,
) -> Plan {
    let Some(reasoning) = &request.reasoning else {
        return Plan { on: facts.thinks_by_default, ..Plan::default() };
    };
    let wish = Wish { request, reasoning, facts, differences };
    let wanted = wish.wanted();
    let plan = match facts.thinking {
        ThinkingForm::None => {
            if !matches!(wanted, None | Some(Thinking::Off)) {
                dropped.field(request, Field::Reasoning);
            }
            return Plan::default();
        }
        ThinkingForm::Adaptive => wish.adaptive(wanted),
        ThinkingForm::Budget | ThinkingForm::Level => {
            Plan { effort: effort_beside_budget(reasoning, facts), ..wish.budget(wanted) }
        }
    };
    let plan = wish.possible(plan, situation, dropped);
    wish.fit(plan, max_tokens, dropped)
}

/// The effort of a model that is given a budget as well. None but the first models with efforts take both.
pub(in crate::protocol) fn effort_beside_budget(reasoning: &Reasoning, facts: &ModelFacts) -> Option<Effort> {
    effort_of(reasoning).filter(|_| facts.thinking == ThinkingForm::Budget).and_then(|effort| nearest(facts, effort))
}

fn effort_of(reasoning: &Reasoning) -> Option<Effort> {
    reasoning.effort.filter(|effort| *effort != Effort::None)
}

/// What the client wants, and of which model.
struct Wish<'p> {
    request: &'p Request,
    reasoning: &'p Reasoning,
    facts: &'p ModelFacts,
    differences: Differences,
}

impl Wish<'_> {
    /// How the client wants the model to think. Its own `thinking` goes before an effort.
    fn wanted(&self) -> Option<Thinking> {
        let reasoning = self.reasoning;
        if reasoning.thinking.is_some() {
            return reasoning.thinking;
        }
        if reasoning.effort == Some(Effort::None) {
            return Some(Thinking::Off);
        }
        let starts = reasoning.effort.is_some() && self.request.origin.facts().effort_starts_thinking;
        starts.then_some(Thinking::Adaptive)
    }

    /// The models since 4.6 decide for themselves how long they think.
    fn adaptive(&self, wanted: Option<Thinking>) -> Plan {
        let (facts, display) = (self.facts, self.display());
        let on = |effort| Plan { thinking: Some(Mode::Adaptive { display }), effort, on: true };
        let native = effort_of(self.reasoning).and_then(|effort| nearest(facts, effort));
        match wanted {
            Some(Thinking::Adaptive) => on(native),
            Some(Thinking::Budget(tokens)) => on(native.or_else(|| nearest(facts, Effort::of_budget(tokens)))),
            Some(Thinking::Off) => self.off(native),
            // The model thinks anyway, and the client asks to be shown its thoughts.
            None if facts.thinks_by_default && self.reasoning.summary.is_some() => on(native),
            None => Plan { thinking: None, effort: native, on: facts.thinks_by_default },
        }
    }

    /// The least thinking that the model can do.
    fn off(&self, effort: Option<Effort>) -> Plan {
        let facts = self.facts;
        let least = || nearest(facts, Effort::Low);
        let capped = |effort: Option<Effort>| effort.map(|effort| effort.min(Effort::High));
        match facts.off {
            // A model that does not think by itself is told nothing.
            _ if !facts.thinks_by_default => Plan { thinking: None, effort, on: false },
            // Models take `disabled` up to the effort `high`, and answer 400 above it.
            Some(Off::Disabled) => Plan { thinking: Some(Mode::Disabled), effort: capped(effort), on: false },
            Some(Off::BetweenTools) => {
                let effort = if self.differences.caps_between_tools { capped(effort) } else { effort };
                Plan { thinking: Some(Mode::BetweenTools), effort: effort.or_else(least), on: true }
            }
            None => Plan { thinking: None, effort: effort.or_else(least), on: true },
        }
    }

    /// The models before 4.6 are given a budget of tokens.
    fn budget(&self, wanted: Option<Thinking>) -> Plan {
        let (facts, reasoning) = (self.facts, self.reasoning);
        let tokens = match wanted {
            Some(Thinking::Budget(tokens)) => tokens,
            Some(Thinking::Adaptive) => Effort::in_tokens(effort_of(reasoning).unwrap_or(Effort::High)),
            // It is not known what a model does that nothing is known of, where a request says nothing.
            Some(Thinking::Off) if facts.thinking == ThinkingForm::Level && self.differences.switches_unknown_off => {
                return Plan { thinking: Some(Mode::Disabled), ..Plan::default() };
            }
            Some(Thinking::Off) => return self.off(None),
            None => return Plan { on: facts.thinks_by_default, ..Plan::default() },
        };
        let (least, most) = facts.budget.unwrap_or((LEAST_BUDGET, u64::MAX));
        let budget_tokens = tokens.min(most).max(least).max(LEAST_BUDGET);
        // These models show their thoughts unless told otherwise.
        let unasked = reasoning.summary.is_none() && self.hides_unasked();
        let display = (reasoning.summary == Some(Summary::Omitted) || unasked).then_some("omitted");
        Plan { thinking: Some(Mode::Enabled { budget_tokens, display }), effort: None, on: true }
    }

    /// Leaves thinking out where the rest of the request rules it out.
    fn possible(&self, plan: Plan, situation: Situation, dropped: &mut Dropped) -> Plan {
        let enabled = matches!(plan.thinking, Some(Mode::Enabled { .. }));
        let adaptive = matches!(plan.thinking, Some(Mode::Adaptive { .. }));
        let forced = situation.forced && self.facts.forced_tools == ForcedTools::NotWithThinking;
        // A model that thinks adaptively does not mind a turn that begins without a thought ("Adaptive thinking",
        // section "Validation changes").
        let ruled_out = (enabled && (forced || situation.thoughtless_loop || situation.prefilled))
            || (adaptive && (forced || situation.prefilled));
        if !ruled_out || self.facts.off.is_none() {
            return plan;
        }
        dropped.field(self.request, Field::Reasoning);
        self.off(plan.effort)
    }

    /// A budget has to leave room for the answer. `max_tokens` is raised by the budget. Where that is not enough, the
    /// budget is made smaller (`docs/TRANSLATION.md` section 13, point 13).
    fn fit(&self, plan: Plan, max_tokens: Option<&mut u64>, dropped: &mut Dropped) -> Plan {
        let (Some(Mode::Enabled { mut budget_tokens, display }), Some(max_tokens)) = (plan.thinking, max_tokens) else {
            return plan;
        };
        if *max_tokens <= budget_tokens {
            let answer = *max_tokens;
            *max_tokens = answer.saturating_add(budget_tokens).min(self.facts.max_output.unwrap_or(u64::MAX));
            let rest = max_tokens.saturating_sub(answer);
            if self.differences.keeps_answer && rest >= LEAST_BUDGET {
                budget_tokens = budget_tokens.min(rest);
            }
        }
        let budget_tokens = budget_tokens.min(max_tokens.saturating_sub(1));
        if budget_tokens < LEAST_BUDGET {
            dropped.field(self.request, Field::Reasoning);
            return Plan { thinking: None, on: false, ..plan };
        }
        Plan { thinking: Some(Mode::Enabled { budget_tokens, display }), ..plan }
    }

    /// Newer models give empty thoughts unless asked to show them (`docs/TRANSLATION.md` section 13, point 21).
    fn display(&self) -> Option<&'static str> {
        match self.reasoning.summary {
            Some(Summary::Omitted) => Some("omitted"),
            None if self.unasked() == UnaskedThoughts::LeftToModel || self.hides_unasked() => None,
            _ => Some("summarized"),
        }
    }

    fn unasked(&self) -> UnaskedThoughts {
        self.request.origin.facts().unasked_thoughts
    }

    fn hides_unasked(&self) -> bool {
        self.differences.hides_unasked && self.unasked() == UnaskedThoughts::Hidden
    }
}

/// The nearest effort that the model knows. More than `high` stays more than `high` where the model has a word for it.
pub(in crate::protocol) fn nearest(facts: &ModelFacts, effort: Effort) -> Option<Effort> {
    let more =
        effort == Effort::XHigh && !facts.efforts.contains(&Effort::XHigh) && facts.efforts.contains(&Effort::Max);
    if more { Some(Effort::Max) } else { facts.nearest_effort(effort) }
}
