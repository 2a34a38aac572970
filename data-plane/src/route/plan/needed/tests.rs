use std::sync::Arc;

use serde_json::json;
use shared::snapshot::Group;

use crate::route::fixtures::{group, key, snapshot};
use crate::route::needs::Needs;
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

fn knowing(id: &str, facts: &serde_json::Value) -> Group {
    let mut group = group(id, &["m"]);
    group.model_facts = json!({ "m": facts }).as_object().unwrap().clone();
    group
}

/// The groups that are asked, or the code of the refusal.
fn asked(groups: &[Group], needs: Needs) -> Result<Vec<String>, (&'static str, String)> {
    let key = key("k", "sk");
    let table = RouteTable::compile(Arc::new(snapshot(groups.iter().cloned(), [key.clone()])), None);
    let plan = Plan::make(&table, table.client(&key.digest).unwrap(), "m");
    let mut groups: Vec<_> = plan
        .needing(needs, "m")
        .map_err(|error| (error.code(), error.to_string()))?
        .map(|candidate| candidate.group.group.id.to_string())
        .collect();
    groups.sort();
    Ok(groups)
}

#[test]
fn what_certainly_cannot_answer_is_left_out() {
    let groups = [
        knowing("blind", &json!({"vision": false})),
        knowing("short", &json!({"context": 1000})),
        knowing("toolless", &json!({"tools": false})),
        group("unknown", &["m"]),
    ];
    let needs = |tokens, tools, vision| Needs { tokens, tools, vision };
    for (needs, expected) in [
        (needs(0, false, false), vec!["blind", "short", "toolless", "unknown"]),
        (needs(1000, false, false), vec!["blind", "short", "toolless", "unknown"]),
        (needs(1001, false, false), vec!["blind", "toolless", "unknown"]),
        (needs(0, true, false), vec!["blind", "short", "unknown"]),
        (needs(0, false, true), vec!["short", "toolless", "unknown"]),
        (needs(5000, true, true), vec!["unknown"]),
    ] {
        assert_eq!(asked(&groups, needs).unwrap(), expected, "{needs:?}");
    }
}

#[test]
fn where_none_can_the_refusal_says_what() {
    let short = [knowing("short", &json!({"context": 1000})), knowing("longer", &json!({"context": 3000}))];
    let (code, said) = asked(&short, Needs { tokens: 3500, ..Needs::default() }).unwrap_err();
    assert_eq!(code, "context_length_exceeded");
    assert!(said.contains("3500 tokens > 3000 maximum"), "{said}");
    let blind = [knowing("blind", &json!({"vision": false}))];
    let (code, said) = asked(&blind, Needs { vision: true, ..Needs::default() }).unwrap_err();
    assert_eq!((code, said.contains("cannot take pictures")), ("unsupported_by_model", true), "{said}");
    let toolless = [knowing("toolless", &json!({"tools": false}))];
    let (code, said) = asked(&toolless, Needs { tools: true, ..Needs::default() }).unwrap_err();
    assert_eq!((code, said.contains("cannot call tools")), ("unsupported_by_model", true), "{said}");
}
