//! Reads what nodes are sent: the whole config, or the changes since a version. Each read sees the database as it is at
//! one moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::ids::Id;
use shared::pb::KnownConfig;
use shared::pb::welcome::Lineage;
use shared::snapshot::{Delta, Snapshot};

use super::change::Kind;
use super::schema::{config_changes, provider_groups, proxy_keys, settings, upstream_keys};
use super::version::{CONFIG_PRUNED, counters, lineage};
use super::{Store, StoreError, error_rules, groups, prices, proxy_keys as keys};

/// The most changes that a delta is made of. Nodes are sent a whole snapshot instead of more.
const LARGEST_DELTA: i64 = 900;

/// What has changed since a version.
#[derive(Debug)]
pub enum Since {
    /// Nothing has changed.
    Unchanged,
    /// These are the changes.
    Delta(Delta),
    /// So much has changed, or the version is so old, that the whole snapshot is needed.
    TooOld,
    /// The database has never had that config, or has it no more: it is another database, or a restored backup.
    Elsewhere,
}

/// The whole config, with its version.
///
/// # Errors
/// [`StoreError`].
pub async fn snapshot(store: &Store) -> Result<Snapshot, StoreError> {
    let (counters, lineage, groups, upstream_keys, keys, (rules, prices)) = with_read_tx!(store, conn => {
        let counters = counters!(conn);
        let lineage = lineage!(conn, counters.version);
        let groups = provider_groups::table.select(groups::Row::as_select()).load::<groups::Row>(conn).await?;
        let order = (upstream_keys::group_id, upstream_keys::position);
        let query = upstream_keys::table.order(order).select(groups::KeyRow::as_select());
        let upstream_keys = query.load::<groups::KeyRow>(conn).await?;
        let keys = proxy_keys::table.select(keys::Row::as_select()).load::<keys::Row>(conn).await?;
        let rest = (error_rules::rows!(conn), prices::price_rows!(conn));
        Ok((counters, lineage, groups, upstream_keys, keys, rest))
    })?;
    let error_rules = error_rules::StoredRules::of(rules)?.rules.into();
    let (version, epoch) = (counters.version, counters.epoch);
    let prices = Arc::new(prices::StoredPrices::of(prices)?.prices);
    let mut snapshot = Snapshot { version, epoch, lineage, error_rules, prices, ..Snapshot::default() };
    for stored in groups::assemble(store.sealing(), groups, upstream_keys)? {
        let group = Arc::new(stored.for_nodes());
        snapshot.groups.insert(Arc::clone(&group.id), group);
    }
    for row in keys {
        let key = Arc::new(row.stored()?.key);
        snapshot.proxy_keys.insert(Arc::clone(&key.id), key);
    }
    Ok(snapshot)
}

/// Whether the database has had the config `known` of its own epoch: the version, and with it the lineage. It cannot be
/// said of a version without a lineage, one that was pruned, and one that the database has not reached.
///
/// # Errors
/// [`StoreError`].
pub async fn lineage(store: &Store, known: KnownConfig) -> Result<Lineage, StoreError> {
    with_read_tx!(store, conn => {
        let counters = counters!(conn);
        let remembered = counters.pruned + 1..=counters.version;
        if known.lineage.is_empty() || *counters.epoch != *known.epoch || !remembered.contains(&known.version) {
            return Ok(Lineage::Unspecified);
        }
        let shared = *lineage!(conn, known.version) == *known.lineage;
        Ok(if shared { Lineage::Shared } else { Lineage::Other })
    })
}

/// What has changed since the config of `have`: its version, in its epoch and with its lineage.
///
/// # Errors
/// [`StoreError`].
pub async fn since(store: &Store, have: &Snapshot) -> Result<Since, StoreError> {
    let (version, epoch, had) = (have.version, Arc::clone(&have.epoch), Arc::clone(&have.lineage));
    let from = i64::try_from(version).unwrap_or(i64::MAX);
    let read = with_read_tx!(store, conn => {
        let counters = counters!(conn);
        if counters.epoch != epoch || version > counters.version {
            return Ok(Err(Since::Elsewhere));
        }
        if version < counters.pruned {
            return Ok(Err(Since::TooOld));
        }
        if version > counters.pruned && lineage!(conn, version) != had {
            return Ok(Err(Since::Elsewhere));
        }
        if version == counters.version {
            return Ok(Err(Since::Unchanged));
        }
        let query = config_changes::table.filter(config_changes::version.gt(from)).limit(LARGEST_DELTA + 1);
        let columns = (config_changes::entity_kind, config_changes::entity_id);
        let changes = query.select(columns).load::<(String, String)>(conn).await?;
        if i64::try_from(changes.len()).unwrap_or(i64::MAX) > LARGEST_DELTA {
            return Ok(Err(Since::TooOld));
        }
        let of = |wanted: Kind| -> BTreeSet<String> {
            changes.iter().filter(|(kind, _)| kind == wanted.name()).map(|(_, id)| id.clone()).collect()
        };
        let (group_ids, key_ids) = (of(Kind::Group), of(Kind::ProxyKey));
        let query = provider_groups::table.filter(provider_groups::id.eq_any(group_ids.clone()));
        let groups = query.select(groups::Row::as_select()).load::<groups::Row>(conn).await?;
        let query = upstream_keys::table.filter(upstream_keys::group_id.eq_any(group_ids.clone()));
        let query = query.order((upstream_keys::group_id, upstream_keys::position)).select(groups::KeyRow::as_select());
        let upstream_keys = query.load::<groups::KeyRow>(conn).await?;
        let query = proxy_keys::table.filter(proxy_keys::id.eq_any(key_ids.clone()));
        let keys = query.select(keys::Row::as_select()).load::<keys::Row>(conn).await?;
        let rules = if of(Kind::ErrorRules).is_empty() { None } else { Some(error_rules::rows!(conn)) };
        let prices = if of(Kind::Prices).is_empty() { None } else { Some(prices::price_rows!(conn)) };
        let lineage = lineage!(conn, counters.version);
        Ok(Ok((counters, lineage, group_ids, key_ids, groups, upstream_keys, keys, (rules, prices))))
    })?;
    let (counters, lineage, group_ids, key_ids, groups, upstream_keys, keys, (rules, prices)) = match read {
        Ok(read) => read,
        Err(since) => return Ok(since),
    };
    let (to, epoch) = (counters.version, counters.epoch);
    let rules = rules.map(error_rules::StoredRules::of).transpose()?;
    let error_rules = rules.map(|stored| stored.rules.into());
    let prices = prices.map(prices::StoredPrices::of).transpose()?.map(|stored| Arc::new(stored.prices));
    let mut delta =
        Delta { from_version: version, version: to, epoch, lineage, error_rules, prices, ..Delta::default() };
    for stored in groups::assemble(store.sealing(), groups, upstream_keys)? {
        delta.groups.push(Arc::new(stored.for_nodes()));
    }
    for row in keys {
        delta.proxy_keys.push(Arc::new(row.stored()?.key));
    }
    let gone = |ids: BTreeSet<String>, there: &[&str]| -> Vec<Id> {
        ids.into_iter().filter(|id| !there.contains(&id.as_str())).map(Id::from).collect()
    };
    let there: Vec<_> = delta.groups.iter().map(|group| &*group.id).collect();
    delta.removed_groups = gone(group_ids, &there);
    let there: Vec<_> = delta.proxy_keys.iter().map(|key| &*key.id).collect();
    delta.removed_proxy_keys = gone(key_ids, &there);
    Ok(Since::Delta(delta))
}

/// Removes the changes of all but the last `keep` versions. A node with an older version gets a whole snapshot.
///
/// # Errors
/// [`StoreError`].
pub async fn prune(store: &Store, keep: u64) -> Result<(), StoreError> {
    with_tx!(store, conn => {
        let counters = counters!(conn);
        let upto = counters.version.saturating_sub(keep);
        if upto <= counters.pruned {
            return Ok(());
        }
        let old = config_changes::version.le(i64::try_from(upto).unwrap_or(i64::MAX));
        diesel::delete(config_changes::table.filter(old)).execute(conn).await?;
        let row = settings::table.find(CONFIG_PRUNED);
        diesel::update(row).set(settings::value.eq(upto.to_string())).execute(conn).await?;
        Ok(())
    })
}
