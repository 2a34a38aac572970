//! Groups and their upstream keys.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use shared::crypto::SealingKey;
use shared::secret::Secret;
use shared::snapshot::{
    BalancePolicy, Group, OutboundProxy, ProxyScheme, UnsupportedParameters, UpstreamKey, UpstreamStream,
};
use shared::time::now_ms;

use super::columns::{from_json, json, named, number};
use super::config::{GROUP, note_change, raise_version};
use super::schema::{audit_log, provider_groups, upstream_keys};
use super::{Actor, Listed, Page, Store, StoreError, audit};

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGroup {
    /// Its config. The outbound proxy is kept even when it is switched off.
    pub group: Group,
    /// Whether requests leave through the outbound proxy.
    pub proxy_enabled: bool,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Epoch milliseconds; grows with each change.
    pub updated_at: i64,
}

impl StoredGroup {
    /// As nodes are told of it.
    pub(super) fn for_nodes(self) -> Group {
        let outbound_proxy = self.group.outbound_proxy.filter(|_| self.proxy_enabled);
        Group { outbound_proxy, ..self.group }
    }
}

#[derive(Clone, Insertable, AsChangeset, Queryable, Selectable)]
#[diesel(table_name = provider_groups, treat_none_as_null = true)]
pub(super) struct Row {
    id: String,
    group_name: String,
    provider_type: String,
    base_url: String,
    models: String,
    model_aliases: String,
    parameter_defaults: String,
    parameter_overrides: String,
    headers_sealed: Option<String>,
    balance_policy: String,
    retry_count: i32,
    timeout_ms: i64,
    rpm_limit: i64,
    test_model: Option<String>,
    priority: i32,
    enabled: bool,
    fake_streaming: bool,
    health_check_enabled: bool,
    proxy_enabled: bool,
    proxy_config_sealed: Option<String>,
    unsupported_parameters: String,
    /// None in a row of before there was the column: see `fake_streaming`.
    upstream_stream: Option<String>,
    model_facts: Option<String>,
    api_version: Option<String>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = upstream_keys)]
pub(super) struct KeyRow {
    id: String,
    group_id: String,
    position: i32,
    secret_sealed: String,
    masked: String,
    enabled: bool,
    created_at: i64,
}

/// The outbound proxy as it is sealed.
#[derive(Serialize, Deserialize)]
struct ProxyText {
    scheme: ProxyScheme,
    host: String,
    port: u16,
    username: String,
    password: String,
    bypass_local: bool,
    bypass_domains: Vec<String>,
}

fn key_context(id: &str) -> String {
    format!("upstream_keys.{id}")
}

fn headers_context(id: &str) -> String {
    format!("provider_groups.{id}.headers")
}

fn proxy_context(id: &str) -> String {
    format!("provider_groups.{id}.proxy")
}

impl Row {
    fn of(stored: &StoredGroup, sealing: &SealingKey) -> Result<Self, StoreError> {
        let group = &stored.group;
        let headers: BTreeMap<_, _> = group.headers.iter().map(|(name, value)| (name, value.expose())).collect();
        let headers = if headers.is_empty() { None } else { Some(json(&headers)?) };
        let seal = |context: String, text: &str| sealing.seal_text(&context, text);
        let proxy = group.outbound_proxy.as_ref().map(|proxy| {
            json(&ProxyText {
                scheme: proxy.scheme,
                host: proxy.host.clone(),
                port: proxy.port,
                username: proxy.username.clone(),
                password: proxy.password.expose().to_owned(),
                bypass_local: proxy.bypass_local,
                bypass_domains: proxy.bypass_domains.clone(),
            })
        });
        Ok(Self {
            id: group.id.to_string(),
            group_name: group.name.to_string(),
            provider_type: group.provider_type.to_string(),
            base_url: group.base_url.to_string(),
            models: json(&group.models.iter().map(|model| &**model).collect::<Vec<_>>())?,
            model_aliases: json(&group.model_aliases.iter().map(|(k, v)| (&**k, &**v)).collect::<BTreeMap<_, _>>())?,
            parameter_defaults: json(&group.parameter_defaults)?,
            parameter_overrides: json(&group.parameter_overrides)?,
            headers_sealed: headers.map(|text| seal(headers_context(&group.id), &text)).transpose()?,
            balance_policy: group.balance_policy.as_str().to_owned(),
            retry_count: i32::try_from(group.retry_count).unwrap_or(i32::MAX),
            timeout_ms: i64::try_from(group.timeout.as_millis()).unwrap_or(i64::MAX),
            rpm_limit: group.rpm_limit.into(),
            test_model: group.test_model.as_deref().map(str::to_owned),
            priority: group.priority,
            enabled: group.enabled,
            fake_streaming: group.upstream_stream == UpstreamStream::Never,
            health_check_enabled: group.health_check_enabled,
            proxy_enabled: stored.proxy_enabled,
            proxy_config_sealed: proxy.transpose()?.map(|text| seal(proxy_context(&group.id), &text)).transpose()?,
            unsupported_parameters: group.unsupported_parameters.as_str().to_owned(),
            upstream_stream: Some(group.upstream_stream.as_str().to_owned()),
            model_facts: if group.model_facts.is_empty() { None } else { Some(json(&group.model_facts)?) },
            api_version: group.api_version.as_deref().map(str::to_owned),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        })
    }

    fn stored(self, sealing: &SealingKey, keys: Vec<Arc<UpstreamKey>>) -> Result<StoredGroup, StoreError> {
        let headers: BTreeMap<String, Secret> = match &self.headers_sealed {
            Some(sealed) => from_json("headers", &sealing.open_text(&headers_context(&self.id), sealed)?)?,
            None => BTreeMap::new(),
        };
        let outbound_proxy = match &self.proxy_config_sealed {
            Some(sealed) => {
                let text: ProxyText = from_json("proxy_config", &sealing.open_text(&proxy_context(&self.id), sealed)?)?;
                Some(OutboundProxy {
                    scheme: text.scheme,
                    host: text.host,
                    port: text.port,
                    username: text.username,
                    password: text.password.into(),
                    bypass_local: text.bypass_local,
                    bypass_domains: text.bypass_domains,
                })
            }
            None => None,
        };
        let aliases: BTreeMap<String, String> = from_json("model_aliases", &self.model_aliases)?;
        let models: Vec<String> = from_json("models", &self.models)?;
        let policy = BalancePolicy::from_name(&self.balance_policy);
        let upstream_stream = match &self.upstream_stream {
            Some(name) => named("upstream_stream", name, UpstreamStream::from_name(name))?,
            None if self.fake_streaming => UpstreamStream::Never,
            None => UpstreamStream::default(),
        };
        Ok(StoredGroup {
            group: Group {
                id: self.id.into(),
                name: self.group_name.into(),
                provider_type: self.provider_type.into(),
                base_url: self.base_url.into(),
                upstream_keys: keys,
                models: models.into_iter().map(Into::into).collect(),
                model_aliases: aliases.into_iter().map(|(alias, model)| (alias.into(), model.into())).collect(),
                parameter_defaults: from_json("parameter_defaults", &self.parameter_defaults)?,
                parameter_overrides: from_json("parameter_overrides", &self.parameter_overrides)?,
                headers,
                balance_policy: named("balance_policy", &self.balance_policy, policy)?,
                retry_count: number("retry_count", self.retry_count.into())?,
                timeout: Duration::from_millis(number("timeout_ms", self.timeout_ms)?),
                rpm_limit: number("rpm_limit", self.rpm_limit)?,
                test_model: self.test_model.map(Into::into),
                priority: self.priority,
                enabled: self.enabled,
                upstream_stream,
                unsupported_parameters: named(
                    "unsupported_parameters",
                    &self.unsupported_parameters,
                    UnsupportedParameters::from_name(&self.unsupported_parameters),
                )?,
                model_facts: self.model_facts.map_or_else(|| Ok(Map::new()), |text| from_json("model_facts", &text))?,
                api_version: self.api_version.map(Into::into),
                health_check_enabled: self.health_check_enabled,
                outbound_proxy,
            },
            proxy_enabled: self.proxy_enabled,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

fn key_rows(stored: &StoredGroup, sealing: &SealingKey) -> Result<Vec<KeyRow>, StoreError> {
    let row = |(position, key): (usize, &Arc<UpstreamKey>)| {
        Ok(KeyRow {
            id: key.id.to_string(),
            group_id: stored.group.id.to_string(),
            position: i32::try_from(position).unwrap_or(i32::MAX),
            secret_sealed: sealing.seal_text(&key_context(&key.id), key.secret.expose())?,
            masked: key.masked.to_string(),
            enabled: key.enabled,
            created_at: now_ms(),
        })
    };
    stored.group.upstream_keys.iter().enumerate().map(row).collect()
}

/// Puts keys, in the order of their positions, into their groups.
pub(super) fn assemble(
    sealing: &SealingKey,
    rows: Vec<Row>,
    key_rows: Vec<KeyRow>,
) -> Result<Vec<StoredGroup>, StoreError> {
    let mut keys: HashMap<String, Vec<Arc<UpstreamKey>>> = HashMap::new();
    for row in key_rows {
        let secret = sealing.open_text(&key_context(&row.id), &row.secret_sealed)?;
        let key = UpstreamKey {
            id: row.id.into(),
            masked: row.masked.into(),
            secret: Secret::new(secret.as_str()),
            enabled: row.enabled,
        };
        keys.entry(row.group_id).or_default().push(Arc::new(key));
    }
    rows.into_iter()
        .map(|row| {
            let keys = keys.remove(&row.id).unwrap_or_default();
            row.stored(sealing, keys)
        })
        .collect()
}

/// One page, the oldest first.
///
/// # Errors
/// [`StoreError`].
pub async fn list(store: &Store, page: &Page) -> Result<Listed<StoredGroup>, StoreError> {
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

/// The id of the group that is called `name`.
///
/// # Errors
/// [`StoreError`].
pub async fn id_of(store: &Store, name: &str) -> Result<Option<String>, StoreError> {
    let name = name.to_owned();
    with_conn!(store, conn => {
        let query = provider_groups::table.filter(provider_groups::group_name.eq(&name)).select(provider_groups::id);
        Ok(query.first::<String>(conn).await.optional()?)
    })
}

/// The group of this id.
///
/// # Errors
/// [`StoreError`].
pub async fn get(store: &Store, id: &str) -> Result<Option<StoredGroup>, StoreError> {
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
pub async fn create(store: &Store, stored: &StoredGroup, actor: &Actor) -> Result<StoredGroup, StoreError> {
    let now = now_ms();
    let stored = StoredGroup { created_at: now, updated_at: now, ..stored.clone() };
    let row = Row::of(&stored, store.sealing())?;
    let keys = key_rows(&stored, store.sealing())?;
    let log = audit::Row::new(actor, "create", GROUP, Some(&row.id), &json!({ "name": row.group_name }));
    let version = with_tx!(store, conn => {
        let version = raise_version!(conn);
        let id = row.id.clone();
        diesel::insert_into(provider_groups::table).values(row.clone()).execute(conn).await?;
        for key in keys.clone() {
            diesel::insert_into(upstream_keys::table).values(key).execute(conn).await?;
        }
        note_change!(conn, version, GROUP, id, now);
        diesel::insert_into(audit_log::table).values(log.clone()).execute(conn).await?;
        Ok(version)
    })
    .map_err(|error| taken(error, &stored))?;
    store.committed(version.unsigned_abs());
    Ok(stored)
}

/// Replaces a group, where it is still as the caller read it. Upstream keys are matched by their id.
///
/// # Errors
/// [`StoreError::Stale`] where `updated_at` is another, [`StoreError::NotFound`], [`StoreError::Taken`].
pub async fn replace(store: &Store, stored: &StoredGroup, actor: &Actor) -> Result<StoredGroup, StoreError> {
    let read_at = stored.updated_at;
    let next = StoredGroup { updated_at: now_ms().max(read_at + 1), ..stored.clone() };
    let row = Row::of(&next, store.sealing())?;
    let keys = key_rows(&next, store.sealing())?;
    let log = audit::Row::new(actor, "update", GROUP, Some(&row.id), &json!({ "name": row.group_name }));
    let version = with_tx!(store, conn => {
        let version = raise_version!(conn);
        let id = row.id.clone();
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
                );
                diesel::update(upstream_keys::table.find(key.id)).set(values).execute(conn).await?;
            } else {
                diesel::insert_into(upstream_keys::table).values(key).execute(conn).await?;
            }
        }
        note_change!(conn, version, GROUP, id, row.updated_at);
        diesel::insert_into(audit_log::table).values(log.clone()).execute(conn).await?;
        Ok(version)
    })
    .map_err(|error| taken(error, &next))?;
    store.committed(version.unsigned_abs());
    Ok(next)
}

/// Deletes a group. Says whether it was there.
///
/// # Errors
/// [`StoreError`].
pub async fn delete(store: &Store, id: &str, actor: &Actor) -> Result<bool, StoreError> {
    let (id, now) = (id.to_owned(), now_ms());
    let log = audit::Row::new(actor, "delete", GROUP, Some(&id), &json!({}));
    let deleted = with_tx!(store, conn => {
        let version = raise_version!(conn);
        diesel::delete(upstream_keys::table.filter(upstream_keys::group_id.eq(&id))).execute(conn).await?;
        if diesel::delete(provider_groups::table.find(&id)).execute(conn).await? == 0 {
            return Err(StoreError::NotFound);
        }
        note_change!(conn, version, GROUP, id, now);
        diesel::insert_into(audit_log::table).values(log.clone()).execute(conn).await?;
        Ok(version)
    });
    match deleted {
        Ok(version) => {
            store.committed(version.unsigned_abs());
            Ok(true)
        }
        Err(StoreError::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}
