use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::poll_immediate;
use shared::snapshot::{Group, ProxyKey};
use shared::time::steady_ms;
use tokio::time::Instant;

use super::{MOST_WAITING, Queue};
use crate::error::GatewayError;
use crate::route::fixtures::{group, key, snapshot, upstream_key};
use crate::route::health::{Health, KeyState};
use crate::route::occupied::{Failed, Occupied};
use crate::route::plan::Plan;
use crate::route::table::RouteTable;

/// A group of two keys, to which requests wait so long.
fn two_keys(queue_timeout: Duration) -> Group {
    let mut group = group("g", &["m"]);
    group.upstream_keys.push(upstream_key("g-2"));
    group.routing.queue_timeout = queue_timeout;
    group
}

fn table(group: Group) -> (RouteTable, ProxyKey) {
    let key = key("k", "sk");
    (RouteTable::compile(Arc::new(snapshot([group], [key.clone()])), None), key)
}

fn rests(table: &RouteTable, key: &str, health: Health, milliseconds: i64) {
    let (upstream_key_id, group_id, now) = (key.into(), "g".into(), steady_ms());
    let until_ms = now + milliseconds;
    table.kept.observe(&KeyState {
        upstream_key_id,
        group_id,
        model: "".into(),
        health,
        until_ms,
        status: 429,
        times: 0,
        reason: "".into(),
        observed_at_ms: now,
    });
}

/// Opens the breaker of the model.
fn fails(table: &RouteTable, key: &ProxyKey) {
    let candidate = Plan::make(table, table.client(&key.digest).unwrap(), "m").next().unwrap();
    while let Some(mut running) = Occupied::begin(&candidate) {
        running.failed(Failed::Model);
    }
}

/// The key that is tried first after waiting, or the error.
async fn first((table, key): &(RouteTable, ProxyKey), queue: &Queue, left: u64) -> Result<String, GatewayError> {
    let mut plan = Plan::make(table, table.client(&key.digest).unwrap(), "m");
    queue.wait(&mut plan, Instant::now() + Duration::from_millis(left)).await?;
    Ok(plan.next().unwrap().key.key.id.to_string())
}

/// Whether all rest, and after how many seconds the client may come back.
fn refused(result: Result<String, GatewayError>) -> (bool, u64) {
    match result {
        Err(GatewayError::AllOut { limited, pause }) => {
            (limited, u64::try_from(pause.as_millis().div_ceil(1_000)).unwrap())
        }
        other => panic!("it was not refused: {other:?}"),
    }
}

const TWO: Duration = Duration::from_secs(2);

#[tokio::test]
async fn with_all_keys_out_a_request_waits_for_the_first_that_returns() {
    let table = table(two_keys(TWO));
    rests(&table.0, "g-1", Health::CoolingDown, 60_000);
    rests(&table.0, "g-2", Health::CoolingDown, 300);
    let begun = steady_ms();
    let queue = Queue::default();
    assert_eq!(first(&table, &queue, 60_000).await.unwrap(), "g-2");
    // The pause that the provider stated has not been broken.
    assert!(steady_ms() - begun >= 290);
    assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_request_waits_for_a_breaker_and_with_one_key_left_not_at_all() {
    let table = table(two_keys(TWO));
    assert_eq!(first(&table, &Queue::default(), 60_000).await.unwrap(), "g-1");
    fails(&table.0, &table.1);
    let begun = steady_ms();
    first(&table, &Queue::default(), 60_000).await.unwrap();
    assert!(steady_ms() - begun >= 900);
}

#[tokio::test]
async fn what_rests_for_longer_than_requests_wait_is_refused_at_once_with_its_return() {
    let table = table(two_keys(TWO));
    rests(&table.0, "g-1", Health::CoolingDown, 9_000);
    rests(&table.0, "g-2", Health::CoolingDown, 30_000);
    let begun = Instant::now();
    assert_eq!(refused(first(&table, &Queue::default(), 60_000).await), (true, 9));
    assert!(begun.elapsed() < Duration::from_millis(50));
    // A key that was refused is no rate limit.
    let table = self::table(two_keys(TWO));
    rests(&table.0, "g-1", Health::Invalid, 0);
    rests(&table.0, "g-2", Health::CoolingDown, 30_000);
    assert_eq!(refused(first(&table, &Queue::default(), 60_000).await), (false, 30));
}

#[tokio::test]
async fn no_request_waits_beyond_its_own_time_or_the_groups() {
    let table_of = |timeout| {
        let table = table(two_keys(timeout));
        rests(&table.0, "g-1", Health::CoolingDown, 1_500);
        rests(&table.0, "g-2", Health::CoolingDown, 1_800);
        table
    };
    assert_eq!(refused(first(&table_of(TWO), &Queue::default(), 1_000).await), (true, 2));
    assert_eq!(refused(first(&table_of(Duration::ZERO), &Queue::default(), 60_000).await), (true, 2));
}

#[tokio::test]
async fn a_thousand_requests_wait_and_no_more() {
    let table = table(two_keys(TWO));
    rests(&table.0, "g-1", Health::CoolingDown, 300);
    rests(&table.0, "g-2", Health::CoolingDown, 300);
    let queue = Queue::default();
    queue.waiting.store(MOST_WAITING, Ordering::Relaxed);
    assert_eq!(refused(first(&table, &queue, 60_000).await), (true, 1));
    queue.waiting.fetch_sub(1, Ordering::Relaxed);
    assert_eq!(first(&table, &queue, 60_000).await.unwrap(), "g-1");
}

#[tokio::test]
async fn what_another_request_tests_is_waited_for() {
    let table = table(two_keys(TWO));
    rests(&table.0, "g-1", Health::Guessed, 60_000);
    rests(&table.0, "g-2", Health::CoolingDown, 60_000);
    let candidate = Plan::make(&table.0, table.0.client(&table.1.digest).unwrap(), "m").next().unwrap();
    let test = Occupied::begin(&candidate).unwrap();
    let queue = Queue::default();
    let mut waiting = pin!(first(&table, &queue, 60_000));
    assert!(poll_immediate(&mut waiting).await.is_none());
    drop(test);
    assert_eq!(waiting.await.unwrap(), "g-1");
    // A client that has no time for that is told to come back soon.
    let _test = Occupied::begin(&candidate).unwrap();
    assert_eq!(refused(first(&table, &queue, 100).await), (true, 1));
}

#[tokio::test]
async fn keys_that_were_all_refused_are_tried_nevertheless() {
    let table = table(two_keys(TWO));
    rests(&table.0, "g-1", Health::Invalid, 0);
    rests(&table.0, "g-2", Health::Invalid, 0);
    assert!(first(&table, &Queue::default(), 60_000).await.is_ok());
}
