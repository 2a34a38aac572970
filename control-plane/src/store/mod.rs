//! The database: SQLite, MySQL/MariaDB or PostgreSQL behind one set of functions.
//!
//! - [`groups`], [`proxy_keys`]: what operators configure. Each change is one transaction that raises the config
//!   version.
//! - [`config`]: what nodes are sent, whole or as the changes since a version.
//! - [`usage`]: the ledger. [`audit`]: who changed what. [`users`], [`sessions`]: login.
//! - `pool`, `macros`, `columns`, `migrate`, `schema`: how one body of code runs on three databases.

#[macro_use]
mod macros;

pub mod audit;
pub mod groups;
pub mod proxy_keys;
pub mod published;
pub mod sessions;
pub mod usage;
pub mod users;

mod change;
mod columns;
mod error;
mod migrate;
mod pool;
mod schema;
mod scope;
mod version;

use std::fmt;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use tokio::sync::watch;

pub use error::StoreError;
use pool::{Pools, Target};
pub use scope::Scope;

/// The database of a control plane. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pools: Pools,
    sealing: Arc<SealingKey>,
    tasks: Tasks,
    changed: watch::Sender<u64>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("pools", &self.0.pools).finish_non_exhaustive()
    }
}

/// Who makes a change, for the audit log.
#[derive(Clone, Debug)]
pub struct Actor {
    /// None where it is the program itself.
    pub user_id: Option<String>,
    /// Name at the time.
    pub username: String,
    /// Address that the request came from.
    pub client_ip: String,
}

/// Which part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Items at most, 1 to 200: the caller checks it.
    pub limit: i64,
    /// [`Listed::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// Opaque text for the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// A page out of up to `limit + 1` rows: the surplus one says that there is a next page.
    fn of(mut items: Vec<T>, limit: i64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(cursor) } else { None };
        Self { items, next_cursor }
    }

    fn try_map<U>(self, map: impl FnMut(T) -> Result<U, StoreError>) -> Result<Listed<U>, StoreError> {
        let items = self.items.into_iter().map(map).collect::<Result<_, _>>()?;
        Ok(Listed { items, next_cursor: self.next_cursor })
    }
}

impl Store {
    /// Connects, brings the schema up to date under a lock that all control planes of the database share, and sees to
    /// it that the database belongs to `sealing`.
    ///
    /// `url` is `sqlite://<path>`, `mysql://…` (or `mariadb://…`) or `postgres://…`. Every query runs in a task of
    /// `tasks`, so that a caller who leaves does not cut it in half.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::Unavailable`], [`StoreError::Migration`] when the schema cannot be brought up
    /// to date or is newer than this build, [`StoreError::Crypto`] when the data was sealed under another master key.
    pub async fn open(url: &str, sealing: Arc<SealingKey>, tasks: &Tasks) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        let version = migrate::run(&target, Arc::clone(&sealing), tasks).await?;
        let pools = Pools::connect(&target).await?;
        let changed = watch::Sender::new(version);
        Ok(Self(Arc::new(Inner { pools, sealing, tasks: tasks.clone(), changed })))
    }

    /// Changes, to the new config version, after each config change committed by this process.
    pub fn config_changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        with_conn!(self, conn => {
            schema::settings::table.select(schema::settings::name).limit(1).load::<String>(conn).await?;
            Ok(())
        })
    }

    fn sealing(&self) -> &SealingKey {
        &self.0.sealing
    }

    fn committed(&self, version: u64) {
        self.0.changed.send_if_modified(|seen| {
            let newer = version > *seen;
            *seen = version.max(*seen);
            newer
        });
    }
}

#[cfg(test)]
mod tests;
