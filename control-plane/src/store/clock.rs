//! The clock of the database, which all control planes on it share.

use diesel_async::{AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl};
use shared::time::steady_ms;
use tokio::time::Instant;

use super::pool::AsyncSqliteConnection;
use super::{Store, StoreError};

/// How often the clock is read, of which the reading that took the shortest time counts.
const READINGS: usize = 3;

/// A connection to a database that has a clock.
pub(super) trait DatabaseClock {
    /// The expression for the current time, in epoch milliseconds, whatever the time zone of the server or session.
    const NOW: &'static str;
}

/// The clock of SQLite is that of the machine.
impl DatabaseClock for AsyncSqliteConnection {
    const NOW: &'static str = "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)";
}

impl DatabaseClock for AsyncMysqlConnection {
    const NOW: &'static str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
}

impl DatabaseClock for AsyncPgConnection {
    const NOW: &'static str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
}

/// The expression for the current time of the database that `connection` leads to.
pub(super) const fn database_now<C: DatabaseClock>(_connection: &C) -> &'static str {
    C::NOW
}

/// Reads the database's clock, in epoch milliseconds.
macro_rules! now {
    ($conn:expr) => {{
        let now = diesel::dsl::sql::<diesel::sql_types::BigInt>($crate::store::clock::database_now($conn));
        diesel::select(now).get_result::<i64>($conn).await?
    }};
}
pub(super) use now;

/// How far the database's clock is ahead of this process's own ([`steady_ms`]), in milliseconds. A SQLite file has no
/// clock but that of this machine.
///
/// # Errors
/// [`StoreError`].
pub async fn ahead(store: &Store) -> Result<i64, StoreError> {
    if store.is_file() {
        return Ok(0);
    }
    with_conn!(store, conn => {
        let mut best = None;
        for _ in 0..READINGS {
            let (asked, before) = (Instant::now(), steady_ms());
            let database = now!(conn);
            let took = asked.elapsed();
            if best.is_none_or(|(shortest, _)| took < shortest) {
                let half = i64::try_from(took.as_millis() / 2).unwrap_or_default();
                best = Some((took, database - before - half));
            }
        }
        Ok(best.map_or(0, |(_, ahead)| ahead))
    })
}
