use std::sync::Arc;
use std::time::Duration;

use shared::snapshot::{LimitQueue, LimitSpan, LimitUnit, LimitWindow, SubjectLimits};
use tokio::time::{Instant, timeout};

use super::client::ClientLimits;
use super::estimate::tokens_of;
use super::reservation::Reservation;
use super::seats::Seats;
use super::subject::{LimitCounters, LimitedSubject};
use crate::error::{Limit, LimitSubject};

/// A deadline that is further away than any wait.
fn later() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

fn windows(rpm: u64, tpm: u64) -> Vec<LimitWindow> {
    let of = |unit, amount| LimitWindow { unit, window: LimitSpan::Minute, amount };
    vec![of(LimitUnit::Requests, rpm), of(LimitUnit::Tokens, tpm)]
}

fn subject(rpm: u64, tpm: u64, seats: u32, queue: u32, known: Option<&Arc<LimitedSubject>>) -> Arc<LimitedSubject> {
    let queue = LimitQueue { length: queue, wait_ms: 600_000 };
    let limits = SubjectLimits { queue, ..SubjectLimits::default() };
    LimitedSubject::compile(LimitSubject::ProxyKey, windows(rpm, tpm), seats, Some(&limits), known).unwrap()
}

fn used(of: &LimitedSubject) -> Vec<u64> {
    of.all_standings().map(|(_, _, used, _)| used).collect()
}

#[test]
fn a_proxy_key_with_the_three_common_limits_takes_less_than_500_bytes() {
    let counts = 2 * size_of::<usize>();
    let kept = size_of::<(shared::ids::Id, Arc<LimitedSubject>)>() * 2;
    let windows = 2 * (size_of::<LimitWindow>() + size_of::<shared::limits::window::SlidingWindow>());
    let own = [size_of::<LimitedSubject>(), size_of::<LimitCounters>(), size_of::<Seats>()];
    let all = own.iter().map(|size| size + counts).sum::<usize>() + windows + kept + size_of::<ClientLimits>();
    assert!(all < 500, "{all}");
}

#[test]
fn a_refusal_takes_nothing() {
    let of = subject(10, 100, 1, 0, None);
    let first = of.begin().unwrap();
    let reached = of.begin().unwrap_err();
    assert_eq!((reached.limit, reached.amount), (Limit::Concurrency, 1));
    assert_eq!(used(&of), [1, 0, 1]);
    drop(first);
    let mut second = of.begin().unwrap();
    second.estimate(80).unwrap();
    second.leave();
    let mut third = of.begin().unwrap();
    assert!(third.estimate(21).is_err());
    assert_eq!(used(&of), [3, 80, 1]);
    third.uncount();
    third.uncount();
    drop(third);
    assert_eq!(used(&of), [2, 80, 0]);
}

#[test]
fn what_was_estimated_is_settled_as_often_as_more_is_known() {
    let of = subject(10, 1_000, 1, 0, None);
    let mut taken: Reservation = of.begin().unwrap();
    taken.estimate(300).unwrap();
    let seen = [
        (taken.grow(200), used(&of)[1]).1,
        (taken.grow(350), used(&of)[1]).1,
        (taken.settle([500, 0, 700, 0]), used(&of)[1]).1,
        (taken.settle([5, 0, 7, 0]), used(&of)[1]).1,
    ];
    assert_eq!(seen, [300, 350, 1_200, 12]);
    assert!(of.full(1).is_some_and(|reached| reached.limit == Limit::Concurrency));
    drop(taken);
    // What is larger than the whole limit goes when there is nothing else.
    assert!(of.full(5_000).is_some());
    assert!(subject(10, 1_000, 1, 0, None).full(5_000).is_none());
}

#[test]
fn what_was_taken_counts_on_when_the_limits_change() {
    let of = subject(10, 100, 2, 0, None);
    let seats = [of.begin().unwrap(), of.begin().unwrap()];
    let smaller = subject(1, 200, 1, 0, Some(&of));
    assert_eq!(used(&smaller), [2, 0, 2]);
    assert!(smaller.begin().is_err());
    drop(seats);
    assert_eq!(used(&smaller), [2, 0, 0]);
    let other = LimitedSubject::compile(LimitSubject::ProxyKey, windows(9, 9), 0, None, Some(&smaller)).unwrap();
    assert_eq!(used(&other), [2, 0]);
    let larger = subject(9, 9, 3, 0, Some(&smaller));
    let seats = [larger.begin().unwrap(), larger.begin().unwrap(), larger.begin().unwrap()];
    assert_eq!((used(&larger)[2], larger.begin().is_err()), (3, true));
    drop(seats);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_for_a_seat_get_it_in_their_order() {
    let of = subject(100, 100, 1, 2, None);
    let seat = of.begin_waiting(later()).await.unwrap();
    let mut second = Box::pin(of.begin_waiting(later()));
    let mut third = Box::pin(of.begin_waiting(later()));
    let now = Duration::from_millis(1);
    assert!(timeout(now, &mut second).await.is_err() && timeout(now, &mut third).await.is_err());
    assert!(of.begin_waiting(later()).await.is_err(), "as many wait as may");
    drop(seat);
    assert!(of.begin().is_err(), "nobody overtakes those who wait");
    assert!(timeout(now, &mut third).await.is_err());
    let seat = timeout(now, &mut second).await.unwrap().unwrap();
    drop(third);
    drop(seat);
    assert!(of.begin().is_ok(), "who leaves the queue takes no seat along");
    let patient = subject(100, 100, 1, 2, None);
    let _seat = patient.begin().unwrap();
    assert!(patient.begin_waiting(later()).await.is_err(), "the wait ends");
    let (begun, deadline) = (Instant::now(), Duration::from_secs(1));
    assert!(patient.begin_waiting(begun + deadline).await.is_err());
    // The clock stands still but for what is waited for.
    assert!(begun.elapsed() >= deadline && begun.elapsed() < deadline * 2, "no wait goes on beyond the request's time");
}

#[test]
fn media_are_no_text() {
    assert_eq!(tokens_of(b"eight by"), 2);
    let picture = format!("{{\"url\":\"data:image/png;base64,{}\"}}", "A".repeat(1_000_000));
    assert!((1_000..1_020).contains(&tokens_of(picture.as_bytes())));
    let text = "four ".repeat(20_000);
    assert!((24_000..26_000).contains(&tokens_of(text.as_bytes())));
}
