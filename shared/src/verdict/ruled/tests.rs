use std::time::Duration;

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use translation::Format;
use translation::vendors::ErrorRules;

use super::super::{Effect, Extent, LONGEST_PAUSE, Meaning, Question, Step, Verdict, judge};
use super::ruled;
use crate::snapshot::{ErrorRule, RuleEffect, RuleScope, RuleStep};

const CHAT: Question = Question { beside_chat: false, names_model: true };

fn said(status: u16, words: &str, rules: &[ErrorRule]) -> (Verdict, Option<usize>) {
    let body = format!(r#"{{"error":{{"message":"{words}"}}}}"#);
    let error = Format::OpenAiChat.protocol().decode_error(status, body.as_bytes());
    let code = StatusCode::from_u16(status).unwrap();
    let verdict = judge(code, &HeaderMap::new(), &error, body.as_bytes(), CHAT, &ErrorRules::USUAL);
    ruled(verdict, status, body.as_bytes(), CHAT, rules)
}

fn rule(statuses: &[u16], words: &[&str]) -> ErrorRule {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    ErrorRule { statuses: statuses.to_vec(), words, ..ErrorRule::default() }
}

#[test]
fn the_first_rule_that_fits_counts_and_says_only_what_it_says() {
    let busy = ErrorRule { step: Some(RuleStep::NextGroup), ..rule(&[503], &["BUSY"]) };
    let spent = ErrorRule {
        effect: Some(RuleEffect::Exhaust),
        scope: RuleScope::Key,
        seconds: 7_200,
        ..rule(&[], &["no tokens left"])
    };
    let rest = ErrorRule { effect: Some(RuleEffect::Cool), ..rule(&[503, 429], &[]) };
    let rules = [busy, spent, rest];
    let (verdict, place) = said(503, "We are busy now", &rules);
    assert_eq!((verdict.step, verdict.effect, place), (Step::NextGroup, Effect::None, Some(0)));
    let (verdict, place) = said(503, "There are No tokens left", &rules);
    let two_hours = Effect::Exhaust(Extent::Key, Some(Duration::from_hours(2)));
    assert_eq!((verdict.step, verdict.effect, place), (Step::NextKey, two_hours, Some(1)));
    let (verdict, place) = said(503, "?", &rules);
    assert_eq!((verdict.effect, place), (Effect::Guess(Extent::Model), Some(2)));
    let (verdict, place) = said(429, "Please try again in 9s.", &rules);
    assert_eq!((verdict.effect, place), (Effect::Rest(Extent::Model, Duration::from_secs(9)), Some(2)));
    assert_eq!(said(500, "?", &rules).1, None);
    let long = ErrorRule { effect: Some(RuleEffect::Cool), seconds: 9_000, ..rule(&[], &[]) };
    assert_eq!(said(500, "?", &[long]).0.effect, Effect::Rest(Extent::Model, LONGEST_PAUSE));
}

fn any_rule() -> impl Strategy<Value = ErrorRule> {
    let steps =
        prop::sample::select(vec![None, Some(RuleStep::End), Some(RuleStep::NextKey), Some(RuleStep::NextGroup)]);
    let effects = [RuleEffect::Nothing, RuleEffect::Cool, RuleEffect::Exhaust, RuleEffect::Refuse];
    let effects = prop::option::of(prop::sample::select(effects.to_vec()));
    (steps, effects, any::<bool>(), any::<u32>()).prop_map(|(step, effect, key, seconds)| {
        let scope = if key { RuleScope::Key } else { RuleScope::Model };
        ErrorRule { step, effect, scope, seconds, ..ErrorRule::default() }
    })
}

proptest! {
    #[test]
    fn no_rule_makes_a_fault_of_the_clients_harm_a_key_or_repeats_what_may_not_be(rule in any_rule()) {
        for status in [400, 404, 409, 413, 422] {
            let (verdict, _) = said(status, "wrong", std::slice::from_ref(&rule));
            prop_assert_eq!((verdict.meaning, verdict.effect), (Meaning::ClientFault, Effect::None));
        }
        for status in [302, 508] {
            prop_assert_eq!(said(status, "", std::slice::from_ref(&rule)).0.step, Step::End);
        }
    }
}
