use serde_json::{Value, json};

use super::{BudgetField, EffortField, ThinkingRules};
use crate::ir::{Effort, Reasoning, Thinking};

const SIZED: ThinkingRules = ThinkingRules {
    models: &["a-", "b*-c"],
    efforts: Some(EffortField::usual(&[(Effort::Low, "low"), (Effort::Medium, "high"), (Effort::Max, "max")])),
    ..ThinkingRules::SWITCHED
};

const BUDGETED: ThinkingRules = ThinkingRules {
    budget: Some(BudgetField { field: "budget", beside: &[], range: (128, 20_000), for_efforts: true }),
    ..ThinkingRules::SWITCHED
};

fn said(effort: Option<Effort>, thinking: Option<Thinking>) -> Reasoning {
    Reasoning { effort, thinking, summary: None }
}

fn planned(rules: &ThinkingRules, effort: Option<Effort>, thinking: Option<Thinking>) -> (bool, Value, bool) {
    let plan = rules.plan(Some(&said(effort, thinking)), true);
    let fields = plan.fields.iter().map(|(path, value)| ((*path).to_owned(), serde_json::from_str(value).unwrap()));
    (plan.thinks, Value::Object(fields.collect()), plan.unsaid)
}

#[test]
fn names_are_matched_at_their_beginning_and_behind_the_last_slash() {
    static RULES: &[ThinkingRules] = &[SIZED, ThinkingRules { models: &["a"], ..ThinkingRules::NONE }];
    let of = |model| ThinkingRules::of(RULES, model).map(|rules| rules.models[0]);
    assert_eq!(["a-1", "Maker/A-1", "accounts/x/models/a-1"].map(of), [Some("a-"); 3]);
    assert_eq!(["b-c", "b1-c9", "x/b.1-c"].map(of), [Some("a-"); 3]);
    assert_eq!([of("a"), of("ab"), of("b"), of("c-a-1"), of("")], [Some("a"), Some("a"), None, None, None]);
    assert_eq!(ThinkingRules::of(&[], "a-1"), None);
}

#[test]
fn a_word_takes_the_vendors_next_below_or_its_least() {
    let word = |effort| planned(&SIZED, Some(effort), None).1["reasoning_effort"].clone();
    let words = [Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max].map(word);
    assert_eq!(words, ["low", "low", "high", "high", "high", "max"].map(Value::from));
}

#[test]
fn on_off_and_sizes_become_the_vendors_fields() {
    let on = json!({"thinking.type": "enabled"});
    assert_eq!(planned(&SIZED, None, Some(Thinking::Adaptive)), (true, on.clone(), false));
    assert_eq!(planned(&SIZED, None, Some(Thinking::Off)), (false, json!({"thinking.type": "disabled"}), false));
    assert_eq!(planned(&SIZED, Some(Effort::None), None), (false, json!({"thinking.type": "disabled"}), false));
    let sized = json!({"thinking.type": "enabled", "reasoning_effort": "low"});
    assert_eq!(planned(&SIZED, None, Some(Thinking::Budget(2_000))), (true, sized, false));
    assert_eq!(planned(&ThinkingRules::SWITCHED, Some(Effort::High), None), (true, on, false));
    let budget = |tokens: u64| (true, json!({"thinking.type": "enabled", "budget": tokens}), false);
    assert_eq!(planned(&BUDGETED, None, Some(Thinking::Budget(5_000))), budget(5_000));
    assert_eq!(planned(&BUDGETED, None, Some(Thinking::Budget(5))), budget(128));
    assert_eq!(planned(&BUDGETED, Some(Effort::Max), None), budget(20_000));
}

#[test]
fn a_wish_that_cannot_be_said_is_reported() {
    let none = json!({});
    assert_eq!(planned(&ThinkingRules::NONE, Some(Effort::Low), None), (false, none.clone(), true));
    assert_eq!(planned(&ThinkingRules::NONE, Some(Effort::None), None), (false, none.clone(), false));
    assert_eq!(planned(&ThinkingRules::ALWAYS, Some(Effort::None), None), (true, none.clone(), true));
    assert_eq!(planned(&ThinkingRules::ALWAYS, Some(Effort::High), None), (true, none.clone(), true));
    assert_eq!(planned(&ThinkingRules::ALWAYS, None, Some(Thinking::Adaptive)), (true, none, false));
    let worded = ThinkingRules { efforts: Some(EffortField::LOW_TO_HIGH), ..ThinkingRules::ALWAYS };
    assert_eq!(planned(&worded, Some(Effort::None), None), (true, json!({"reasoning_effort": "low"}), true));
}

#[test]
fn what_goes_beside_thoughts_is_written_unasked() {
    let rules = ThinkingRules { beside: &[("reasoning_format", "\"parsed\"")], ..ThinkingRules::SWITCHED };
    assert_eq!(rules.plan(None, true).fields, [("reasoning_format", "\"parsed\"".into())]);
    assert_eq!(rules.plan(Some(&said(Some(Effort::None), None)), true).fields.len(), 1);
}

#[test]
fn models_that_think_in_streams_only_do_not_think_otherwise() {
    let rules = ThinkingRules { only_streamed: true, ..ThinkingRules::SWITCHED };
    assert_eq!(rules.plan(None, true).fields, []);
    let unasked = rules.plan(None, false);
    assert_eq!((unasked.thinks, unasked.unsaid, unasked.fields.len()), (false, false, 1));
    let asked = rules.plan(Some(&said(Some(Effort::High), None)), false);
    assert_eq!((asked.thinks, asked.unsaid, asked.fields), (false, true, unasked.fields));
}
