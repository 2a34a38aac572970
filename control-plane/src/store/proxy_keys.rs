//! Proxy keys, which clients authenticate with. Only digests of their values are stored.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use shared::crypto::hex;
use shared::snapshot::{GroupPolicy, ProxyKey};
use shared::time::now_ms;

use super::change::{Change, Kind, change};
use super::columns::{from_json, json, named, number, optional_json, signed};
use super::schema::proxy_keys;
use super::{Actor, Listed, Page, Scope, Store, StoreError};

/// A proxy key as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredProxyKey {
    /// Config of the key, as nodes have it.
    pub key: ProxyKey,
    /// Mask of the value.
    pub masked: String,
    /// Description for people.
    pub description: Option<String>,
    /// Number of usage records that name the key.
    pub usage_count: i64,
    /// When the key was last used, in epoch milliseconds.
    pub last_used_at: Option<i64>,
    /// When the key was made, in epoch milliseconds.
    pub created_at: i64,
    /// When the key was last changed, in epoch milliseconds. It grows with each change.
    pub updated_at: i64,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = proxy_keys)]
pub(super) struct Row {
    id: String,
    key_name: String,
    digest: String,
    masked: String,
    description: Option<String>,
    enabled: bool,
    allowed_groups: String,
    allowed_models: String,
    group_policy: String,
    group_weights: String,
    rpm_limit: i64,
    tpm_limit: i64,
    concurrency_limit: i64,
    expires_at: Option<i64>,
    usage_count: i64,
    last_used_at: Option<i64>,
    /// `None` in a row from before the column existed, which means the defaults.
    routing: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn of(stored: &StoredProxyKey) -> Result<Self, StoreError> {
        let key = &stored.key;
        Ok(Self {
            id: key.id.to_string(),
            key_name: key.name.to_string(),
            digest: hex(&key.digest),
            masked: stored.masked.clone(),
            description: stored.description.clone(),
            enabled: key.enabled,
            allowed_groups: json(&key.allowed_groups.iter().map(|id| &**id).collect::<Vec<_>>())?,
            allowed_models: json(&key.allowed_models.iter().map(|model| &**model).collect::<Vec<_>>())?,
            group_policy: key.group_policy.as_str().to_owned(),
            group_weights: json(&key.group_weights.iter().map(|(id, w)| (&**id, *w)).collect::<BTreeMap<_, _>>())?,
            rpm_limit: key.rpm_limit.into(),
            tpm_limit: signed(key.tpm_limit),
            concurrency_limit: key.concurrency_limit.into(),
            expires_at: key.expires_at_ms,
            usage_count: stored.usage_count,
            last_used_at: stored.last_used_at,
            routing: Some(json(&key.routing)?),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        })
    }

    pub(super) fn stored(self) -> Result<StoredProxyKey, StoreError> {
        let groups: Vec<String> = from_json("allowed_groups", &self.allowed_groups)?;
        let models: Vec<String> = from_json("allowed_models", &self.allowed_models)?;
        let weights: BTreeMap<String, u32> = from_json("group_weights", &self.group_weights)?;
        Ok(StoredProxyKey {
            key: ProxyKey {
                digest: digest(&self.digest).ok_or_else(|| StoreError::Corrupt(format!("proxy_keys.{}", self.id)))?,
                id: self.id.into(),
                name: self.key_name.into(),
                enabled: self.enabled,
                allowed_groups: groups.into_iter().map(Into::into).collect(),
                allowed_models: models.into_iter().map(Into::into).collect(),
                group_policy: named("group_policy", &self.group_policy, GroupPolicy::from_name(&self.group_policy))?,
                group_weights: weights.into_iter().map(|(id, weight)| (id.into(), weight)).collect(),
                rpm_limit: number("rpm_limit", self.rpm_limit)?,
                tpm_limit: number("tpm_limit", self.tpm_limit)?,
                concurrency_limit: number("concurrency_limit", self.concurrency_limit)?,
                expires_at_ms: self.expires_at,
                routing: optional_json("routing", self.routing.as_deref())?,
            },
            masked: self.masked,
            description: self.description,
            usage_count: self.usage_count,
            last_used_at: self.last_used_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The 32 bytes that 64 hexadecimal digits stand for.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// One page of the proxy keys in `scope`, the oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(store: &Store, scope: &Scope, page: &Page) -> Result<Listed<StoredProxyKey>, StoreError> {
    let Scope::Everything = scope;
    let (limit, after) = (page.limit, page.cursor.clone().unwrap_or_default());
    let rows = with_conn!(store, conn => {
        let query = proxy_keys::table.filter(proxy_keys::id.gt(&after)).order(proxy_keys::id).limit(limit + 1);
        Ok(query.select(Row::as_select()).load::<Row>(conn).await?)
    })?;
    Listed::of(rows, limit, |row| row.id.clone()).try_map(Row::stored)
}

/// The proxy key of this id, where it is in `scope`.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, scope: &Scope, id: &str) -> Result<Option<StoredProxyKey>, StoreError> {
    let Scope::Everything = scope;
    let id = id.to_owned();
    let row = with_conn!(store, conn => {
        Ok(proxy_keys::table.find(&id).select(Row::as_select()).first::<Row>(conn).await.optional()?)
    })?;
    row.map(Row::stored).transpose()
}

/// Adds to an error about a value in use which of the two unique values it is.
async fn taken(store: &Store, error: StoreError, row: &Row) -> StoreError {
    if !matches!(error, StoreError::Taken { .. }) {
        return error;
    }
    let name = row.key_name.clone();
    let id = row.id.clone();
    let found: Result<i64, StoreError> = with_conn!(store, conn => {
        let query = proxy_keys::table.filter(proxy_keys::key_name.eq(&name)).filter(proxy_keys::id.ne(&id));
        Ok(query.count().get_result(conn).await?)
    });
    match found {
        Ok(0) => error.taken("digest", ""),
        _ => error.taken("key_name", &row.key_name),
    }
}

/// Adds a proxy key. Its times are set here.
///
/// # Errors
/// [`StoreError::Taken`] for a name or a value in use.
pub async fn create(
    store: &Store,
    scope: &Scope,
    stored: &StoredProxyKey,
    actor: &Actor,
) -> Result<StoredProxyKey, StoreError> {
    let Scope::Everything = scope;
    let now = now_ms();
    let stored = StoredProxyKey { created_at: now, updated_at: now, ..stored.clone() };
    let given = Row::of(&stored)?;
    let row = given.clone();
    let created = change!(store, Change::create(Kind::ProxyKey, &row.id, &row.key_name, actor), conn => {
        diesel::insert_into(proxy_keys::table).values(row.clone()).execute(conn).await?;
    });
    match created {
        Ok(()) => Ok(stored),
        Err(error) => Err(taken(store, error, &given).await),
    }
}

/// Replaces a proxy key, provided that it is still as the caller read it. What is counted of its use stays.
///
/// # Errors
/// [`StoreError::Stale`] where the stored `updated_at` is another, [`StoreError::NotFound`], [`StoreError::Taken`].
pub async fn replace(
    store: &Store,
    scope: &Scope,
    stored: &StoredProxyKey,
    actor: &Actor,
) -> Result<StoredProxyKey, StoreError> {
    let Scope::Everything = scope;
    let read_at = stored.updated_at;
    let next = StoredProxyKey { updated_at: now_ms().max(read_at + 1), ..stored.clone() };
    let given = Row::of(&next)?;
    let row = given.clone();
    let replaced = change!(store, Change::update(Kind::ProxyKey, &row.id, &row.key_name, actor), conn => {
        let current = proxy_keys::table.find(&row.id).select(proxy_keys::updated_at).first::<i64>(conn).await;
        if current? != read_at {
            return Err(StoreError::Stale);
        }
        let new = row.clone();
        let values = (
            proxy_keys::key_name.eq(new.key_name),
            proxy_keys::digest.eq(new.digest),
            proxy_keys::masked.eq(new.masked),
            proxy_keys::description.eq(new.description),
            proxy_keys::enabled.eq(new.enabled),
            proxy_keys::allowed_groups.eq(new.allowed_groups),
            proxy_keys::allowed_models.eq(new.allowed_models),
            proxy_keys::group_policy.eq(new.group_policy),
            proxy_keys::group_weights.eq(new.group_weights),
            proxy_keys::rpm_limit.eq(new.rpm_limit),
            proxy_keys::tpm_limit.eq(new.tpm_limit),
            proxy_keys::concurrency_limit.eq(new.concurrency_limit),
            proxy_keys::expires_at.eq(new.expires_at),
            proxy_keys::routing.eq(new.routing),
            proxy_keys::updated_at.eq(new.updated_at),
        );
        diesel::update(proxy_keys::table.find(&row.id)).set(values).execute(conn).await?;
    });
    match replaced {
        Ok(()) => Ok(next),
        Err(error) => Err(taken(store, error, &given).await),
    }
}

/// Deletes a proxy key. Returns whether it was there.
///
/// # Errors
/// [`StoreError`].
pub async fn delete(store: &Store, scope: &Scope, id: &str, actor: &Actor) -> Result<bool, StoreError> {
    let Scope::Everything = scope;
    let id = id.to_owned();
    let deleted = change!(store, Change::delete(Kind::ProxyKey, &id, actor), conn => {
        if diesel::delete(proxy_keys::table.find(&id)).execute(conn).await? == 0 {
            return Err(StoreError::NotFound);
        }
    });
    match deleted {
        Ok(()) => Ok(true),
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}
