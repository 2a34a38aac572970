use std::sync::Arc;

use super::{OneTest, TEST_MS};

#[test]
fn one_test_runs_at_a_time_until_it_is_dropped() {
    let of = Arc::new(OneTest::default());
    assert!(!of.is_on(5));
    let first = of.begin(5).unwrap();
    assert!(of.is_on(6) && of.begin(6).is_none());
    drop(first);
    assert!(!of.is_on(7) && of.begin(7).is_some());
}

#[test]
fn a_test_that_counts_as_lost_makes_room_and_does_not_end_its_successor() {
    let of = Arc::new(OneTest::default());
    let lost = of.begin(0).unwrap();
    assert!(of.begin(TEST_MS).is_none());
    let second = of.begin(TEST_MS + 1).unwrap();
    drop(lost);
    assert!(of.is_on(TEST_MS + 2));
    drop(second);
    assert!(!of.is_on(TEST_MS + 2));
}
