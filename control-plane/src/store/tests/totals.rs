//! The number of records of the ledger is kept beside it, right after an upgrade too.

use shared::ids::new_id;
use shared::pb::UsageRecord;

use super::database::{TestDatabase, execute};
use super::{SCOPE, open};
use crate::store::usage;

fn records(count: usize) -> Vec<UsageRecord> {
    (0..count).map(|_| UsageRecord { id: new_id(), ..UsageRecord::default() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_counts_once_and_the_ledger_is_not_read_for_it() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap().records, 0);
    let sent = records(3);
    assert_eq!(usage::insert(&store, &sent, |_| None).await.unwrap(), 3);
    assert_eq!(usage::insert(&store, &sent, |_| None).await.unwrap(), 0, "they come again");
    assert_eq!(usage::insert(&store, &[&sent[..1], &records(2)[..]].concat(), |_| None).await.unwrap(), 2);
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap().records, 5);
    execute(&store, "DROP TABLE usage_records").await;
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap().records, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_lose_no_count() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let writes = (0..4).map(async |_| {
        for _ in 0..5 {
            usage::insert(&store, &records(3), |_| None).await.unwrap();
        }
    });
    futures_util::future::join_all(writes).await;
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap().records, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_before_is_counted_by_the_upgrade() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    usage::insert(&store, &records(4), |_| None).await.unwrap();
    // The database as a build before the totals has left it.
    execute(&store, "DROP TABLE ledger_totals").await;
    execute(&store, "DELETE FROM __diesel_schema_migrations WHERE version IN ('20261130000001', '20261130000002')")
        .await;
    drop(store);
    let store = open(&database).await;
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap().records, 4);
    usage::insert(&store, &records(1), |_| None).await.unwrap();
    assert_eq!(usage::totals(&store, SCOPE).await.unwrap().records, 5);
}
