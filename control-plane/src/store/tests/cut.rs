//! A connection whose use was cut short is never used again: of a question, a check, a transaction, and one whose error
//! leaves open what the database still has to say.

use std::future::pending;
use std::time::Duration;

use bb8::ManageConnection as _;
use diesel::sql_types::BigInt;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _, SimpleAsyncConnection as _};
use futures_util::FutureExt as _;
use tempfile::TempDir;

use super::database::TestDatabase;
use super::open;
use crate::store::guard::{GuardedManager, Pool};
use crate::store::pool::{AsyncSqliteConnection, Pools};
use crate::store::{Store, StoreError};

type Connection = AsyncSqliteConnection;

/// A question that takes a while.
const SLOW: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000) \
                    SELECT COUNT(*) AS answer FROM n";

#[derive(diesel::QueryableByName)]
struct Answer {
    #[diesel(sql_type = BigInt)]
    answer: i64,
}

async fn pool(directory: &TempDir, checked: RecyclingMethod<Connection>) -> Pool<Connection> {
    let mut config = ManagerConfig::default();
    config.recycling_method = checked;
    let file = directory.path().join("cut.db").display().to_string();
    let manager = GuardedManager::new(AsyncDieselConnectionManager::new_with_config(file, config));
    Pool::builder().max_size(1).connection_timeout(Duration::from_secs(20)).build(manager).await.unwrap()
}

/// Marks the only connection of the pool with a table that no other connection sees.
async fn mark(pool: &Pool<Connection>) {
    let mut guarded = pool.get().await.unwrap();
    guarded.begin().batch_execute("CREATE TEMP TABLE mark (answer BIGINT)").await.unwrap();
    guarded.end();
}

/// Whether the connection that the pool gives out is the marked one.
async fn is_marked(pool: &Pool<Connection>) -> bool {
    let mut guarded = pool.get().await.unwrap();
    let marked = guarded.begin().batch_execute("SELECT answer FROM mark").await.is_ok();
    guarded.end();
    marked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_that_ends_keeps_its_connection_and_one_that_is_cut_short_does_not() {
    let directory = TempDir::new().unwrap();
    let pool = pool(&directory, RecyclingMethod::Fast).await;
    mark(&pool).await;
    assert!(is_marked(&pool).await, "each use has ended");

    let mut guarded = pool.get().await.unwrap();
    let question = diesel::sql_query(SLOW).get_result::<Answer>(guarded.begin());
    assert!(question.now_or_never().is_none(), "the question is dropped before its answer");
    drop(guarded);
    assert!(!is_marked(&pool).await, "the question was cut short");

    mark(&pool).await;
    let mut guarded = pool.get().await.unwrap();
    let question = diesel::sql_query("SELECT 7 AS answer").get_result::<Answer>(guarded.begin());
    assert_eq!(question.await.unwrap().answer, 7);
    drop(guarded);
    assert!(!is_marked(&pool).await, "nobody said that the use has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_cut_short_is_taken_back_with_its_connection() {
    let directory = TempDir::new().unwrap();
    let pool = pool(&directory, RecyclingMethod::Fast).await;
    mark(&pool).await;
    let mut guarded = pool.get().await.unwrap();
    guarded.begin().batch_execute("CREATE TABLE kept (answer BIGINT)").await.unwrap();
    let transaction = guarded.begin().transaction(async |conn| -> Result<(), StoreError> {
        conn.batch_execute("INSERT INTO kept VALUES (1)").await?;
        pending().await
    });
    assert!(tokio::time::timeout(Duration::from_millis(200), transaction).await.is_err());
    drop(guarded);
    assert!(!is_marked(&pool).await);
    let mut guarded = pool.get().await.unwrap();
    let kept = diesel::sql_query("SELECT COUNT(*) AS answer FROM kept").get_result::<Answer>(guarded.begin());
    assert_eq!(kept.await.unwrap().answer, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_cut_short_breaks_the_connection() {
    let directory = TempDir::new().unwrap();
    let stalls = RecyclingMethod::CustomFunction(Box::new(|_: &mut Connection| pending().boxed()));
    let mut config = ManagerConfig::default();
    config.recycling_method = stalls;
    let file = directory.path().join("cut.db").display().to_string();
    let manager = GuardedManager::<Connection>::new(AsyncDieselConnectionManager::new_with_config(file, config));
    let mut guarded = manager.connect().await.unwrap();
    assert!(!manager.has_broken(&mut guarded));
    assert!(manager.is_valid(&mut guarded).now_or_never().is_none());
    assert!(manager.has_broken(&mut guarded), "the answer to the check is still on its way");
}

/// How often the pool of the store has dropped a connection as broken.
fn broken(store: &Store) -> u64 {
    match &store.0.pools {
        Pools::Sqlite { read, write, .. } => {
            read.state().statistics.connections_closed_broken + write.state().statistics.connections_closed_broken
        }
        Pools::MySql { work, .. } => work.state().statistics.connections_closed_broken,
        Pools::Postgres { work, .. } => work.state().statistics.connections_closed_broken,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_leaves_doubt_costs_its_connection() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    store.check().await.unwrap();
    let before = broken(&store);
    let whole: Result<(), _> = with_tx!(&store, _conn => Err(StoreError::Stale));
    assert!(matches!(whole, Err(StoreError::Stale)), "{whole:?}");
    assert_eq!(broken(&store), before);
    let doubtful: Result<(), _> = with_conn!(&store, conn => {
        conn.batch_execute("SELECT nothing FROM nowhere").await?;
        Ok(())
    });
    assert!(matches!(doubtful, Err(StoreError::Database(_))), "{doubtful:?}");
    assert_eq!(broken(&store), before + 1);
    store.check().await.unwrap();
}
