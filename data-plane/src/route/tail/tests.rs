use std::thread;

use fastrand::Rng;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn nothing_is_said_of_fewer_than_twenty_answers() {
    let tail = Tail::default();
    for time in 1..20 {
        tail.took(ms(time));
        assert_eq!(tail.estimate(), None);
    }
    tail.took(ms(5));
    assert_eq!(tail.estimate(), Some(ms(19)), "the slowest so far");
}

/// Times as providers have them: most near one second, some much later (log-normal, by the sum of twelve draws).
fn drawn(draw: &mut Rng, middle: f64) -> Duration {
    let normal = (0..12).map(|_| draw.f64()).sum::<f64>() - 6.0;
    Duration::from_secs_f64(middle * (normal * 0.6).exp())
}

#[test]
fn one_answer_of_twenty_is_later_than_the_estimate() {
    let (tail, mut draw) = (Tail::default(), Rng::with_seed(7));
    let mut later = 0;
    for number in 0..22_000 {
        let time = drawn(&mut draw, 1.0);
        if number >= 2_000 && tail.estimate().is_some_and(|estimate| time > estimate) {
            later += 1;
        }
        tail.took(time);
    }
    assert!((800..1_200).contains(&later), "{later} of 20,000");
}

#[test]
fn the_estimate_follows_a_provider_that_becomes_slower_or_faster() {
    let (tail, mut draw) = (Tail::default(), Rng::with_seed(7));
    for middle in [1.0, 10.0, 0.1] {
        (0..2_000).for_each(|_| tail.took(drawn(&mut draw, middle)));
        // The 95th percentile of the distribution is 2.7 times its middle.
        let estimate = tail.estimate().unwrap().as_secs_f64() / middle;
        assert!((1.8..4.0).contains(&estimate), "{middle}: {estimate}");
    }
}

#[test]
fn what_always_takes_as_long_is_late_beyond_that() {
    let tail = Tail::default();
    (0..1_000).for_each(|_| tail.took(ms(200)));
    assert_eq!(tail.estimate(), Some(ms(200)));
}

#[test]
fn answers_that_begin_at_once_are_all_taken_in() {
    let tail = Tail::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| tail.took(ms(200))));
        }
    });
    assert_eq!(tail.estimate(), Some(ms(200)));
}
