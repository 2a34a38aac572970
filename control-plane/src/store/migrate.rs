//! Brings the schema up to date. All control planes of a database share a lock, so that one of several that start at
//! once migrates, and the others find it done.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection as _;
use diesel::migration::{MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use shared::ids::new_id;

use super::StoreError;
use super::pool::{MYSQL_SETUP, SQLITE_FIRST_SETUP, Target, establish, sqlite_path};
use super::schema::settings;
use super::version::{CONFIG_EPOCH, CONFIG_PRUNED, CONFIG_VERSION, KEY_STATES_VERSION};
use crate::secrets::CANARY;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const MYSQL: EmbeddedMigrations = embed_migrations!("../migrations/mysql");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// Number of the lock on a server. It may be any number that no other program on the database uses.
const LOCK: i64 = 0x6f72_6368_6573_7472;

/// How long to wait for another control plane that migrates, in seconds.
const LOCK_SECONDS: u32 = 120;

/// Reads what the database tells of its master key, and changes nothing. There is nothing where no control plane has
/// made the database yet.
pub(super) async fn canary(target: &Target, tasks: &Tasks) -> Result<Option<String>, StoreError> {
    let target = target.clone();
    let work = tasks.spawn_blocking(move || match target {
        Target::Sqlite(path) => {
            if !path.exists() {
                return Ok(None);
            }
            let read = |alone: bool| {
                let name = read_only(&path, alone)?;
                let mut connection = SqliteConnection::establish(&name).map_err(unreachable_database)?;
                connection.batch_execute("PRAGMA busy_timeout = 5000")?;
                found(connection.setting(CANARY))
            };
            // Where there is no log of writes beside the file, nobody has it open, and it is read without one: a
            // connection would leave files behind. Somebody may have opened it since.
            let log = std::fs::metadata(format!("{}-wal", sqlite_path(&path)?));
            if log.map_or(true, |log| log.len() == 0) { read(true).or_else(|_| read(false)) } else { read(false) }
        }
        Target::MySql(url) => {
            let connection = AsyncConnectionWrapper::<AsyncMysqlConnection>::establish(url.expose());
            found(connection.map_err(unreachable_database)?.setting(CANARY))
        }
        Target::Postgres(url) => {
            let connection = AsyncConnectionWrapper::<AsyncPgConnection>::establish(url.expose());
            found(connection.map_err(unreachable_database)?.setting(CANARY))
        }
    });
    work.await.unwrap_or(Err(StoreError::Interrupted))
}

/// The name under which SQLite opens a file and changes nothing in it (<https://www.sqlite.org/uri.html>). `alone`
/// says that nobody else has it open.
fn read_only(path: &Path, alone: bool) -> Result<String, StoreError> {
    let name = sqlite_path(path)?.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{name}?mode=ro{}", if alone { "&immutable=1" } else { "" }))
}

/// A setting of a database that may have no table of settings.
fn found(setting: QueryResult<Option<String>>) -> Result<Option<String>, StoreError> {
    match setting {
        Err(Error::DatabaseError(_, detail))
            if ["no such table", "does not exist", "doesn't exist"]
                .iter()
                .any(|told| detail.message().contains(told)) =>
        {
            Ok(None)
        }
        setting => Ok(setting?),
    }
}

/// Migrates, and returns the config version in force. The connection that it is done on is used for nothing else.
pub(super) async fn run(target: &Target, sealing: Arc<SealingKey>, tasks: &Tasks) -> Result<u64, StoreError> {
    let work = match target {
        Target::Sqlite(path) => {
            let path = path.clone();
            tasks.spawn_blocking(move || {
                if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
                    std::fs::create_dir_all(directory).map_err(|error| failed(&error))?;
                }
                let lock = File::create(path.with_extension("lock")).map_err(|error| failed(&error))?;
                lock.lock().map_err(|error| failed(&error))?;
                let mut connection = SqliteConnection::establish(sqlite_path(&path)?).map_err(unreachable_database)?;
                connection.batch_execute(SQLITE_FIRST_SETUP)?;
                let version = bring_up(&mut connection, SQLITE, &sealing);
                drop(lock);
                version
            })
        }
        Target::MySql(url) => {
            let connection = establish::<AsyncMysqlConnection>(url.expose(), MYSQL_SETUP).await;
            let mut connection: AsyncConnectionWrapper<_> = connection.map_err(unreachable_database)?.into();
            tasks.spawn_blocking(move || {
                let take = format!("SELECT GET_LOCK('{LOCK:x}', {LOCK_SECONDS}) AS taken");
                let lock: Lock = diesel::sql_query(take).get_result(&mut connection)?;
                if lock.taken != Some(1) {
                    return Err(failed(&"another control plane has been migrating for too long"));
                }
                let version = bring_up(&mut connection, MYSQL, &sealing);
                connection.batch_execute(&format!("SELECT RELEASE_LOCK('{LOCK:x}')"))?;
                version
            })
        }
        Target::Postgres(url) => {
            let setup = format!("SET lock_timeout = '{LOCK_SECONDS}s'");
            let connection = establish::<AsyncPgConnection>(url.expose(), &setup).await;
            let mut connection: AsyncConnectionWrapper<_> = connection.map_err(unreachable_database)?.into();
            tasks.spawn_blocking(move || {
                connection.batch_execute(&format!("SELECT pg_advisory_lock({LOCK})"))?;
                let version = bring_up(&mut connection, POSTGRES, &sealing);
                connection.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})"))?;
                version
            })
        }
    };
    work.await.unwrap_or(Err(StoreError::Interrupted))
}

/// The answer of MySQL to a question for its lock: 1 where it was taken.
#[derive(QueryableByName)]
struct Lock {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::BigInt>)]
    taken: Option<i64>,
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Migration(error.to_string())
}

fn unreachable_database(error: ConnectionError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// What a connection must offer for migrations to run on it.
trait Migrate<DB: diesel::backend::Backend>: MigrationHarness<DB> {
    fn setting(&mut self, name: &str) -> QueryResult<Option<String>>;
    fn set(&mut self, name: &str, value: &str) -> QueryResult<usize>;
}

macro_rules! migrate_on {
    ($connection:ty, $backend:ty) => {
        impl Migrate<$backend> for $connection {
            fn setting(&mut self, name: &str) -> QueryResult<Option<String>> {
                settings::table.find(name).select(settings::value).first(self).optional()
            }

            fn set(&mut self, name: &str, value: &str) -> QueryResult<usize> {
                let row = (settings::name.eq(name), settings::value.eq(value));
                diesel::insert_into(settings::table).values(row).execute(self)
            }
        }
    };
}

migrate_on!(SqliteConnection, diesel::sqlite::Sqlite);
migrate_on!(AsyncConnectionWrapper<AsyncMysqlConnection>, diesel::mysql::Mysql);
migrate_on!(AsyncConnectionWrapper<AsyncPgConnection>, diesel::pg::Pg);

fn bring_up<DB, C>(connection: &mut C, migrations: EmbeddedMigrations, sealing: &SealingKey) -> Result<u64, StoreError>
where
    DB: diesel::backend::Backend,
    C: Migrate<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known: Vec<_> = migrations.migrations().map_err(|error| failed(&error))?;
    let known: Vec<MigrationVersion<'static>> =
        known.iter().map(|migration| migration.name().version().as_owned()).collect();
    let applied = connection.applied_migrations().map_err(|error| failed(&error))?;
    if let Some(foreign) = applied.iter().find(|version| !known.contains(version)) {
        return Err(StoreError::Migration(format!(
            "it holds the migration {foreign}, which this build does not know: start a newer build"
        )));
    }
    // Nothing is changed in a database whose values cannot be read.
    if let Some(sealed) = found(connection.setting(CANARY))? {
        sealing.open_text(CANARY, &sealed)?;
    }
    connection.run_pending_migrations(migrations).map_err(|error| failed(&error))?;
    let epoch = new_id();
    let counters = [(CONFIG_VERSION, "1"), (CONFIG_PRUNED, "0"), (CONFIG_EPOCH, &*epoch), (KEY_STATES_VERSION, "0")];
    for (name, first) in counters {
        if connection.setting(name)?.is_none() {
            connection.set(name, first)?;
        }
    }
    if connection.setting(CANARY)?.is_none() {
        connection.set(CANARY, &sealing.seal_text(CANARY, CANARY)?)?;
    }
    let version = connection.setting(CONFIG_VERSION)?.unwrap_or_default();
    version.parse().map_err(|_| StoreError::Corrupt(format!("settings.{CONFIG_VERSION}: {version:?}")))
}
