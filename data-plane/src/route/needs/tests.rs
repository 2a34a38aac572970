use serde_json::json;

use super::{Bounds, GroupFacts, Lack, Needs};
use crate::provider::Endpoint;
use crate::route::fixtures::group;

fn bounds(model: &str, change: impl FnOnce(&mut shared::snapshot::Group)) -> Bounds {
    let mut group = group("g", &[model]);
    change(&mut group);
    GroupFacts::of(&group, Endpoint::of(&group).as_ref()).of_model(model).1
}

#[test]
fn what_the_build_knows_is_certain_at_the_vendors_own_address_only() {
    let own = bounds("gpt-3.5-turbo", |group| group.base_url = "https://API.openai.com/v1".into());
    assert_eq!(own, Bounds { context: 16_385, vision: false, tools: true });
    // A relay or another server may have any model under the name.
    assert_eq!(bounds("gpt-3.5-turbo", |group| group.base_url = "https://relay.example/v1".into()), Bounds::UNKNOWN);
    assert_eq!(bounds("acme", |group| group.base_url = "https://api.openai.com/v1".into()), Bounds::UNKNOWN);
}

#[test]
fn what_the_group_itself_says_is_certain_everywhere() {
    let facts = json!({"gpt-3.5": {"tools": false, "context": 1000}});
    let facts = facts.as_object().unwrap();
    let relay = bounds("gpt-3.5-turbo", |group| group.model_facts = facts.clone());
    assert_eq!(relay, Bounds { context: 1000, vision: true, tools: false });
    let own = bounds("gpt-3.5-turbo", |group| {
        group.base_url = "https://api.openai.com/v1".into();
        group.model_facts = facts.clone();
    });
    assert_eq!(own, Bounds { context: 1000, vision: false, tools: false });
    let lifted = bounds("gpt-3.5-turbo", |group| {
        group.base_url = "https://api.openai.com/v1".into();
        group.model_facts = json!({"gpt-3.5": {"vision": true, "context": null}}).as_object().unwrap().clone();
    });
    assert_eq!(lifted, Bounds::UNKNOWN);
}

#[test]
fn a_group_that_sets_what_decides_lacks_nothing_for_certain() {
    let facts = json!({"m": {"tools": false, "context": 1000}}).as_object().unwrap().clone();
    let set = |name: &str| {
        bounds("m", |group| {
            group.model_facts = facts.clone();
            group.parameter_overrides.insert(name.to_owned(), json!("auto"));
        })
    };
    assert_eq!((set("truncation").context, set("truncation").tools), (u64::MAX, false));
    assert_eq!((set("tool_choice").context, set("tool_choice").tools), (1000, true));
}

#[test]
fn a_model_lacks_what_is_needed_and_known_not_to_be_there() {
    let bounds = Bounds { context: 100, tools: false, vision: false };
    let lack = |tokens, tools, vision| bounds.lack(&Needs { tokens, tools, vision });
    assert_eq!(lack(100, false, false), None);
    assert_eq!(lack(101, true, true), Some(Lack::Room(100)));
    assert_eq!((lack(0, true, true), lack(0, false, true)), (Some(Lack::Tools), Some(Lack::Vision)));
    assert_eq!(Bounds::UNKNOWN.lack(&Needs { tokens: u64::MAX, tools: true, vision: true }), None);
}
