//! Versions: counters in the settings table. Every change of config raises that of config, and every write of states of
//! upstream keys raises theirs, so that other control planes see that there is something to read.

use std::sync::Arc;

use super::StoreError;

/// Name of the setting that counts config versions. The first version is 1, because nodes read 0 as none.
pub(super) const CONFIG_VERSION: &str = "config_version";
/// Name of the setting that counts the writes of states of upstream keys.
pub(super) const KEY_STATES_VERSION: &str = "key_states_version";
/// Name of the setting that identifies the history in which config versions count.
pub(super) const CONFIG_EPOCH: &str = "config_epoch";
/// Name of the setting that says up to which version config changes have been pruned.
pub(super) const CONFIG_PRUNED: &str = "config_pruned";

/// The counters of config.
pub(super) struct Counters {
    /// The version in force.
    pub(super) version: u64,
    /// Changes up to this version have been pruned.
    pub(super) pruned: u64,
    /// Identifies the history in which versions count.
    pub(super) epoch: Arc<str>,
}

impl Counters {
    /// The counters in the rows of the settings table, each a name and a value.
    pub(super) fn of(rows: Vec<(String, String)>) -> Result<Self, StoreError> {
        let find = |wanted: &str| {
            let row = rows.iter().find(|(name, _)| name == wanted);
            row.map(|(_, value)| value.as_str())
                .ok_or_else(|| StoreError::Corrupt(format!("settings.{wanted} is missing")))
        };
        let number = |name: &str| {
            find(name)?.parse().map_err(|_| StoreError::Corrupt(format!("settings.{name} is not a number")))
        };
        Ok(Self { version: number(CONFIG_VERSION)?, pruned: number(CONFIG_PRUNED)?, epoch: find(CONFIG_EPOCH)?.into() })
    }
}

/// Reads the counters of config within a transaction.
macro_rules! counters {
    ($conn:expr) => {{
        use $crate::store::schema::settings;
        let rows = settings::table.select((settings::name, settings::value)).load($conn).await?;
        $crate::store::version::Counters::of(rows)?
    }};
}
pub(super) use counters;

/// Reads the lineage of a version within a transaction. It is empty where none is noted: for the first version, one
/// that was pruned, and one that an older build made.
macro_rules! lineage {
    ($conn:expr, $version:expr) => {{
        use $crate::store::schema::config_changes;
        let version = i64::try_from($version).unwrap_or(i64::MAX);
        let query = config_changes::table.filter(config_changes::version.eq(version)).select(config_changes::lineage);
        let found = query.first::<Option<String>>($conn).await.optional()?;
        std::sync::Arc::<str>::from(found.flatten().unwrap_or_default())
    }};
}
pub(super) use lineage;

/// Raises the version that the setting `$name` counts within a transaction, and gives the new one. It has to come
/// before the writes of the transaction that it counts, because the row is the lock by which versions commit in order.
macro_rules! raise_version {
    ($conn:expr, $name:expr) => {{
        use $crate::store::schema::settings;
        let row = settings::table.find($name);
        diesel::update(row).set(settings::name.eq($name)).execute($conn).await?;
        let text: String = row.select(settings::value).first($conn).await?;
        let corrupt = |_| $crate::store::StoreError::Corrupt(format!("settings.{}", $name));
        let version = text.parse::<i64>().map_err(corrupt)? + 1;
        diesel::update(row).set(settings::value.eq(version.to_string())).execute($conn).await?;
        version
    }};
}
pub(super) use raise_version;
