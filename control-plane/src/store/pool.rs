//! The pools of connections, one kind for each kind of database, and the settings of each connection.

use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bb8::ManageConnection;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::{ConnectionError, ConnectionResult, SqliteConnection};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt as _;
use shared::secret::Secret;
use tokio::time::timeout;

use super::StoreError;
use super::guard::{Guarded, GuardedManager, Pool};

/// SQLite has no asynchronous interface: its calls run on blocking threads.
pub(super) type AsyncSqliteConnection = SyncConnectionWrapper<SqliteConnection>;

/// How long a pool waits for a connection that answers. Then work gives up, unless other work is done meanwhile.
const GET_DEADLINE: Duration = Duration::from_millis(850);

/// How long the question whether the database answers may take.
const PULSE_DEADLINE: Duration = Duration::from_millis(400);

/// How long making a connection and setting it up may take.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// Number of connections that read from a SQLite file. One more connection writes. SQLite has one writer at a time, and
/// waiting for a pooled connection is fairer than polling the file's lock.
pub(super) const SQLITE_READERS: u32 = 6;

pub(super) const SERVER_CONNECTIONS: u32 = 16;

/// What sets up a SQLite file before its schema is brought up to date. `busy_timeout` comes first, because the change
/// to WAL needs the file's lock.
pub(super) const SQLITE_FIRST_SETUP: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                                             PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;";

/// What sets up a pooled connection to a SQLite file. Before it writes, it gets the time that is left for the lock.
const SQLITE_SETUP: &str = "PRAGMA busy_timeout = 500; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                            PRAGMA foreign_keys = ON;";

/// What sets up the connection that tells whether a SQLite file can be read.
const SQLITE_PULSE_SETUP: &str = "PRAGMA busy_timeout = 0";

/// What tells whether a SQLite file can be read. A constant would be answered without a look into the file.
const SQLITE_PULSE: &str = "SELECT 1 FROM settings LIMIT 1";

/// What sets up a connection to MySQL or MariaDB. A server may be set to cut values that are too long, or to read each
/// row at another moment; errors are told apart by their English texts.
pub(super) const MYSQL_SETUP: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
    SET SESSION innodb_lock_wait_timeout = 10, SESSION lc_messages = 'en_US', \
    SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')";

/// What sets up a connection to PostgreSQL. Errors are told apart by their English texts, where the user may ask for
/// them.
pub(super) const POSTGRES_SETUP: &str = "SET lock_timeout = '10s'; SET statement_timeout = '30s'; \
    SET default_transaction_isolation = 'read committed'; \
    DO $$ BEGIN PERFORM set_config('lc_messages', 'C', false); EXCEPTION WHEN insufficient_privilege THEN NULL; END $$";

/// What tells whether the disk of a MySQL or MariaDB server has room: a table of its own needs new room, while a row
/// may find some in what others left.
const MYSQL_ROOM: &str =
    "CREATE TABLE IF NOT EXISTS room_probe (value INT) ENGINE=InnoDB; DROP TABLE IF EXISTS room_probe";

/// What tells whether the disk of a PostgreSQL server has room, in the same way. It tells by the code of the error:
/// the texts may be in any language, where the user may not ask for English ones, and the driver gives no codes.
const POSTGRES_ROOM: &str = "DO $$ BEGIN \
    CREATE TEMPORARY TABLE room_probe AS \
        SELECT string_agg(md5(random()::text), '') AS value FROM generate_series(1, 1200); \
    DROP TABLE room_probe; \
    EXCEPTION WHEN disk_full THEN RAISE EXCEPTION 'No space left on device'; END $$";

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

/// The address of an existing SQLite file. A file that is gone is not made anew, as it would be by its path alone.
fn sqlite_url(path: &Path) -> Result<String, StoreError> {
    let mut url = String::from("file:");
    for character in sqlite_path(path)?.chars() {
        match character {
            // Writing to a String cannot fail.
            '%' | '?' | '#' => _ = write!(url, "%{:02X}", u32::from(character)),
            plain => url.push(plain),
        }
    }
    url.push_str("?mode=rw");
    Ok(url)
}

/// One kind of pool for each database. `pulse` is a pool of one connection, whose check at each use tells whether the
/// database answers.
pub(super) enum Pools {
    Sqlite { read: Pool<AsyncSqliteConnection>, write: Pool<AsyncSqliteConnection>, pulse: Pool<AsyncSqliteConnection> },
    MySql { work: Pool<AsyncMysqlConnection>, pulse: Pool<AsyncMysqlConnection> },
    Postgres { work: Pool<AsyncPgConnection>, pulse: Pool<AsyncPgConnection> },
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite { .. } => "Sqlite",
            Self::MySql { .. } => "MySql",
            Self::Postgres { .. } => "Postgres",
        })
    }
}

/// A pool of `$size` connections, each set up with `$setup`, that gives one out within `$deadline`.
macro_rules! pool {
    ($url:expr, $config:expr, $size:expr, $deadline:expr, $checked:expr) => {
        Pool::builder()
            .max_size($size)
            .connection_timeout($deadline)
            .test_on_check_out($checked)
            .build(GuardedManager::new(AsyncDieselConnectionManager::new_with_config($url, $config)))
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?
    };
}

impl Pools {
    pub(super) async fn connect(target: &Target) -> Result<Self, StoreError> {
        Ok(match target {
            Target::Sqlite(path) => {
                let url = sqlite_url(path)?;
                let mut pulse = setup(SQLITE_PULSE_SETUP);
                pulse.recycling_method = RecyclingMethod::CustomQuery(SQLITE_PULSE.into());
                Self::Sqlite {
                    read: pool!(&url, setup(SQLITE_SETUP), SQLITE_READERS, GET_DEADLINE, false),
                    write: pool!(&url, setup(SQLITE_SETUP), 1, GET_DEADLINE, false),
                    pulse: pool!(&url, pulse, 1, PULSE_DEADLINE, true),
                }
            }
            Target::MySql(url) => Self::MySql {
                work: pool!(url.expose(), setup(MYSQL_SETUP), SERVER_CONNECTIONS, GET_DEADLINE, true),
                pulse: pool!(url.expose(), setup(MYSQL_SETUP), 1, PULSE_DEADLINE, true),
            },
            Target::Postgres(url) => Self::Postgres {
                work: pool!(url.expose(), setup(POSTGRES_SETUP), SERVER_CONNECTIONS, GET_DEADLINE, true),
                pulse: pool!(url.expose(), setup(POSTGRES_SETUP), 1, PULSE_DEADLINE, true),
            },
        })
    }

    /// Whether the database answers at all, however long the work under way takes.
    pub(super) async fn answers(&self) -> bool {
        match self {
            Self::Sqlite { pulse, .. } => pulse.get().await.is_ok(),
            Self::MySql { pulse, .. } => pulse.get().await.is_ok(),
            Self::Postgres { pulse, .. } => pulse.get().await.is_ok(),
        }
    }

    /// Whether the disk of a server has room for something new. `None` for a file.
    pub(super) async fn room(&self) -> Option<Result<(), StoreError>> {
        Some(match self {
            Self::Sqlite { .. } => return None,
            Self::MySql { work, .. } => ask(work, MYSQL_ROOM).await,
            Self::Postgres { work, .. } => ask(work, POSTGRES_ROOM).await,
        })
    }

    /// What `error` means of which a PostgreSQL server has given no kind: it may be a full disk in another language.
    pub(super) async fn explain(&self, error: StoreError) -> StoreError {
        let unknown = matches!(&error, StoreError::Database(Error::DatabaseError(DatabaseErrorKind::Unknown, _)));
        if unknown && matches!(self, Self::Postgres { .. }) && matches!(self.room().await, Some(Err(StoreError::Full)))
        {
            return StoreError::Full;
        }
        error
    }
}

/// Runs `sql` on a connection of `pool`, within a deadline.
async fn ask<C>(pool: &Pool<C>, sql: &str) -> Result<(), StoreError>
where
    C: SimpleAsyncConnection + Send + 'static,
    GuardedManager<C>: ManageConnection<Connection = Guarded<C>, Error = PoolError>,
{
    let asked = timeout(CONNECT_DEADLINE, async {
        let mut guarded = pool.get().await.map_err(StoreError::no_connection)?;
        let asked = guarded.begin().batch_execute(sql).await.map_err(StoreError::from);
        if !asked.as_ref().is_err_and(StoreError::leaves_doubt) {
            guarded.end();
        }
        asked
    });
    asked.await.unwrap_or_else(|_| Err(StoreError::Unavailable("it did not answer in time".to_owned())))
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

/// Makes a connection and sets it up, both within one deadline. What is cut short is dropped.
pub(super) async fn establish<C>(url: &str, sql: &str) -> ConnectionResult<C>
where
    C: AsyncConnection + SimpleAsyncConnection,
{
    let made = timeout(CONNECT_DEADLINE, async {
        let mut connection = C::establish(url).await?;
        connection.batch_execute(sql).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    });
    made.await.unwrap_or_else(|_| Err(ConnectionError::BadConnection("no connection in time".to_owned())))
}
