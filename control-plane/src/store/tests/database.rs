//! The database of a test. It is a SQLite file, or a database of the server that the environment names, so that
//! `tests/run databases` runs the same tests on each server.

use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, AsyncPgConnection, SimpleAsyncConnection as _};
use shared::ids::new_id;
use tempfile::TempDir;

use crate::store::Store;

/// Name of the variable with the URL of a server: that of a database on which others may be made.
const SERVER: &str = "TEST_DATABASE_URL";

/// An empty database that belongs to one test.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// A directory for the files of the test.
    pub(crate) directory: TempDir,
}

impl TestDatabase {
    /// A database of the kind that this run of the tests is for.
    pub(crate) async fn new() -> Self {
        let Ok(server) = std::env::var(SERVER) else { return Self::sqlite() };
        let name = format!("test_{}", new_id().replace('-', ""));
        let make = format!("CREATE DATABASE {name}");
        if server.starts_with("mysql") {
            AsyncMysqlConnection::establish(&server).await.unwrap().batch_execute(&make).await.unwrap();
        } else {
            AsyncPgConnection::establish(&server).await.unwrap().batch_execute(&make).await.unwrap();
        }
        let (place, _) = server.rsplit_once('/').unwrap();
        Self { url: format!("{place}/{name}"), directory: TempDir::new().unwrap() }
    }

    /// A SQLite file, for what is about files.
    pub(crate) fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        Self { url: format!("sqlite://{}", directory.path().join("test.db").display()), directory }
    }

    /// The kind of the database, as the settings name it.
    pub(crate) fn kind(&self) -> &str {
        self.url.split(':').next().unwrap()
    }
}

/// Runs statements on the database of `store`.
pub(crate) async fn execute(store: &Store, sql: &'static str) {
    with_tx!(store, conn => {
        conn.batch_execute(sql).await?;
        Ok(())
    })
    .unwrap();
}
