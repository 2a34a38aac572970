use super::*;

/// A breaker that has opened at 1,000 after some failures in a row.
fn open() -> Breaker {
    let breaker = Breaker::default();
    for _ in 1..IN_A_ROW {
        assert!(!breaker.failed(1_000, 1_000));
        assert!(breaker.allows(1_000));
    }
    assert!(breaker.failed(1_000, 1_000));
    breaker
}

#[test]
fn p04_five_failures_in_a_row_open_it_and_one_test_at_a_time_closes_it() {
    let breaker = open();
    assert!(!breaker.allows(1_999) && !breaker.enter(1_999));
    assert_eq!(breaker.closed_until(1_500), Some(2_000));
    assert!(breaker.allows(2_000) && breaker.enter(2_000));
    assert!(!breaker.allows(2_001) && !breaker.enter(2_001), "a test is under way");
    breaker.succeeded(2_100);
    assert!(breaker.allows(2_100) && breaker.enter(2_100) && breaker.enter(2_100));
    assert_eq!(breaker.closed_until(2_100), None);
}

#[test]
fn p04_a_test_that_fails_doubles_the_pause_up_to_a_bound() {
    let breaker = open();
    let mut now = 1_000;
    for pause in [1_000, 2_000, 4_000, 8_000, 8_000, 8_000] {
        assert!(!breaker.allows(now + pause - 1));
        now += pause;
        assert!(breaker.enter(now));
        assert!(breaker.failed(now, now));
    }
    // It begins anew after it was closed.
    assert!(breaker.enter(now + 8_000));
    breaker.succeeded(now + 8_000);
    for _ in 1..IN_A_ROW {
        assert!(!breaker.failed(now + 8_000, now + 8_000));
    }
    assert!(breaker.failed(now + 8_000, now + 8_000));
    assert!(breaker.enter(now + 9_000));
}

#[test]
fn p05_a_test_that_reaches_a_limit_keeps_it_open_and_any_other_request_does_not_open_it() {
    let breaker = open();
    assert!(breaker.enter(2_000) && breaker.limited(2_050, 2_000));
    assert!(!breaker.allows(4_049) && breaker.enter(4_050));
    breaker.succeeded(4_100);
    for _ in 0..100 {
        assert!(!breaker.limited(4_200, 4_200) && breaker.allows(4_200));
    }
}

#[test]
fn a_limit_is_trouble_until_the_next_good_answer_and_a_failure_until_its_window_is_over() {
    let breaker = Breaker::default();
    assert!(breaker.is_untroubled());
    breaker.limited(0, 0);
    assert!(!breaker.is_untroubled());
    breaker.succeeded(10);
    assert!(breaker.is_untroubled());
    breaker.failed(20, 20);
    breaker.succeeded(30);
    assert!(!breaker.is_untroubled());
    breaker.succeeded(30 + WINDOW_MS);
    assert!(breaker.is_untroubled());
}

#[test]
fn a_test_that_says_nothing_makes_way_for_another() {
    let breaker = open();
    assert!(breaker.enter(2_000) && !breaker.enter(2_000));
    breaker.left(2_000);
    assert!(breaker.enter(2_000));
    // One that never ends counts as lost.
    assert!(!breaker.enter(2_000 + TEST_MS - 1) && breaker.enter(2_000 + TEST_MS));
}

#[test]
fn half_of_many_that_fail_open_it_and_few_do_not() {
    let breaker = Breaker::default();
    for turn in 0..FEWEST {
        if turn % 2 == 0 {
            assert!(!breaker.failed(5_000, 5_000), "{turn}");
        } else {
            breaker.succeeded(5_000);
        }
    }
    assert!(breaker.failed(5_000, 5_000));
    let breaker = Breaker::default();
    for second in 0..100 {
        assert!(!breaker.failed(second * WINDOW_MS, second * WINDOW_MS));
        breaker.succeeded(second * WINDOW_MS);
    }
}

#[test]
fn what_was_under_way_when_it_opened_changes_nothing() {
    let breaker = open();
    for _ in 0..10 {
        assert!(!breaker.failed(1_500, 900));
    }
    assert!(breaker.allows(2_000) && breaker.enter(2_000));
    // Nor while a test is under way.
    breaker.left(900);
    assert!(!breaker.failed(2_100, 900) && !breaker.allows(2_100));
    assert!(breaker.failed(2_200, 2_000) && breaker.allows(4_200));
}
