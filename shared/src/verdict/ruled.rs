//! What an operator's rules make of a verdict.

use std::time::Duration;

use super::{Effect, Extent, LONGEST_EXHAUSTION, LONGEST_PAUSE, Meaning, Question, Step, Verdict};
use crate::snapshot::{ErrorRule, RuleEffect, RuleScope, RuleStep};

/// What `rules` make of `verdict` on the answer to `question` with this status and body, and the place of the rule that
/// counted: the first that fits. A fault of the client's harms no key, and what may not be repeated is not.
pub fn ruled(
    verdict: Verdict,
    status: u16,
    body: &[u8],
    question: Question,
    rules: &[ErrorRule],
) -> (Verdict, Option<usize>) {
    if rules.is_empty() || matches!(verdict.meaning, Meaning::Success | Meaning::Circle | Meaning::Unusable(_)) {
        return (verdict, None);
    }
    let words = String::from_utf8_lossy(body).to_lowercase();
    let fits = |rule: &ErrorRule| {
        let any = rule.words.iter().any(|word| words.contains(&word.to_lowercase()));
        (rule.statuses.is_empty() || rule.statuses.contains(&status)) && (rule.words.is_empty() || any)
    };
    let Some((place, rule)) = rules.iter().enumerate().find(|(_, rule)| fits(rule)) else { return (verdict, None) };
    let step = match rule.step {
        None => verdict.step,
        Some(RuleStep::End) => Step::End,
        Some(RuleStep::NextKey) => Step::NextKey,
        Some(RuleStep::NextGroup) => Step::NextGroup,
    };
    let effect = match rule.effect {
        _ if verdict.meaning == Meaning::ClientFault => Effect::None,
        None => verdict.effect,
        Some(effect) => effect_of(effect, rule, &verdict, question),
    };
    (Verdict { step, effect, ..verdict }, Some(place))
}

fn effect_of(effect: RuleEffect, rule: &ErrorRule, verdict: &Verdict, question: Question) -> Effect {
    let extent = match rule.scope {
        RuleScope::Key => Extent::Key,
        RuleScope::Model if question.names_model => Extent::Model,
        // There is no model that it could be about.
        RuleScope::Model => return Effect::None,
    };
    let seconds = (rule.seconds > 0).then(|| Duration::from_secs(rule.seconds.into()));
    match effect {
        RuleEffect::Nothing => Effect::None,
        RuleEffect::Refuse => Effect::Refuse(extent),
        RuleEffect::Cool => seconds
            .or(verdict.pause)
            .map_or(Effect::Guess(extent), |pause| Effect::Rest(extent, pause.min(LONGEST_PAUSE))),
        RuleEffect::Exhaust => {
            let stated = match verdict.effect {
                Effect::Exhaust(_, stated) => stated,
                _ => None,
            };
            Effect::Exhaust(extent, seconds.map(|time| time.min(LONGEST_EXHAUSTION)).or(stated))
        }
    }
}

#[cfg(test)]
mod tests;
