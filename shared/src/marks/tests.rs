use proptest::prelude::*;

use super::{
    EXHAUSTED_FOR_MS, GUESSED_PAUSE_MS, LONGEST_EXHAUSTION_MS, LONGEST_GUESSED_EXHAUSTION_MS, LONGEST_PAUSE_MS,
    MOST_AHEAD_MS, Mark, Marks, Observed, Outage, REFUSED_FOR_MS, REMEMBERED_MS, believed, doubled,
};

const NOW: i64 = 1_800_000_000_000;
const REFUSED: Observed = Observed::Refused { times: 0 };

/// All that keeps a key out at `now`.
fn out(known: &Marks, now: i64) -> [Option<Mark>; 4] {
    [known.refusal(now), known.pause(now), known.guess(now), known.exhaustion(now)]
}

fn observation() -> impl Strategy<Value = Marks> {
    let observed = prop_oneof![
        Just(Observed::Worked),
        (0..4_u8).prop_map(|times| Observed::Refused { times }),
        (0..4_u8).prop_map(|times| Observed::Doubted { times }),
        (0..400_000_i64).prop_map(|left| Observed::Paused { until: NOW + left }),
        (0..400_000_i64, 0..6_u8).prop_map(|(left, times)| Observed::Guessed { until: NOW + left, times }),
        (0..90_000_000_i64, 0..6_u8).prop_map(|(left, times)| Observed::Exhausted { until: NOW + left, times }),
    ];
    // Few different times, so that some observations fall into one millisecond.
    let at = (0..40_i64).prop_map(|step| NOW - 20_000 + step * 1_000);
    (observed, at, prop_oneof![Just(0_u16), Just(401), Just(429)])
        .prop_map(|(observed, at, status)| Marks::of(observed, at, status))
}

fn merged<'m>(news: impl IntoIterator<Item = &'m Marks>) -> Marks {
    news.into_iter().fold(Marks::default(), |mut known, news| {
        known.merge(news);
        known
    })
}

proptest! {
    #[test]
    fn p38_news_in_any_order_and_any_number_of_times_lead_to_the_same(
        (news, shuffled) in prop::collection::vec(observation(), 0..12)
            .prop_flat_map(|news| (Just(news.clone()), Just(news).prop_shuffle())),
        split in 0..12_usize,
    ) {
        let known = merged(&news);
        prop_assert_eq!(known, merged(&shuffled), "commutative");
        let (left, right) = shuffled.split_at(split.min(shuffled.len()));
        prop_assert_eq!(known, merged([&merged(left), &merged(right)]), "associative");
        let mut twice = known;
        prop_assert!(!twice.merge(&known) && news.iter().all(|news| !twice.merge(news)), "idempotent");
    }

    #[test]
    fn p38_a_key_that_has_worked_is_out_only_by_what_is_newer(
        news in prop::collection::vec(observation(), 1..12),
    ) {
        let known = merged(&news);
        let out = out(&known, NOW);
        prop_assert!(out.iter().flatten().all(|mark| mark.at > known.worked));
        prop_assert_eq!(known.out_until() > NOW, out.iter().flatten().next().is_some());
    }

    #[test]
    fn p38_what_is_told_of_a_state_is_the_state(news in prop::collection::vec(observation(), 1..12)) {
        let known = merged(&news);
        let told: Vec<_> = known.told(NOW).map(|(observed, at, status)| Marks::of(observed, at, status)).collect();
        let heard = merged(&told);
        prop_assert_eq!(out(&heard, NOW), out(&known, NOW));
        prop_assert_eq!(heard.worked, known.worked);
    }
}

#[test]
fn a_success_ends_what_is_older_and_not_what_is_newer() {
    let mut known = Marks::of(REFUSED, NOW, 401);
    assert!(known.merge(&Marks::of(Observed::Worked, NOW - 1, 200)));
    assert!(known.refusal(NOW).is_some(), "an old success does not wipe out a newer refusal");
    assert!(known.merge(&Marks::of(Observed::Worked, NOW, 200)));
    assert!(known.refusal(NOW).is_none());
    assert!(!known.merge(&Marks::of(REFUSED, NOW - 5, 401)), "old news says nothing new");
    known.merge(&Marks::of(Observed::Paused { until: NOW + 9_000 }, NOW + 1, 429));
    assert_eq!(known.pause(NOW + 2).map(|mark| mark.until), Some(NOW + 9_000));
    assert!(known.pause(NOW + 9_000).is_none());
}

#[test]
fn a_pause_is_bounded_and_a_refusal_ends_by_itself() {
    let long = Marks::of(Observed::Paused { until: NOW + 10_800_000 }, NOW, 429);
    assert_eq!(long.paused.until, NOW + LONGEST_PAUSE_MS);
    let past = Marks::of(Observed::Paused { until: 0 }, NOW, 429);
    assert_eq!(past.paused.until, NOW);
    let refused = Marks::of(REFUSED, NOW, 401);
    assert!(refused.refusal(NOW + REFUSED_FOR_MS - 1).is_some() && refused.refusal(NOW + REFUSED_FOR_MS).is_none());
    assert!(!refused.is_over(NOW + REFUSED_FOR_MS) && refused.is_over(NOW + REFUSED_FOR_MS + REMEMBERED_MS));
}

#[test]
fn a_refusal_in_doubt_lasts_as_long_and_the_newer_one_says_if_there_is_doubt() {
    let mut known = Marks::of(Observed::Doubted { times: 1 }, NOW, 401);
    let refusal = known.refusal(NOW).unwrap();
    assert!(refusal.doubtful);
    assert_eq!(refusal.until, Marks::of(Observed::Refused { times: 1 }, NOW, 401).refused.until);
    known.merge(&Marks::of(Observed::Refused { times: 1 }, NOW + 1, 401));
    assert!(!known.refusal(NOW + 1).unwrap().doubtful);
}

#[test]
fn p38_a_clock_that_is_ahead_is_not_believed() {
    let hour = 3_600_000;
    let pause = |until| Observed::Paused { until };
    assert_eq!(believed(REFUSED, NOW + hour, NOW), (REFUSED, NOW));
    assert_eq!(believed(pause(NOW + hour + 7_000), NOW + hour, NOW), (pause(NOW + 7_000), NOW));
    let near = NOW + MOST_AHEAD_MS;
    assert_eq!(believed(Observed::Worked, near, NOW), (Observed::Worked, near));
    assert_eq!(believed(Observed::Worked, NOW - hour, NOW), (Observed::Worked, NOW - hour));
}

#[test]
fn a_step_of_the_clock_moves_all_times_alike() {
    let mut known = Marks::of(Observed::Paused { until: NOW + 5_000 }, NOW, 429);
    known.merge(&Marks::of(Observed::Worked, NOW - 7, 200));
    known.shift(-3_600_000);
    assert_eq!((known.worked, known.paused.at), (NOW - 7 - 3_600_000, NOW - 3_600_000));
    assert_eq!((known.paused.until, known.refused.at), (NOW + 5_000 - 3_600_000, 0));
}

#[test]
fn p09_a_guess_doubles_until_the_key_has_worked() {
    let mut known = Marks::default();
    let mut now = NOW;
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let times = known.guessed.times_since(known.worked);
        let pause = doubled(GUESSED_PAUSE_MS, times, LONGEST_PAUSE_MS);
        pauses.push(pause / 1000);
        known.merge(&Marks::of(Observed::Guessed { until: now + pause, times }, now, 429));
        now += pause;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120]);
    known.merge(&Marks::of(Observed::Worked, now, 200));
    assert_eq!(known.guessed.times_since(known.worked), 0);
}

#[test]
fn an_exhaustion_is_bounded_and_outlives_what_it_is_told_with() {
    let day = LONGEST_GUESSED_EXHAUSTION_MS;
    let hours = |times| doubled(EXHAUSTED_FOR_MS, times, day) / 3_600_000;
    assert_eq!([0, 1, 2, 3, 4, 5, 255].map(hours), [1, 2, 4, 8, 16, 24, 24]);
    let mut known = Marks::of(Observed::Exhausted { until: i64::MAX, times: 0 }, NOW, 402);
    assert_eq!(known.exhausted.until, NOW + LONGEST_EXHAUSTION_MS);
    assert!(known.exhaustion(NOW + day).is_some() && !known.is_over(NOW + day));
    // As long as older news could count, it is remembered and told that they are disproved.
    let old = known;
    known.merge(&Marks::of(Observed::Worked, NOW + 5, 200));
    assert!(!known.is_over(NOW + day) && !known.merge(&old));
    assert!(known.told(NOW + day).any(|(observed, at, _)| observed == Observed::Worked && at == NOW + 5));
}

#[test]
fn an_exhaustion_that_a_provider_states_is_no_guess_even_where_it_is_as_long() {
    for times in [0, 1, 4, 5, 255] {
        let guess = NOW + doubled(EXHAUSTED_FOR_MS, times, LONGEST_GUESSED_EXHAUSTION_MS);
        let guessed = Marks::of(Observed::Exhausted { until: guess, times }, NOW, 402).exhausted;
        assert!(guessed.is_guessed_exhaustion());
        let stated = Marks::of(Observed::Exhausted { until: guess / 1_000 * 1_000, times }, NOW, 429).exhausted;
        assert!(!stated.is_guessed_exhaustion());
    }
}

#[test]
fn of_several_reasons_the_one_that_counts_most_is_shown() {
    let mut known = Marks::of(Observed::Refused { times: 0 }, NOW, 401);
    assert_eq!(known.outage(NOW).map(|(outage, mark)| (outage, mark.status)), Some((Outage::Refused, 401)));
    known.merge(&Marks::of(Observed::Exhausted { until: NOW + 9_000, times: 0 }, NOW - 5, 402));
    assert_eq!(known.outage(NOW).map(|(outage, mark)| (outage, mark.until)), Some((Outage::Exhausted, NOW + 9_000)));
    assert_eq!(known.outage(NOW + 9_000).map(|(outage, _)| outage), Some(Outage::Refused));
    known.merge(&Marks::of(Observed::Worked, NOW + 1, 200));
    assert_eq!(known.outage(NOW), None);
}

#[test]
fn p38_what_was_kept_by_a_clock_that_went_back_is_older_than_what_anybody_says() {
    let hour = 3_600_000;
    let mut known = Marks::of(Observed::Worked, NOW - 20, 200);
    known.merge(&Marks::of(Observed::Exhausted { until: NOW + 24 * hour, times: 0 }, NOW - 10, 429));
    known.merge(&Marks::of(REFUSED, NOW - 5, 401));
    let now = NOW - 2 * hour;
    known.set_back(2 * hour);
    assert_eq!(
        known.outage(now).map(|(outage, mark)| (outage, mark.until)),
        Some((Outage::Exhausted, now + 24 * hour))
    );
    // The key has worked since, while nobody kept it.
    known.merge(&Marks::of(Observed::Worked, now - 1_000, 200));
    assert_eq!(known.outage(now), None);
}
