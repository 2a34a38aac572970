use std::sync::Arc;

use super::{failover, own_first};
use crate::route::fixtures::group;

#[test]
fn groups_go_by_priority_and_then_by_age() {
    let prioritised = |id: &str, priority| {
        let mut group = group(id, &[]);
        group.priority = priority;
        group
    };
    let mut groups = [("d", 0), ("a", 0), ("c", 7), ("b", -1)].map(|(id, priority)| prioritised(id, priority));
    groups.sort_by(failover);
    assert_eq!(groups.map(|group| Arc::clone(&group.id)).each_ref().map(|id| &**id), ["c", "a", "d", "b"]);
}

#[test]
fn a_key_of_its_own_goes_before_the_others_and_they_keep_their_order() {
    let order = |own| [0, 1, 2, 3].map(|position| own_first(own, position));
    assert_eq!(order(None), [0, 1, 2, 3]);
    assert_eq!(order(Some(0)), [0, 1, 2, 3]);
    assert_eq!(order(Some(2)), [2, 0, 1, 3]);
    assert_eq!(order(Some(3)), [3, 0, 1, 2]);
}
