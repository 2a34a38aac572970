use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use proptest::prelude::*;

use super::*;

const START: i64 = 1_800_000_000_123;

/// What was granted: when, how much of it has not been given back.
type Granted = Vec<(i64, u64)>;

fn within(granted: &Granted, now: i64, ms: u64) -> u64 {
    let from = now - i64::try_from(ms).unwrap();
    granted.iter().filter(|(at, _)| *at > from).map(|(_, amount)| amount).sum()
}

#[derive(Clone, Debug)]
enum Deed {
    Pass(u64),
    Reserve(u64),
    GiveBack(prop::sample::Index, u64),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (0..25_000_u64).prop_map(Deed::Pass),
        (0..40_u64).prop_map(Deed::Reserve),
        (any::<prop::sample::Index>(), 0..40_u64).prop_map(|(which, amount)| Deed::GiveBack(which, amount)),
    ];
    prop::collection::vec(deed, 1..200)
}

proptest! {
    #[test]
    fn no_window_holds_more_than_the_amount_and_none_is_locked_for_longer_than_a_step_more(
        deeds in deeds(), limit in 1..100_u64
    ) {
        let (window, length) = (SlidingWindow::default(), Length::MINUTE);
        let (mut now, mut granted) = (START, Granted::new());
        for deed in deeds {
            match deed {
                Deed::Pass(ms) => now += i64::try_from(ms).unwrap(),
                Deed::Reserve(amount) => match window.reserve(limit, amount, now, length) {
                    Ok(()) => {
                        granted.push((now, amount));
                        prop_assert!(within(&granted, now, length.ms()) <= limit);
                    }
                    Err(full) => {
                        let longest = length.ms() + length.step_ms();
                        prop_assert!(within(&granted, now, longest) + amount > limit);
                        prop_assert!(full.frees_in <= longest);
                        if amount <= limit {
                            let then = now + i64::try_from(full.frees_in).unwrap();
                            let later = SlidingWindow::continued(&window);
                            prop_assert_eq!(later.frees_in(limit, amount, then, length), 0);
                        }
                    }
                },
                Deed::GiveBack(which, amount) if !granted.is_empty() => {
                    let one = which.index(granted.len());
                    let less = granted[one].1.min(amount);
                    window.give_back(less, granted[one].0, length);
                    granted[one].1 -= less;
                }
                Deed::GiveBack(..) => {}
            }
            prop_assert!(window.used(now, length) >= within(&granted, now, length.ms()));
            let reset = now + i64::try_from(window.resets_in(now, length)).unwrap();
            prop_assert_eq!(window.used(now, length), SlidingWindow::continued(&window).used(now, length));
            prop_assert!(SlidingWindow::continued(&window).used(reset, length) == 0);
        }
    }
}

#[test]
fn a_window_begins_with_all_of_its_amount_at_any_time() {
    for now in [0, 1, START, START + 83_886_080_000, i64::MAX / 2] {
        for length in [Length::MINUTE, Length::HOUR, Length::DAY] {
            let window = SlidingWindow::default();
            assert_eq!(window.reserve(10, 10, now, length), Ok(()), "{now}");
            assert!(window.reserve(10, 1, now, length).is_err());
            assert_eq!(window.used(now, length), 10);
            let later = now + i64::try_from(length.ms() + length.step_ms()).unwrap();
            assert_eq!(window.reserve(10, 10, later, length), Ok(()), "{now}");
        }
    }
}

#[test]
fn a_clock_that_goes_back_frees_nothing_and_locks_nobody() {
    let (window, length) = (SlidingWindow::default(), Length::MINUTE);
    window.reserve(5, 5, START, length).unwrap();
    for back in [1, 9_999, 30_000, 3_600_000] {
        assert!(window.reserve(5, 1, START - back, length).is_err(), "{back}");
    }
    assert_eq!(window.reserve(5, 5, START + 70_001, length), Ok(()));
}

#[test]
fn what_is_used_beyond_the_limit_is_counted_and_given_back_once() {
    let (window, length) = (SlidingWindow::default(), Length::MINUTE);
    window.reserve(10, 4, START, length).unwrap();
    window.charge(20, START, length);
    assert_eq!(window.used(START, length), 24);
    assert_eq!(window.frees_in(10, 1, START, length), window.resets_in(START, length));
    window.give_back(100, START, length);
    window.give_back(100, START, length);
    assert_eq!(window.used(START, length), 0);
    window.charge(3, START + 1_000_000, length);
    window.give_back(4, START, length);
    assert_eq!(
        window.used(START + 1_000_000, length),
        3,
        "what lies outside of the window is not taken from what is within"
    );
}

#[test]
fn many_threads_are_granted_the_amount_and_not_one_more() {
    let (window, granted) = (Arc::new(SlidingWindow::default()), Arc::new(AtomicU64::new(0)));
    let threads: Vec<JoinHandle<()>> = (0..4)
        .map(|thread: i64| {
            let (window, granted) = (Arc::clone(&window), Arc::clone(&granted));
            std::thread::Builder::new().spawn(move || {
                for round in 0..2_000 {
                    // The step changes under way, for each thread at another time.
                    let now = START + round * 4 + thread;
                    if window.reserve(1_000, 1, now, Length::MINUTE).is_ok() {
                        granted.fetch_add(1, Ordering::Relaxed);
                        if round % 3 == 0 {
                            window.give_back(1, now, Length::MINUTE);
                            granted.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                }
            })
        })
        .collect::<Result<_, _>>()
        .unwrap();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((granted.load(Ordering::Relaxed), window.used(START + 8_000, Length::MINUTE)), (1_000, 1_000));
}

#[test]
fn a_window_is_one_line_of_a_cache() {
    assert_eq!(size_of::<SlidingWindow>(), 64);
}
