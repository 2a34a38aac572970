//! Groups and upstream keys as they stand in their tables, with secrets sealed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::crypto::SealingKey;
use shared::secret::Secret;
use shared::snapshot::{
    BalancePolicy, Group, KeySettings, OutboundProxy, ProxyScheme, UnsupportedParameters, UpstreamKey,
    UpstreamKeyRouting, UpstreamStream,
};
use shared::time::now_ms;

use crate::store::StoreError;
use crate::store::columns::{from_json, json, named, number, optional_json};
use crate::store::schema::{provider_groups, upstream_keys};

/// A group as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredGroup {
    /// Config of the group. It holds the outbound proxy even when that is switched off.
    pub group: Group,
    /// Whether requests leave through the outbound proxy.
    pub proxy_enabled: bool,
    /// When the group was made, in epoch milliseconds.
    pub created_at: i64,
    /// When the group was last changed, in epoch milliseconds. It grows with each change.
    pub updated_at: i64,
}

impl StoredGroup {
    /// The config of the group as nodes are told it.
    pub(in crate::store) fn for_nodes(self) -> Group {
        let outbound_proxy = self.group.outbound_proxy.filter(|_| self.proxy_enabled);
        let upstream_keys = self.group.upstream_keys.into_iter().map(key_for_nodes).collect();
        Group { outbound_proxy, upstream_keys, ..self.group }
    }
}

/// `key` as nodes are told it.
fn key_for_nodes(mut key: Arc<UpstreamKey>) -> Arc<UpstreamKey> {
    if key.routing.own.is_some() {
        let own = &mut Arc::make_mut(&mut key).routing.own;
        *own = own.take().and_then(|own| own.for_nodes().or_none());
    }
    key
}

#[derive(Clone, Insertable, AsChangeset, Queryable, Selectable)]
#[diesel(table_name = provider_groups, treat_none_as_null = true)]
pub(in crate::store) struct Row {
    pub(super) id: String,
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
    /// `None` in a row from before the column existed. `fake_streaming` counts there.
    upstream_stream: Option<String>,
    model_facts: Option<String>,
    api_version: Option<String>,
    /// `None` in a row from before the column existed, which means the defaults. So it does for a key.
    routing: Option<String>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Clone, Insertable, Queryable, Selectable)]
#[diesel(table_name = upstream_keys)]
pub(in crate::store) struct KeyRow {
    pub(super) id: String,
    group_id: String,
    pub(super) position: i32,
    pub(super) secret_sealed: String,
    pub(super) masked: String,
    pub(super) enabled: bool,
    created_at: i64,
    pub(super) routing: Option<String>,
    /// `None` where the key has nothing of its own.
    pub(super) own_sealed: Option<String>,
}

/// What a key has of its own, as it is sealed.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct OwnText {
    proxy: Option<ProxyText>,
    proxy_enabled: bool,
    headers: BTreeMap<String, String>,
    parameter_defaults: Map<String, Value>,
    parameter_overrides: Map<String, Value>,
}

/// An outbound proxy as it is sealed.
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

impl ProxyText {
    fn of(proxy: &OutboundProxy) -> Self {
        Self {
            scheme: proxy.scheme,
            host: proxy.host.clone(),
            port: proxy.port,
            username: proxy.username.clone(),
            password: proxy.password.expose().to_owned(),
            bypass_local: proxy.bypass_local,
            bypass_domains: proxy.bypass_domains.clone(),
        }
    }
}

impl From<ProxyText> for OutboundProxy {
    fn from(text: ProxyText) -> Self {
        Self {
            scheme: text.scheme,
            host: text.host,
            port: text.port,
            username: text.username,
            password: text.password.into(),
            bypass_local: text.bypass_local,
            bypass_domains: text.bypass_domains,
        }
    }
}

impl OwnText {
    fn of(own: &KeySettings) -> Self {
        Self {
            proxy: own.outbound_proxy.as_ref().map(ProxyText::of),
            proxy_enabled: own.proxy_enabled,
            headers: own.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
            parameter_defaults: own.parameter_defaults.clone(),
            parameter_overrides: own.parameter_overrides.clone(),
        }
    }
}

impl From<OwnText> for KeySettings {
    fn from(text: OwnText) -> Self {
        Self {
            outbound_proxy: text.proxy.map(Into::into),
            proxy_enabled: text.proxy_enabled,
            headers: text.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            parameter_defaults: text.parameter_defaults,
            parameter_overrides: text.parameter_overrides,
        }
    }
}

fn key_context(id: &str) -> String {
    format!("upstream_keys.{id}")
}

fn own_context(id: &str) -> String {
    format!("upstream_keys.{id}.own")
}

fn headers_context(id: &str) -> String {
    format!("provider_groups.{id}.headers")
}

fn proxy_context(id: &str) -> String {
    format!("provider_groups.{id}.proxy")
}

impl Row {
    pub(super) fn of(stored: &StoredGroup, sealing: &SealingKey) -> Result<Self, StoreError> {
        let group = &stored.group;
        let headers: BTreeMap<_, _> = group.headers.iter().map(|(name, value)| (name, value.expose())).collect();
        let headers = if headers.is_empty() { None } else { Some(json(&headers)?) };
        let seal = |context: String, text: &str| sealing.seal_text(&context, text);
        let proxy = group.outbound_proxy.as_ref().map(|proxy| json(&ProxyText::of(proxy)));
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
            routing: Some(json(&group.routing)?),
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
                Some(text.into())
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
                model_facts: optional_json("model_facts", self.model_facts.as_deref())?,
                api_version: self.api_version.map(Into::into),
                health_check_enabled: self.health_check_enabled,
                outbound_proxy,
                routing: optional_json("routing", self.routing.as_deref())?,
            },
            proxy_enabled: self.proxy_enabled,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

pub(super) fn key_rows(stored: &StoredGroup, sealing: &SealingKey) -> Result<Vec<KeyRow>, StoreError> {
    let row = |(position, key): (usize, &Arc<UpstreamKey>)| {
        let own = key.routing.own.as_ref().map(|own| json(&OwnText::of(own))).transpose()?;
        Ok(KeyRow {
            id: key.id.to_string(),
            group_id: stored.group.id.to_string(),
            position: i32::try_from(position).unwrap_or(i32::MAX),
            secret_sealed: sealing.seal_text(&key_context(&key.id), key.secret.expose())?,
            masked: key.masked.to_string(),
            enabled: key.enabled,
            created_at: now_ms(),
            routing: Some(json(&key.routing)?),
            own_sealed: own.map(|text| sealing.seal_text(&own_context(&key.id), &text)).transpose()?,
        })
    };
    stored.group.upstream_keys.iter().enumerate().map(row).collect()
}

/// Puts keys, in the order of their positions, into their groups.
pub(in crate::store) fn assemble(
    sealing: &SealingKey,
    rows: Vec<Row>,
    key_rows: Vec<KeyRow>,
) -> Result<Vec<StoredGroup>, StoreError> {
    let mut keys: HashMap<String, Vec<Arc<UpstreamKey>>> = HashMap::new();
    for row in key_rows {
        let secret = sealing.open_text(&key_context(&row.id), &row.secret_sealed)?;
        let mut routing: UpstreamKeyRouting = optional_json("routing", row.routing.as_deref())?;
        if let Some(sealed) = &row.own_sealed {
            let own: OwnText = from_json("own", &sealing.open_text(&own_context(&row.id), sealed)?)?;
            routing.own = KeySettings::from(own).or_none();
        }
        let key = UpstreamKey {
            id: row.id.into(),
            masked: row.masked.into(),
            secret: Secret::new(secret.as_str()),
            enabled: row.enabled,
            routing,
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
