//! A SQLite file that another process locks, that vanishes, or that has no room.

use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use tokio::time::Instant;

use super::change::proxy_key;
use super::database::{TestDatabase, execute};
use super::{SCOPE, actor, open};
use crate::store::{Page, Store, StoreError, proxy_keys};

const PAGE: Page = Page { limit: 10, cursor: None };

async fn write(store: &Store, name: &str) -> Result<(), StoreError> {
    proxy_keys::create(store, SCOPE, &proxy_key(name), &actor()).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_locks_is_unavailable_within_a_second() {
    let database = TestDatabase::sqlite();
    let store = open(&database).await;
    let file = database.directory.path().join("test.db");
    let mut other = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    other.batch_execute("BEGIN EXCLUSIVE").unwrap();
    let started = Instant::now();
    // They wait for the only connection that writes, and then for the lock: together, not one after the other.
    let writes = futures_util::future::join_all((0..12).map(async |number| {
        let refused = write(&store, &format!("key-{number}")).await;
        (refused, started.elapsed())
    }));
    for (refused, took) in writes.await {
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(took < Duration::from_millis(1_300), "{took:?}");
    }
    assert!(proxy_keys::list(&store, SCOPE, &PAGE).await.unwrap().items.is_empty(), "readers do not wait for a writer");
    other.batch_execute("ROLLBACK").unwrap();
    write(&store, "free again").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_deleted_or_replaced_takes_no_write_and_is_not_made_anew() {
    let database = TestDatabase::sqlite();
    let store = open(&database).await;
    write(&store, "before").await.unwrap();
    let (file, away) = (database.directory.path().join("test.db"), database.directory.path().join("away.db"));
    std::fs::rename(&file, &away).unwrap();
    let refused = write(&store, "lost").await.unwrap_err();
    assert!(matches!(&refused, StoreError::Gone(why) if why.contains("deleted or moved")), "{refused:?}");
    let refused = proxy_keys::list(&store, SCOPE, &PAGE).await.unwrap_err();
    assert!(matches!(refused, StoreError::Gone(_)), "{refused:?}");
    assert!(matches!(store.check().await, Err(StoreError::Gone(_))));
    assert!(!file.exists(), "no empty database takes its place");

    std::fs::copy(&away, &file).unwrap();
    let refused = write(&store, "into another file").await.unwrap_err();
    assert!(matches!(&refused, StoreError::Gone(why) if why.contains("replaced")), "{refused:?}");

    std::fs::rename(&away, &file).unwrap();
    store.check().await.unwrap();
    write(&store, "after").await.unwrap();
    assert_eq!(proxy_keys::list(&store, SCOPE, &PAGE).await.unwrap().items.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_heals() {
    let database = TestDatabase::sqlite();
    let store = open(&database).await;
    // The connection that writes may not make the file larger from now on, as on a full disk.
    execute(&store, "PRAGMA max_page_count = 1").await;
    let mut written = 0;
    let refused = loop {
        match write(&store, &format!("{written}-{}", "x".repeat(200))).await {
            Ok(()) => written += 1,
            Err(refused) => break refused,
        }
        assert!(written < 1_000);
    };
    assert!(matches!(refused, StoreError::Full), "{refused:?}");
    let there = proxy_keys::list(&store, SCOPE, &Page { limit: 200, cursor: None }).await.unwrap();
    assert_eq!(there.items.len(), written, "what was there can be read, and nothing is half written");
    assert!(matches!(store.check().await, Err(StoreError::Full)), "a check tries to write");
    execute(&store, "PRAGMA max_page_count = 1000000").await;
    store.check().await.unwrap();
    assert!(!store.0.room.is_full());
    write(&store, "room again").await.unwrap();
}
