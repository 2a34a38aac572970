//! Groups and their upstream keys.

mod row;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::time::now_ms;

use super::change::{Change, Kind, change};
use super::schema::{provider_groups, upstream_keys};
use super::{Actor, Listed, Page, Scope, Store, StoreError};

pub use row::StoredGroup;
use row::key_rows;
pub(super) use row::{KeyRow, Row, assemble};

/// One page of the groups in `scope`, the oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(store: &Store, scope: &Scope, page: &Page) -> Result<Listed<StoredGroup>, StoreError> {
    let Scope::Everything = scope;
    let (limit, after) = (page.limit, page.cursor.clone().unwrap_or_default());
    let (rows, keys) = with_read_tx!(store, conn => {
        let query = provider_groups::table.filter(provider_groups::id.gt(&after)).order(provider_groups::id);
        let rows = query.limit(limit + 1).select(Row::as_select()).load::<Row>(conn).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let query = upstream_keys::table.filter(upstream_keys::group_id.eq_any(ids));
        let query = query.order((upstream_keys::group_id, upstream_keys::position));
        let keys = query.select(KeyRow::as_select()).load::<KeyRow>(conn).await?;
        Ok((rows, keys))
    })?;
    let groups = assemble(store.sealing(), rows, keys)?;
    Ok(Listed::of(groups, limit, |stored| stored.group.id.to_string()))
}

/// The id of the group in `scope` that is called `name`.
///
/// # Errors
/// [`StoreError`].
pub async fn id_of(store: &Store, scope: &Scope, name: &str) -> Result<Option<String>, StoreError> {
    let Scope::Everything = scope;
    let name = name.to_owned();
    with_conn!(store, conn => {
        let query = provider_groups::table.filter(provider_groups::group_name.eq(&name)).select(provider_groups::id);
        Ok(query.first::<String>(conn).await.optional()?)
    })
}

/// The group of this id, where it is in `scope`.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, scope: &Scope, id: &str) -> Result<Option<StoredGroup>, StoreError> {
    let Scope::Everything = scope;
    let id = id.to_owned();
    let (row, keys) = with_read_tx!(store, conn => {
        let row = provider_groups::table.find(&id).select(Row::as_select()).first::<Row>(conn).await.optional()?;
        let query = upstream_keys::table.filter(upstream_keys::group_id.eq(&id)).order(upstream_keys::position);
        let keys = query.select(KeyRow::as_select()).load::<KeyRow>(conn).await?;
        Ok((row, keys))
    })?;
    Ok(assemble(store.sealing(), row.into_iter().collect(), keys)?.pop())
}

fn taken(error: StoreError, stored: &StoredGroup) -> StoreError {
    error.taken("group_name", &stored.group.name)
}

/// Adds a group. Its times are set here.
///
/// # Errors
/// [`StoreError::Taken`] for a name in use.
pub async fn create(
    store: &Store,
    scope: &Scope,
    stored: &StoredGroup,
    actor: &Actor,
) -> Result<StoredGroup, StoreError> {
    let Scope::Everything = scope;
    let now = now_ms();
    let stored = StoredGroup { created_at: now, updated_at: now, ..stored.clone() };
    let row = Row::of(&stored, store.sealing())?;
    let keys = key_rows(&stored, store.sealing())?;
    change!(store, Change::create(Kind::Group, &stored.group.id, &stored.group.name, actor), conn => {
        diesel::insert_into(provider_groups::table).values(row.clone()).execute(conn).await?;
        for key in keys.clone() {
            diesel::insert_into(upstream_keys::table).values(key).execute(conn).await?;
        }
    })
    .map_err(|error| taken(error, &stored))?;
    Ok(stored)
}

/// Replaces a group, provided that it is still as the caller read it. Upstream keys are matched by their id.
///
/// # Errors
/// [`StoreError::Stale`] where the stored `updated_at` is another, [`StoreError::NotFound`], [`StoreError::Taken`].
pub async fn replace(
    store: &Store,
    scope: &Scope,
    stored: &StoredGroup,
    actor: &Actor,
) -> Result<StoredGroup, StoreError> {
    let Scope::Everything = scope;
    let read_at = stored.updated_at;
    let next = StoredGroup { updated_at: now_ms().max(read_at + 1), ..stored.clone() };
    let row = Row::of(&next, store.sealing())?;
    let keys = key_rows(&next, store.sealing())?;
    let id = next.group.id.to_string();
    change!(store, Change::update(Kind::Group, &id, &next.group.name, actor), conn => {
        let current = provider_groups::table.find(&id).select(provider_groups::updated_at).first::<i64>(conn).await;
        if current? != read_at {
            return Err(StoreError::Stale);
        }
        diesel::update(provider_groups::table.find(&id)).set(row.clone()).execute(conn).await?;
        let kept: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
        let of_group = upstream_keys::table.filter(upstream_keys::group_id.eq(&id));
        let there = of_group.select(upstream_keys::id).load::<String>(conn).await?;
        let gone: Vec<_> = there.iter().filter(|id| !kept.contains(id)).cloned().collect();
        diesel::delete(upstream_keys::table.filter(upstream_keys::id.eq_any(gone))).execute(conn).await?;
        for key in keys.clone() {
            if there.contains(&key.id) {
                let values = (
                    upstream_keys::position.eq(key.position),
                    upstream_keys::enabled.eq(key.enabled),
                    upstream_keys::masked.eq(key.masked),
                    upstream_keys::secret_sealed.eq(key.secret_sealed),
                    upstream_keys::routing.eq(key.routing),
                    upstream_keys::own_sealed.eq(key.own_sealed),
                );
                diesel::update(upstream_keys::table.find(key.id)).set(values).execute(conn).await?;
            } else {
                diesel::insert_into(upstream_keys::table).values(key).execute(conn).await?;
            }
        }
    })
    .map_err(|error| taken(error, &next))?;
    Ok(next)
}

/// Deletes a group. Returns whether it was there.
///
/// # Errors
/// [`StoreError`].
pub async fn delete(store: &Store, scope: &Scope, id: &str, actor: &Actor) -> Result<bool, StoreError> {
    let Scope::Everything = scope;
    let id = id.to_owned();
    let deleted = change!(store, Change::delete(Kind::Group, &id, actor), conn => {
        diesel::delete(upstream_keys::table.filter(upstream_keys::group_id.eq(&id))).execute(conn).await?;
        if diesel::delete(provider_groups::table.find(&id)).execute(conn).await? == 0 {
            return Err(StoreError::NotFound);
        }
    });
    match deleted {
        Ok(()) => Ok(true),
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}
