//! The database: SQLite, MySQL/MariaDB or PostgreSQL behind one set of functions.
//!
//! - [`groups`], [`proxy_keys`]: what operators configure. Each write goes through `change`, which raises the config
//!   version and enters the audit log in the same transaction; `version` has the counters of config.
//! - [`published`]: what nodes are sent, whole or as the changes since a version.
//! - [`key_states`]: what nodes have learnt about upstream keys.
//! - [`usage`]: the ledger. [`audit`]: who changed what. [`users`], [`sessions`]: who logs in; [`login_places`]: from
//!   where.
//! - [`health_checks`]: what checks of providers, keys and models came to.
//! - [`job_leases`]: which control plane does what only one is to do. [`clock`]: the time that all of them share.
//! - `scope`: which resources a right reaches. Functions that read or write resources for somebody take it.
//! - `pool`, `macros`, `columns`, `migrate`, `schema`: how one body of code runs on three databases. `guard`: a
//!   connection whose use was cut short is never used again. `work`: how long a caller waits. `place`: whether the file
//!   of the database is still there, and has room.

#[macro_use]
mod macros;

pub mod audit;
pub mod clock;
pub mod error_rules;
pub mod groups;
pub mod health_checks;
pub mod job_leases;
pub mod key_states;
pub mod login_places;
pub mod metrics;
pub mod prices;
pub mod proxy_keys;
pub mod published;
pub mod repricing;
pub mod sessions;
pub mod usage;
pub mod users;

mod change;
mod columns;
mod error;
mod guard;
mod migrate;
mod place;
mod pool;
mod schema;
mod scope;
mod version;
mod work;

use std::fmt;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::crypto::{KEY_LEN, SealingKey, random_token};
use shared::drain::Tasks;
use shared::ids::new_id;
use tokio::sync::watch;

pub use error::StoreError;
use place::{Place, Room};
use pool::{Pools, Target};
pub use scope::Scope;
use work::Progress;

/// Name of the setting whose write tells whether the disk has room.
const ROOM_PROBE: &str = "room_probe";

/// Number of ids in the value of that setting, which make it 36 KB long.
const ROOM_PROBE_IDS: usize = 1_000;

/// The database of a control plane. It is cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pools: Pools,
    place: Place,
    room: Room,
    progress: Progress,
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
    /// Id of the user; `None` where it is the program itself.
    pub user_id: Option<String>,
    /// Name of the user at the time.
    pub username: String,
    /// Address that the request came from.
    pub client_ip: String,
}

/// Which page of a list is asked for.
#[derive(Clone, Debug)]
pub struct Page {
    /// The most items on the page, from 1 to 200. The caller checks it.
    pub limit: i64,
    /// The [`Listed::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// The items on the page.
    pub items: Vec<T>,
    /// Opaque text that asks for the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// The page out of up to `limit + 1` rows. The surplus row only says that there is a next page.
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
    /// Connects, brings the schema up to date under a lock that all control planes of the database share, and checks
    /// that the values of the database are sealed under `sealing`.
    ///
    /// `url` is `sqlite://<path>`, `mysql://…` (or `mariadb://…`) or `postgres://…`. Every query runs in a task of
    /// `tasks`, so that a caller who leaves does not cut it short.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::Unavailable`], [`StoreError::Migration`] when the schema cannot be
    /// brought up to date or is newer than this build, [`StoreError::Crypto`] when the data was sealed under another
    /// master key.
    pub async fn open(url: &str, sealing: Arc<SealingKey>, tasks: &Tasks) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        let version = migrate::run(&target, Arc::clone(&sealing), tasks).await?;
        Self::on(&target, version, sealing, tasks).await
    }

    /// A store on a database whose schema is as it is to be.
    async fn on(target: &Target, version: u64, sealing: Arc<SealingKey>, tasks: &Tasks) -> Result<Self, StoreError> {
        let place = Place::of(target).await?;
        let pools = Pools::connect(target).await?;
        let changed = watch::Sender::new(version);
        let (room, progress, tasks) = (Room::default(), Progress::new(), tasks.clone());
        Ok(Self(Arc::new(Inner { pools, place, room, progress, sealing, tasks, changed })))
    }

    /// Reads what the database at `url` tells of the master key that its values are sealed under, and changes nothing.
    /// There is nothing where no control plane has made the database yet.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::Unavailable`].
    pub async fn canary(url: &str, tasks: &Tasks) -> Result<Option<String>, StoreError> {
        migrate::canary(&Target::parse(url)?, tasks).await
    }

    /// Connects to a database that is there already, for work on users alone. The schema stays as it is, since a
    /// program of another version may run on it. Values that are sealed cannot be opened.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::Unavailable`] when it cannot be reached or is not there.
    pub async fn attach(url: &str, tasks: &Tasks) -> Result<Self, StoreError> {
        let target = Target::parse(url)?;
        if let Target::Sqlite(path) = &target
            && !path.exists()
        {
            return Err(StoreError::Unavailable("there is no such file".to_owned()));
        }
        let sealing = SealingKey::derive("none", random_token(KEY_LEN)?.as_bytes(), "nothing")?;
        Self::on(&target, 0, Arc::new(sealing), tasks).await
    }

    /// Whether the database is a file of this machine, and not on a server.
    pub fn is_file(&self) -> bool {
        matches!(self.0.pools, Pools::Sqlite { .. })
    }

    /// The newest config version that this process has committed, as a value that changes after each commit.
    pub fn config_changed(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Whether the database answers, and takes writes as far as is known. While its disk is full, a write of the size
    /// of a few records finds out whether there is room again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not answer, [`StoreError::Gone`] when its file is not the one that was
    /// opened, [`StoreError::Full`] when its disk is full.
    pub async fn check(&self) -> Result<(), StoreError> {
        if !self.0.room.is_full() {
            return with_conn!(self, conn => {
                schema::settings::table.select(schema::settings::name).limit(1).load::<String>(conn).await?;
                Ok(())
            });
        }
        if let Some(asked) = self.0.pools.room().await {
            if asked.is_ok() {
                self.0.room.some();
            }
            return asked;
        }
        with_tx!(self, conn => {
            diesel::delete(schema::settings::table.find(ROOM_PROBE)).execute(conn).await?;
            // Ids look random, so that no database stores them in less room than they take.
            let value: String = (0..ROOM_PROBE_IDS).map(|_| new_id()).collect();
            let row = (schema::settings::name.eq(ROOM_PROBE), schema::settings::value.eq(value));
            diesel::insert_into(schema::settings::table).values(row).execute(conn).await?;
            Ok(())
        })?;
        with_tx!(self, conn => {
            diesel::delete(schema::settings::table.find(ROOM_PROBE)).execute(conn).await?;
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
pub(crate) mod tests;
