use std::sync::Arc;

use proptest::prelude::*;
use shared::pb;

use super::{History, Steps, merge};

fn delta(from: u64, to: u64, present: &[&str], gone: &[&str]) -> Arc<pb::Delta> {
    let group = |id: &&str| pb::Group { id: (*id).to_owned(), name: format!("{id}@{to}"), ..pb::Group::default() };
    Arc::new(pb::Delta {
        from_version: from,
        version: to,
        epoch: "e".to_owned(),
        min_schema: 1,
        groups: present.iter().map(group).collect(),
        removed_group_ids: gone.iter().map(|id| (*id).to_owned()).collect(),
        ..pb::Delta::default()
    })
}

fn since(history: &History, version: u64) -> Option<pb::Delta> {
    match history.since(version)? {
        Steps::Merged(delta) => Some(delta.as_ref().clone()),
        Steps::Several(steps) => merge(version, &steps),
    }
}

#[test]
fn several_steps_become_one_and_the_last_word_counts() {
    let mut history = History::default();
    history.push(delta(1, 2, &["a", "b"], &[]));
    history.push(delta(2, 3, &["c"], &["a"]));
    history.push(delta(3, 4, &["a", "b"], &["c"]));
    let merged = since(&history, 1).unwrap();
    assert_eq!((merged.from_version, merged.version), (1, 4));
    assert_eq!(merged.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["a@4", "b@4"]);
    assert_eq!(merged.removed_group_ids, ["c"]);
}

#[test]
fn the_last_word_on_the_rules_for_errors_counts() {
    let ruling = |from, words: Option<&[&str]>| {
        let rule = |word: &&str| pb::ErrorRule { words: vec![(*word).to_owned()], ..pb::ErrorRule::default() };
        let mut step = delta(from, from + 1, &[], &[]).as_ref().clone();
        step.error_rules_changed = words.is_some();
        step.error_rules = words.unwrap_or_default().iter().map(rule).collect();
        Arc::new(step)
    };
    let merged = |steps: &[Option<&[&str]>]| {
        let steps: Vec<_> = (1..).zip(steps).map(|(from, words)| ruling(from, *words)).collect();
        let merged = merge(1, &steps).unwrap();
        let words: Vec<_> = merged.error_rules.into_iter().flat_map(|rule| rule.words).collect();
        (merged.error_rules_changed, words)
    };
    assert_eq!(merged(&[None, None]), (false, vec![]));
    assert_eq!(merged(&[Some(&["a"]), None, Some(&["b"]), None]), (true, vec!["b".to_owned()]));
    assert_eq!(merged(&[Some(&["a"]), Some(&[])]), (true, vec![]));
}

#[test]
fn the_newest_step_is_shared() {
    let mut history = History::default();
    history.push(delta(1, 2, &["a"], &[]));
    let newest = delta(2, 3, &["b"], &[]);
    history.push(Arc::clone(&newest));
    assert!(matches!(history.since(2), Some(Steps::Merged(found)) if Arc::ptr_eq(&found, &newest)));
    let merged = Arc::new(since(&history, 1).unwrap());
    history.remember(&merged);
    assert!(matches!(history.since(1), Some(Steps::Merged(found)) if Arc::ptr_eq(&found, &merged)));
    history.push(delta(3, 4, &[], &["b"]));
    assert_eq!(since(&history, 1).unwrap().version, 4);
}

#[test]
fn a_version_within_a_step_is_known_and_others_are_not() {
    let mut history = History::default();
    history.push(delta(10, 20, &["a"], &[]));
    assert_eq!(since(&history, 15).unwrap().from_version, 15);
    assert!(history.since(9).is_none());
    assert!(history.since(20).is_none());
    assert!(history.since(21).is_none());
}

#[test]
fn a_gap_starts_a_new_history() {
    let mut history = History::default();
    history.push(delta(1, 2, &["a"], &[]));
    history.push(delta(5, 6, &["a"], &[]));
    assert!(history.since(1).is_none());
    assert!(history.since(5).is_some());
}

#[test]
fn it_is_bounded_by_number_and_by_size() {
    let mut few = History::bounded(2, usize::MAX);
    let mut small = History::bounded(usize::MAX, 40);
    for version in 1..10 {
        few.push(delta(version, version + 1, &["a"], &[]));
        small.push(delta(version, version + 1, &["a"], &[]));
    }
    assert!(few.since(8).is_some() && few.since(7).is_none());
    assert!(small.deltas.len() < 3 && small.bytes <= 40);
    small.push(delta(10, 11, &["a-group-with-a-name-that-is-longer-than-the-bound"], &[]));
    assert_eq!(small.bytes, 0);
    assert!(small.deltas.is_empty());
}

proptest! {
    /// Applying the merged delta gives what applying the steps one by one gives.
    #[test]
    fn merged_is_the_same_as_one_by_one(
        steps in prop::collection::vec(prop::collection::btree_map(0_u8..6, any::<bool>(), 0..5), 1..12),
        start in 0_usize..12,
    ) {
        let mut history = History::default();
        let mut states = vec![std::collections::BTreeMap::<String, String>::new()];
        for (version, step) in (1_u64..).zip(&steps) {
            let names: Vec<(String, bool)> = step.iter().map(|(id, present)| (id.to_string(), *present)).collect();
            let of = |wanted: bool| -> Vec<&str> {
                names.iter().filter(|(_, present)| *present == wanted).map(|(id, _)| id.as_str()).collect()
            };
            let delta = delta(version, version + 1, &of(true), &of(false));
            let mut state = states.last().unwrap().clone();
            apply(&mut state, &delta);
            states.push(state);
            history.push(delta);
        }
        let start = start % steps.len();
        let merged = since(&history, start as u64 + 1).unwrap();
        let mut state = states[start].clone();
        apply(&mut state, &merged);
        prop_assert_eq!(&state, states.last().unwrap());
    }
}

fn apply(state: &mut std::collections::BTreeMap<String, String>, delta: &pb::Delta) {
    for id in &delta.removed_group_ids {
        state.remove(id);
    }
    for group in &delta.groups {
        state.insert(group.id.clone(), group.name.clone());
    }
}
