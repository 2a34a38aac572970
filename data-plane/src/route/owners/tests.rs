use super::{LONGEST_ID, Owner, Owners};

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
