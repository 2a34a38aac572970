//! How much to think (`docs/TRANSLATION.md` section 2.5). What the Converse API has no field for goes to the model in
//! its maker's own words, as `additionalModelRequestFields` (Amazon Bedrock User Guide, "Enhance model responses with
//! model reasoning").

use serde_json::{Map, Value, json};

use super::super::maker::Maker;
use crate::facts::ModelFacts;
use crate::ir::{Dropped, Effort, Field, Reasoning, Request, Thinking};
use crate::protocol::claude::thinking::{self as claude, Differences, Situation, nearest};

/// What the request says of thinking.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// What Claude is told. Of another maker's model only the effort counts.
    pub(super) said: claude::Plan,
    /// Whether the model takes an effort only as a beta.
    beta: bool,
}

/// The beta with which alone Opus 4.5 takes an effort (Anthropic's "Effort"). Later models do not need it.
const EFFORT: &str = "effort-2025-11-24";

/// How Claude on Bedrock is asked for thoughts.
const CLAUDE: Differences =
    Differences { switches_unknown_off: false, caps_between_tools: false, hides_unasked: false, keeps_answer: false };

/// Decides how the model thinks. `limited` says whether sampling or the length of the answer is limited. `max_tokens`
/// is raised where a budget needs it.
pub(super) fn plan(
    request: &Request,
    maker: Maker,
    facts: &ModelFacts,
    situation: Situation,
    limited: bool,
    max_tokens: &mut Option<u64>,
    dropped: &mut Dropped,
) -> Plan {
    match &request.reasoning {
        Some(reasoning) if maker != Maker::Claude => others(request, reasoning, maker, facts, limited, dropped),
        None if maker != Maker::Claude => Plan::default(),
        reasoning => {
            let effort = reasoning.as_ref().and_then(|reasoning| claude::effort_beside_budget(reasoning, facts));
            let said = claude::plan(request, facts, CLAUDE, situation, max_tokens.as_mut(), dropped);
            Plan { said, beta: effort.is_some() }
        }
    }
}

impl Plan {
    /// Writes the plan into `fields`, in the maker's words.
    pub(super) fn write(&self, maker: Maker, fields: &mut Map<String, Value>) {
        if let Some(mode) = self.said.thinking {
            // Texts and numbers always serialise.
            fields.insert("thinking".to_owned(), serde_json::to_value(mode).unwrap_or_default());
        }
        let Some(effort) = self.said.effort.map(Effort::word) else { return };
        match maker {
            Maker::Claude => {
                fields.insert("output_config".to_owned(), json!({"effort": effort}));
                if self.beta {
                    let betas = fields.entry("anthropic_beta").or_insert_with(|| json!([]));
                    betas.as_array_mut().into_iter().for_each(|betas| betas.push(EFFORT.into()));
                }
            }
            Maker::Nova2 if self.said.effort == Some(Effort::None) => {
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

/// The plan for makers that know only efforts, or nothing of the kind.
fn others(
    request: &Request,
    reasoning: &Reasoning,
    maker: Maker,
    facts: &ModelFacts,
    limited: bool,
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
        // With the effort `high`, Nova takes no limits and no sampling.
        Maker::Nova2 if limited => nearest(facts, wanted.min(Effort::Medium)),
        Maker::Nova2 | Maker::OpenAi => nearest(facts, wanted),
        _ => None,
    };
    if effort.is_none() && wanted != Effort::None {
        dropped.field(request, Field::Reasoning);
    }
    Plan { said: claude::Plan { effort, ..claude::Plan::default() }, beta: false }
}
