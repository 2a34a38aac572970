use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Flights, Joined, MOST_WAITING};
use crate::cache::inquiry::CacheKey;
use crate::cache::tests::answer;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn key() -> CacheKey {
    CacheKey::numbered(1)
}

/// One that leads, and `number` that wait.
async fn flight(flights: &Arc<Flights>, number: usize) -> (super::Lead, JoinSet<Joined>) {
    let Joined::Lead(lead) = Flights::join(flights, key(), soon()).await else { panic!("the first leads") };
    let mut others = JoinSet::new();
    for _ in 0..number {
        let flights = Arc::clone(flights);
        others.spawn(async move { Flights::join(&flights, key(), soon()).await });
    }
    while flights.waiting() < number.min(MOST_WAITING) {
        tokio::task::yield_now().await;
    }
    (lead, others)
}

#[tokio::test(start_paused = true)]
async fn all_others_get_the_answer_of_the_first() {
    let flights = Arc::default();
    let (lead, others) = flight(&flights, 49).await;
    lead.share(&answer("hi", 0, 10));
    for joined in others.join_all().await {
        assert!(matches!(joined, Joined::Shared(kept) if kept.body == "hi"));
    }
    assert_eq!((flights.len(), flights.waiting()), (0, 0));
    assert!(matches!(Flights::join(&flights, key(), soon()).await, Joined::Lead(_)), "the next begins anew");
}

#[tokio::test(start_paused = true)]
async fn where_the_first_leaves_one_other_asks_and_the_rest_wait_for_it() {
    let flights = Arc::default();
    let (lead, mut others) = flight(&flights, 49).await;
    drop(lead);
    let Some(Ok(Joined::Lead(second))) = others.join_next().await else { panic!("one other leads") };
    assert_eq!(flights.waiting(), 48);
    second.share(&answer("second", 0, 10));
    let shared = others.join_all().await;
    assert!(shared.iter().all(|joined| matches!(joined, Joined::Shared(kept) if kept.body == "second")));
    assert_eq!(flights.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_the_answer_is_none_to_keep_all_ask() {
    let flights = Arc::default();
    let (lead, others) = flight(&flights, 9).await;
    lead.release();
    let all = others.join_all().await;
    assert!(all.iter().all(|joined| matches!(joined, Joined::Alone)));
    assert_eq!(flights.len(), 0);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the test waits for it, or ends it")]
async fn nobody_waits_longer_than_it_may_and_who_leaves_leaves_nothing() {
    let flights = Arc::default();
    let (lead, others) = flight(&flights, 3).await;
    let began = Instant::now();
    assert!(others.join_all().await.iter().all(|joined| matches!(joined, Joined::Alone)));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    let (flights_too, waits) = (Arc::clone(&flights), Instant::now() + Duration::from_mins(1));
    let gone = tokio::spawn(async move { Flights::join(&flights_too, key(), waits).await });
    while flights.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.is_err());
    assert_eq!((flights.len(), flights.waiting()), (1, 0));
    drop(lead);
    assert_eq!(flights.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_those_that_wait_is_bounded() {
    let flights = Arc::default();
    let (lead, mut others) = flight(&flights, MOST_WAITING + 10).await;
    for _ in 0..10 {
        assert!(matches!(others.join_next().await, Some(Ok(Joined::Alone))), "what is too much asks by itself");
    }
    assert_eq!(flights.waiting(), MOST_WAITING);
    lead.share(&answer("hi", 0, 10));
    assert_eq!(others.join_all().await.len(), MOST_WAITING);
}
