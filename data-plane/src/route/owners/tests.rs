use std::sync::Arc;

use super::{LONGEST_ID, Owner, Owners};
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

fn owner(group: &str, key: &str) -> Owner {
    Owner { group: group.into(), key: key.into() }
}

#[test]
fn what_was_learnt_last_is_remembered_within_bounds() {
    let owners = Owners::with_capacity(3);
    for id in ["a", "b", "c", "d"] {
        owners.learn(id, owner("g", id));
    }
    assert_eq!(owners.of("a"), Some(owner("g", "a")));
    assert_eq!(owners.of("d"), Some(owner("g", "d")));
    for id in ["e", "f", "g"] {
        owners.learn(id, owner("g", id));
    }
    assert_eq!((owners.of("a"), owners.of("d")), (None, Some(owner("g", "d"))));
    owners.forget("d");
    assert_eq!(owners.of("d"), None);
    let long = "x".repeat(LONGEST_ID + 1);
    owners.learn(&long, owner("g", "k"));
    owners.learn("", owner("g", "k"));
    assert_eq!((owners.of(&long), owners.of("")), (None, None));
}

#[test]
fn a_plan_is_narrowed_to_the_owners_group_with_its_key_first() {
    let mut first = group("a", &["m"]);
    first.upstream_keys.push(upstream_key("a-2"));
    let key = key("k", "sk");
    let table = RouteTable::compile(Arc::new(snapshot([first, group("b", &["m"])], [key.clone()])), None);
    let principal = table.client(&key.digest).unwrap();
    let narrowed = |owner: Owner| {
        let mut candidates = Plan::make(&table, principal, "m").candidates;
        let found = owner.narrow(&mut candidates);
        (found, candidates.iter().map(|candidate| candidate.key.key.id.to_string()).collect::<Vec<_>>())
    };
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(narrowed(owner("a", "a-2")), (true, keys(&["a-2", "a-1"])));
    assert_eq!(narrowed(owner("b", "gone")), (true, keys(&["b-1"])));
    assert_eq!(narrowed(owner("z", "z-1")), (false, keys(&["a-1", "a-2", "b-1"])));
}
