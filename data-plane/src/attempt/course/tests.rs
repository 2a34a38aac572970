use std::time::Duration;

use shared::ids::Id;

use super::{Course, MOST_TRIES};
use shared::verdict::Step;

/// A walk that has been at these groups, and what each said of what comes next.
fn after(tried: &[(&str, Step)]) -> Course {
    let mut course = Course::default();
    for (group, step) in tried {
        course.sent();
        course.tried(&Id::from(*group), *step);
    }
    course
}

#[test]
fn a_group_gets_as_many_further_attempts_as_its_retry_count_says_and_three_keys_at_most() {
    use Step::{NextGroup, NextKey};
    // What was tried, the group of the next candidate with its retry count, and whether that one may be tried.
    type Case<'c> = (&'c [(&'c str, Step)], &'c str, u32, bool);
    const A: (&str, Step) = ("a", NextKey);
    const B: (&str, Step) = ("b", NextKey);
    let cases: &[Case<'_>] = &[
        (&[], "a", 3, true),
        // The first attempt is no further one.
        (&[], "a", 0, true),
        (&[A], "a", 0, false),
        (&[A], "a", 1, true),
        (&[A, A], "a", 1, false),
        // No more than three keys of one group are tried.
        (&[A, A], "a", 9, true),
        (&[A, A, A], "a", 9, false),
        (&[A, B, B, B], "b", 9, false),
        (&[A, B, B], "b", 9, true),
        // Each group has a count of its own, and one without any is passed over.
        (&[A], "b", 0, false),
        (&[A], "c", 3, true),
        (&[A, A, A], "b", 3, true),
        (&[A, A, B], "b", 1, false),
        (&[A, A, B], "b", 2, true),
        // A group without the model is done with, whatever its count.
        (&[("a", NextGroup)], "a", 9, false),
        (&[("a", NextGroup)], "b", 1, true),
    ];
    for (tried, group, retry_count, allowed) in cases {
        let course = after(tried);
        assert_eq!(course.may_try(&Id::from(*group), *retry_count), *allowed, "{tried:?} {group} {retry_count}");
    }
}

#[test]
fn a_walk_goes_on_in_time_and_for_six_attempts() {
    use Step::{End, NextGroup, NextKey, Unsigned};
    assert!(after(&[]).goes_on(false) && after(&[("a", NextKey), ("a", NextGroup)]).goes_on(false));
    // The first finds out for itself that there is no time left.
    assert!(after(&[]).goes_on(true) && !after(&[("a", NextKey)]).goes_on(true));
    assert!(!after(&[("a", End)]).goes_on(false) && !after(&[("a", NextKey), ("a", Unsigned)]).goes_on(false));
    assert_eq!(MOST_TRIES, 6);
    let tried = ["a", "b", "c", "d", "e", "f"].map(|group| (group, NextKey));
    assert!(after(&tried[1..]).goes_on(false) && !after(&tried).goes_on(false));
    // What is sent to one candidate once more counts too.
    let course = after(&tried[2..]);
    assert!(course.may_send());
    (0..2).for_each(|_| course.sent());
    assert!(!course.may_send() && !course.goes_on(false));
}

#[test]
fn pauses_double_at_the_same_group_and_another_begins_at_once() {
    let pause = |tried: &[&str], next: &str| {
        let tried: Vec<_> = tried.iter().map(|group| (*group, Step::NextKey)).collect();
        after(&tried).longest_pause(&Id::from(next))
    };
    assert_eq!(pause(&[], "a"), Duration::ZERO);
    assert_eq!(pause(&["a"], "a"), Duration::from_millis(50));
    assert_eq!(pause(&["a", "a"], "a"), Duration::from_millis(100));
    assert_eq!(pause(&["a", "a", "a", "a", "a", "a", "a"], "a"), Duration::from_secs(1));
    assert_eq!(pause(&["a", "a"], "b"), Duration::ZERO);
    assert_eq!(pause(&["a", "b"], "b"), Duration::from_millis(50));
}

#[test]
fn an_attempt_that_still_runs_counts_for_the_one_beside_it() {
    use Step::{NextGroup, NextKey};
    let may = |tried: &[(&str, Step)], first: &str, group: &str, retry_count| {
        after(tried).may_try_beside(&Id::from(first), &Id::from(group), retry_count)
    };
    // The first attempt of the request is no further one, the one beside it is.
    assert!(may(&[], "a", "a", 1) && !may(&[], "a", "a", 0));
    assert!(may(&[], "a", "b", 1) && !may(&[], "a", "b", 0));
    // The one that runs is a further one here.
    assert!(may(&[("b", NextKey)], "a", "a", 2) && !may(&[("b", NextKey)], "a", "a", 1));
    // Three keys of a group, and six attempts in all.
    assert!(may(&[("a", NextKey)], "a", "a", 9) && !may(&[("a", NextKey), ("a", NextKey)], "a", "a", 9));
    assert!(!may(&[("b", NextGroup)], "a", "b", 9));
    let tried = ["a", "b", "c", "d", "e", "f"].map(|group| (group, NextKey));
    assert!(may(&tried[1..], "g", "h", 9) && !may(&tried, "g", "h", 9));
}

#[test]
fn what_ends_a_walk_ends_it_whichever_of_two_is_heard_first() {
    use Step::{End, NextKey};
    assert!(!after(&[("a", End), ("b", NextKey)]).goes_on(false));
    assert!(!after(&[("a", NextKey), ("b", End)]).goes_on(false));
}

#[test]
fn what_is_spared_takes_none_of_the_attempts() {
    let course = Course::default();
    for _ in 0..2 * MOST_TRIES {
        course.sent();
        course.spared();
    }
    assert!(course.may_send() && course.is_new() && course.goes_on(false));
}
