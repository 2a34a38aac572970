use proptest::prelude::*;

use super::RetryBudget;

/// Some time, in the middle of a second.
const NOW: i64 = 1_764_500_000_500;

fn taken(budget: &RetryBudget, now: i64, wanted: usize) -> usize {
    (0..wanted).filter(|_| budget.take(now)).count()
}

#[test]
fn retries_add_a_fifth_to_the_requests_of_ten_seconds() {
    let budget = RetryBudget::default();
    (0..1_000).for_each(|_| budget.began(NOW));
    assert_eq!(taken(&budget, NOW, 500), 200);
    // What is spent stays spent for ten seconds, but for three a second.
    assert_eq!(taken(&budget, NOW + 1_000, 500), 3);
    assert_eq!(taken(&budget, NOW + 9_000, 500), 3);
    // Then the requests are forgotten, and so are the retries.
    assert_eq!(taken(&budget, NOW + 25_000, 500), 30);
}

#[test]
fn three_retries_a_second_are_always_allowed() {
    let budget = RetryBudget::default();
    assert_eq!(taken(&budget, NOW, 100), 30);
    for second in 1..60 {
        assert!(taken(&budget, NOW + second * 1_000, 100) >= 3);
    }
}

proptest! {
    /// In any ten seconds there are no more retries than a fifth of the requests that could be counted, and what is
    /// always allowed; and in each second those that are always allowed.
    #[test]
    fn a_budget_is_kept_in_every_window_and_never_refuses_the_least(
        seconds in prop::collection::vec((0_u32..200, 0_usize..100), 1..60),
    ) {
        let budget = RetryBudget::default();
        let mut course = Vec::new();
        for (second, (requests, wanted)) in (0_i64..).zip(seconds) {
            let now = NOW + second * 1_000;
            (0..requests).for_each(|_| budget.began(now));
            let got = taken(&budget, now, wanted);
            prop_assert!(got >= wanted.min(3));
            course.push((requests as usize, got));
            let window = &course[course.len().saturating_sub(10)..];
            let seen = &course[course.len().saturating_sub(19)..];
            let retries: usize = window.iter().map(|(_, retries)| retries).sum();
            // What was allowed at the beginning of the window was so for the requests of the ten seconds before it.
            let most = (0..seen.len()).map(|end| {
                seen[(end + 1).saturating_sub(10)..=end].iter().map(|(requests, _)| requests).sum::<usize>()
            });
            prop_assert!(retries <= (most.max().unwrap_or(0) / 5).max(30) + 3 * 9);
        }
    }
}
