//! The pools of connections, one kind for each kind of database, and the settings of each connection.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult, SqliteConnection};
use diesel_async::pooled_connection::bb8::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt as _;
use shared::secret::Secret;
use tokio::time::timeout;

use super::StoreError;

/// SQLite has no asynchronous interface: its calls run on blocking threads.
pub(super) type AsyncSqliteConnection = SyncConnectionWrapper<SqliteConnection>;

/// How long a query waits for a connection.
const GET_DEADLINE: Duration = Duration::from_secs(1);

/// How long making a connection may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How long a query or transaction may take.
pub(super) const QUERY_DEADLINE: Duration = Duration::from_secs(30);

/// Number of connections that read from a SQLite file. One more connection writes. SQLite has one writer at a time, and
/// waiting for a pooled connection is fairer than polling the file's lock.
pub(super) const SQLITE_READERS: u32 = 6;

pub(super) const SERVER_CONNECTIONS: u32 = 16;

/// What sets up a SQLite connection. `busy_timeout` comes first, because the change to WAL needs the file's lock.
pub(super) const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                                       PRAGMA foreign_keys = ON;";

const MYSQL_SETUP: &str = "SET SESSION innodb_lock_wait_timeout = 10";

const POSTGRES_SETUP: &str = "SET lock_timeout = '10s'; SET statement_timeout = '30s'";

/// Which kind of database it is, and where.
#[derive(Clone)]
pub(super) enum Target {
    Sqlite(PathBuf),
    MySql(Secret),
    Postgres(Secret),
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once(':').ok_or(StoreError::Url("does not start with a scheme"))?;
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.contains(":memory:") {
                    return Err(StoreError::Url("names no SQLite file"));
                }
                Ok(Self::Sqlite(path.into()))
            }
            "mysql" | "mariadb" => Ok(Self::MySql(Secret::new(format!("mysql:{rest}")))),
            "postgres" | "postgresql" => Ok(Self::Postgres(Secret::new(url))),
            _ => Err(StoreError::Url("does not start with sqlite://, mysql:// or postgres://")),
        }
    }
}

pub(super) fn sqlite_path(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or(StoreError::Url("is not UTF-8"))
}

/// One kind of pool for each database.
pub(super) enum Pools {
    Sqlite { read: Pool<AsyncSqliteConnection>, write: Pool<AsyncSqliteConnection> },
    MySql(Pool<AsyncMysqlConnection>),
    Postgres(Pool<AsyncPgConnection>),
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite { .. } => "Sqlite",
            Self::MySql(_) => "MySql",
            Self::Postgres(_) => "Postgres",
        })
    }
}

macro_rules! server_pool {
    ($url:expr, $setup:expr) => {{
        let manager = AsyncDieselConnectionManager::new_with_config($url.expose(), setup($setup));
        Pool::builder()
            .max_size(SERVER_CONNECTIONS)
            .connection_timeout(GET_DEADLINE)
            .build(manager)
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))
    }};
}

impl Pools {
    pub(super) async fn connect(target: &Target) -> Result<Self, StoreError> {
        match target {
            Target::Sqlite(path) => {
                let path = sqlite_path(path)?;
                let pool = async |size: u32| {
                    let manager = AsyncDieselConnectionManager::new_with_config(path, setup(SQLITE_SETUP));
                    Pool::<AsyncSqliteConnection>::builder()
                        .max_size(size)
                        .connection_timeout(GET_DEADLINE)
                        .test_on_check_out(false)
                        .build(manager)
                        .await
                        .map_err(|error| StoreError::Unavailable(error.to_string()))
                };
                Ok(Self::Sqlite { read: pool(SQLITE_READERS).await?, write: pool(1).await? })
            }
            Target::MySql(url) => server_pool!(url, MYSQL_SETUP).map(Self::MySql),
            Target::Postgres(url) => server_pool!(url, POSTGRES_SETUP).map(Self::Postgres),
        }
    }
}

/// Makes connections of one kind, each set up with `sql`.
fn setup<C>(sql: &'static str) -> ManagerConfig<C>
where
    C: AsyncConnection + SimpleAsyncConnection + Send + 'static,
{
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(move |url| establish(url, sql).boxed());
    config
}

async fn establish<C>(url: &str, sql: &'static str) -> ConnectionResult<C>
where
    C: AsyncConnection + SimpleAsyncConnection,
{
    let late = || ConnectionError::BadConnection("no connection in time".to_owned());
    let mut connection = timeout(CONNECT_DEADLINE, C::establish(url)).await.map_err(|_| late())??;
    connection.batch_execute(sql).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}
