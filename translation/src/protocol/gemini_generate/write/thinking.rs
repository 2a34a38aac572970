//! `thinkingConfig`: a budget of tokens on 2.5, a level on 3, never both (`docs/TRANSLATION.md` section 6; Gemini API
//! documentation, "Thinking").

use serde::Serialize;

use super::writer::Writer;
use crate::facts::{ModelFacts, ThinkingForm};
use crate::format::Format;
use crate::ir::{Effort, Field, Reasoning, Summary, Thinking};

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
}

/// The longest answer that leaves no room for thoughts, which count against the same limit, in tokens.
const SHORT: u64 = 1024;

/// What to send. None where nothing is to be said.
pub(super) fn plan(writer: &mut Writer<'_>) -> Option<Config> {
    let (request, facts) = (writer.request, writer.target.facts);
    let wish = request.reasoning.as_ref().filter(|reasoning| reasoning.effort.or(as_effort(reasoning)).is_some());
    let shown = request.reasoning.as_ref().and_then(|reasoning| reasoning.summary);
    if facts.thinking == ThinkingForm::None {
        let wants = wish.is_some_and(|reasoning| wanted(reasoning) != Wanted::Off);
        if wants || matches!(shown, Some(Summary::Auto | Summary::Concise | Summary::Detailed)) {
            writer.dropped.field(request, Field::Reasoning);
        }
        return None;
    }
    let mut config = match wish {
        Some(reasoning) => of(&wanted(reasoning), facts),
        None if facts.thinks_by_default && request.max_output_tokens.is_some_and(|most| most < SHORT) => {
            of(&Wanted::Off, facts)
        }
        None => Config::default(),
    };
    let wanted = wish.map(wanted);
    config.include_thoughts = match (shown, &wanted) {
        (Some(Summary::Omitted), _) => (request.origin == Format::GeminiGenerate).then_some(false),
        (_, Some(Wanted::Off)) => None,
        (Some(_), _) => Some(true),
        // Gemini's own clients say so if they want to see thoughts.
        (None, Some(_)) if request.origin != Format::GeminiGenerate => Some(true),
        (None, _) => None,
    };
    let Config { thinking_budget, thinking_level, include_thoughts } = &config;
    (thinking_budget.is_some() || thinking_level.is_some() || include_thoughts.is_some()).then_some(config)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// As little as the model can.
    Off,
    AsItLikes,
    Effort(Effort),
    Budget(u64),
}

/// How the client wants the model to think. An explicit switch counts for more than an effort in words.
fn wanted(reasoning: &Reasoning) -> Wanted {
    match (reasoning.thinking, reasoning.effort) {
        (Some(Thinking::Off), _) | (None | Some(Thinking::Adaptive), Some(Effort::None)) => Wanted::Off,
        (Some(Thinking::Budget(budget)), _) => Wanted::Budget(budget),
        (_, Some(effort)) => Wanted::Effort(effort),
        (_, None) => Wanted::AsItLikes,
    }
}

/// Some effort, if the switch is set: it shows that the client has a wish.
fn as_effort(reasoning: &Reasoning) -> Option<Effort> {
    reasoning.thinking.map(|_| Effort::Medium)
}

fn of(wanted: &Wanted, facts: &ModelFacts) -> Config {
    match facts.thinking {
        ThinkingForm::Budget => Config { thinking_budget: Some(budget(wanted, facts)), ..Config::default() },
        _ => Config { thinking_level: level(wanted, facts), ..Config::default() },
    }
}

fn budget(wanted: &Wanted, facts: &ModelFacts) -> i64 {
    let (least, most) = facts.budget.unwrap_or((0, 24_576));
    let tokens = match wanted {
        Wanted::Off if facts.off.is_some() => return 0,
        Wanted::AsItLikes => return -1,
        Wanted::Off => least,
        Wanted::Budget(budget) => *budget,
        Wanted::Effort(effort) => match effort {
            Effort::None | Effort::Minimal if facts.off.is_none() => least,
            Effort::None | Effort::Minimal => 512,
            Effort::Low => 1024,
            Effort::Medium => 8192,
            Effort::High | Effort::XHigh | Effort::Max => 24_576,
        },
    };
    i64::try_from(tokens.clamp(least, most)).unwrap_or(i64::MAX)
}

fn level(wanted: &Wanted, facts: &ModelFacts) -> Option<&'static str> {
    let effort = match wanted {
        Wanted::Off => Effort::Minimal,
        Wanted::AsItLikes => return None,
        Wanted::Effort(effort) => (*effort).max(Effort::Minimal),
        Wanted::Budget(budget) => Effort::of_budget(*budget).max(Effort::Minimal),
    };
    facts.nearest_effort(effort).filter(|effort| *effort != Effort::None).map(Effort::word)
}
