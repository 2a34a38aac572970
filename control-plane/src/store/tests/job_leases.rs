use std::time::Duration;

use tokio::join;

use super::database::{TestDatabase, execute};
use super::open;
use crate::store::clock;
use crate::store::job_leases::{give_back, take};

const LASTS: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn one_holder_has_a_lease_until_it_ends_or_is_given_back() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (one, two) = join!(take(&store, "work", "one", LASTS), take(&store, "work", "two", LASTS));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one != two, "of two that ask at once, one gets it: {one} {two}");
    let (holder, other) = if one { ("one", "two") } else { ("two", "one") };
    assert!(take(&store, "work", holder, LASTS).await.unwrap(), "its holder may take it again");
    assert!(!take(&store, "work", other, LASTS).await.unwrap());
    assert!(take(&store, "other work", other, LASTS).await.unwrap());

    give_back(&store, "work", other).await.unwrap();
    assert!(!take(&store, "work", other, LASTS).await.unwrap(), "only its holder can give it back");
    give_back(&store, "work", holder).await.unwrap();
    assert!(take(&store, "work", other, LASTS).await.unwrap());

    assert!(take(&store, "work", other, Duration::ZERO).await.unwrap());
    assert!(take(&store, "work", holder, LASTS).await.unwrap(), "it has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_a_clock_that_has_gone_back_since_is_free() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    assert!(take(&store, "work", "one", LASTS).await.unwrap());
    execute(&store, "UPDATE job_leases SET expires_at = expires_at + 3600000").await;
    assert!(take(&store, "work", "two", LASTS).await.unwrap());
    assert!(!take(&store, "work", "one", LASTS).await.unwrap());
}

/// The servers of the tests run on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn the_databases_clock_is_read_whatever_the_time_zone_of_a_session_is() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let zone = match database.kind() {
        "mysql" => "SET GLOBAL time_zone = '+05:00'",
        "postgres" => "ALTER ROLE test SET timezone = 'Asia/Karachi'",
        _ => "SELECT 1",
    };
    execute(&store, zone).await;
    let ahead = clock::ahead(&open(&database).await).await.unwrap();
    assert!(ahead.abs() < 1_000, "{ahead} ms");
}
