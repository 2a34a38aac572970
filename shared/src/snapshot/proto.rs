//! Conversion between the domain model and the wire form. No other place knows both.

mod limits;
mod routing;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    BalancePolicy, Delta, Group, GroupPolicy, GroupRouting, OutboundProxy, ProxyKey, ProxyKeyRouting, ProxyScheme,
    SCHEMA, Snapshot, SnapshotError, UnsupportedParameters, UpstreamKey, UpstreamStream,
};
use crate::pb;
use crate::prices::PriceText;

impl From<&Snapshot> for pb::Snapshot {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            version: snapshot.version,
            epoch: snapshot.epoch.to_string(),
            min_schema: SCHEMA,
            groups: snapshot.groups.values().map(|group| group.as_ref().into()).collect(),
            proxy_keys: snapshot.proxy_keys.values().map(|key| key.as_ref().into()).collect(),
            lineage: snapshot.lineage.to_string(),
            error_rules: snapshot.error_rules.iter().map(Into::into).collect(),
            prices_json: snapshot.prices.text().to_string(),
        }
    }
}

impl TryFrom<pb::Snapshot> for Snapshot {
    type Error = SnapshotError;

    /// Converts the message and validates the result.
    fn try_from(message: pb::Snapshot) -> Result<Self, Self::Error> {
        check_schema(message.min_schema)?;
        let (groups, proxy_keys) = (message.groups.len(), message.proxy_keys.len());
        let (epoch, lineage) = (message.epoch.into(), message.lineage.into());
        let error_rules = routing::error_rules("error_rules", message.error_rules)?.into();
        let prices = prices(&message.prices_json)?;
        let mut snapshot = Self { version: message.version, epoch, lineage, error_rules, prices, ..Self::default() };
        snapshot.groups.reserve(groups);
        for group in message.groups {
            let group = Group::try_from(group)?;
            snapshot.groups.insert(Arc::clone(&group.id), Arc::new(group));
        }
        snapshot.proxy_keys.reserve(proxy_keys);
        for key in message.proxy_keys {
            let key = ProxyKey::try_from(key)?;
            snapshot.proxy_keys.insert(Arc::clone(&key.id), Arc::new(key));
        }
        if snapshot.groups.len() != groups {
            return Err(SnapshotError::invalid("groups", "two groups have the same id"));
        }
        if snapshot.proxy_keys.len() != proxy_keys {
            return Err(SnapshotError::invalid("proxy_keys", "two proxy keys have the same id"));
        }
        snapshot.validate()?;
        Ok(snapshot)
    }
}

impl From<&Delta> for pb::Delta {
    fn from(delta: &Delta) -> Self {
        Self {
            from_version: delta.from_version,
            version: delta.version,
            epoch: delta.epoch.to_string(),
            min_schema: SCHEMA,
            groups: delta.groups.iter().map(|group| group.as_ref().into()).collect(),
            removed_group_ids: delta.removed_groups.iter().map(ToString::to_string).collect(),
            proxy_keys: delta.proxy_keys.iter().map(|key| key.as_ref().into()).collect(),
            removed_proxy_key_ids: delta.removed_proxy_keys.iter().map(ToString::to_string).collect(),
            lineage: delta.lineage.to_string(),
            error_rules: delta.error_rules.iter().flat_map(|rules| rules.iter()).map(Into::into).collect(),
            error_rules_changed: delta.error_rules.is_some(),
            prices_json: delta.prices.iter().map(|prices| prices.text().to_string()).collect(),
            prices_changed: delta.prices.is_some(),
        }
    }
}

impl TryFrom<pb::Delta> for Delta {
    type Error = SnapshotError;

    fn try_from(message: pb::Delta) -> Result<Self, Self::Error> {
        check_schema(message.min_schema)?;
        Ok(Self {
            from_version: message.from_version,
            version: message.version,
            epoch: message.epoch.into(),
            lineage: message.lineage.into(),
            groups: message.groups.into_iter().map(|group| group.try_into().map(Arc::new)).collect::<Result<_, _>>()?,
            removed_groups: message.removed_group_ids.into_iter().map(Into::into).collect(),
            proxy_keys: message
                .proxy_keys
                .into_iter()
                .map(|key| key.try_into().map(Arc::new))
                .collect::<Result<_, _>>()?,
            removed_proxy_keys: message.removed_proxy_key_ids.into_iter().map(Into::into).collect(),
            error_rules: if message.error_rules_changed {
                Some(routing::error_rules("error_rules", message.error_rules)?.into())
            } else {
                None
            },
            prices: if message.prices_changed { Some(prices(&message.prices_json)?) } else { None },
        })
    }
}

fn prices(text: &str) -> Result<Arc<PriceText>, SnapshotError> {
    PriceText::document(text).map(Arc::new).map_err(|error| SnapshotError::invalid("prices", error.to_string()))
}

fn check_schema(needed: u32) -> Result<(), SnapshotError> {
    if needed > SCHEMA { Err(SnapshotError::Schema { needed }) } else { Ok(()) }
}

impl From<&Group> for pb::Group {
    fn from(group: &Group) -> Self {
        Self {
            id: group.id.to_string(),
            name: group.name.to_string(),
            provider_type: group.provider_type.to_string(),
            base_url: group.base_url.to_string(),
            upstream_keys: group.upstream_keys.iter().map(|key| key.as_ref().into()).collect(),
            models: group.models.iter().map(ToString::to_string).collect(),
            model_aliases: group.model_aliases.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
            parameter_defaults_json: json_text(&group.parameter_defaults),
            parameter_overrides_json: json_text(&group.parameter_overrides),
            headers: group.headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect(),
            balance_policy: group.balance_policy.as_str().to_owned(),
            retry_count: group.retry_count,
            timeout_ms: u64::try_from(group.timeout.as_millis()).unwrap_or(u64::MAX),
            rpm_limit: group.rpm_limit,
            test_model: group.test_model.as_deref().unwrap_or_default().to_owned(),
            priority: group.priority,
            enabled: group.enabled,
            fake_streaming: group.upstream_stream == UpstreamStream::Never,
            health_check_enabled: group.health_check_enabled,
            outbound_proxy: group.outbound_proxy.as_ref().map(Into::into),
            unsupported_parameters: group.unsupported_parameters.as_str().to_owned(),
            upstream_stream: group.upstream_stream.as_str().to_owned(),
            model_facts_json: json_text(&group.model_facts),
            api_version: group.api_version.as_deref().unwrap_or_default().to_owned(),
            routing: Some((&group.routing).into()),
        }
    }
}

impl TryFrom<pb::Group> for Group {
    type Error = SnapshotError;

    fn try_from(message: pb::Group) -> Result<Self, Self::Error> {
        let id = message.id;
        let place = |field: &str| format!("groups[{id}].{field}");
        let balance_policy = BalancePolicy::from_name(&message.balance_policy)
            .ok_or_else(|| unknown(place("balance_policy"), &message.balance_policy))?;
        let parameter_defaults = json_object(&place("parameter_defaults"), &message.parameter_defaults_json)?;
        let parameter_overrides = json_object(&place("parameter_overrides"), &message.parameter_overrides_json)?;
        let model_facts = json_object(&place("model_facts"), &message.model_facts_json)?;
        let upstream_stream = match message.upstream_stream.as_str() {
            "" if message.fake_streaming => UpstreamStream::Never,
            "" => UpstreamStream::default(),
            name => UpstreamStream::from_name(name).ok_or_else(|| unknown(place("upstream_stream"), name))?,
        };
        let unsupported_parameters = match message.unsupported_parameters.as_str() {
            "" => UnsupportedParameters::default(),
            name => {
                UnsupportedParameters::from_name(name).ok_or_else(|| unknown(place("unsupported_parameters"), name))?
            }
        };
        let routing = match message.routing {
            Some(routing) => routing::group(&place("routing"), routing)?,
            None => GroupRouting::default(),
        };
        let outbound_proxy = match message.outbound_proxy {
            Some(proxy) => Some(outbound_proxy(&place("outbound_proxy"), proxy)?),
            None => None,
        };
        let key = |(index, key)| upstream_key(&place(&format!("upstream_keys[{index}]")), key).map(Arc::new);
        let upstream_keys = message.upstream_keys.into_iter().enumerate().map(key).collect::<Result<_, _>>()?;
        Ok(Self {
            id: id.into(),
            name: message.name.into(),
            provider_type: message.provider_type.into(),
            base_url: message.base_url.into(),
            upstream_keys,
            models: message.models.into_iter().map(Into::into).collect(),
            model_aliases: message.model_aliases.into_iter().map(|(k, v)| (k.into(), v.into())).collect(),
            parameter_defaults,
            parameter_overrides,
            headers: message.headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            balance_policy,
            retry_count: message.retry_count,
            timeout: Duration::from_millis(message.timeout_ms),
            rpm_limit: message.rpm_limit,
            test_model: Some(message.test_model).filter(|model| !model.is_empty()).map(Into::into),
            priority: message.priority,
            enabled: message.enabled,
            upstream_stream,
            unsupported_parameters,
            model_facts,
            api_version: Some(message.api_version).filter(|version| !version.is_empty()).map(Into::into),
            health_check_enabled: message.health_check_enabled,
            outbound_proxy,
            routing,
        })
    }
}

impl From<&UpstreamKey> for pb::UpstreamKey {
    fn from(key: &UpstreamKey) -> Self {
        Self {
            id: key.id.to_string(),
            masked: key.masked.to_string(),
            secret: key.secret.expose().to_owned(),
            enabled: key.enabled,
            routing: Some((&key.routing).into()),
        }
    }
}

fn upstream_key(place: &str, message: pb::UpstreamKey) -> Result<UpstreamKey, SnapshotError> {
    let routing = message.routing.map(|routing| routing::upstream_key(&format!("{place}.routing"), routing));
    Ok(UpstreamKey {
        id: message.id.into(),
        masked: message.masked.into(),
        secret: message.secret.into(),
        enabled: message.enabled,
        routing: routing.transpose()?.unwrap_or_default(),
    })
}

impl From<&OutboundProxy> for pb::OutboundProxy {
    fn from(proxy: &OutboundProxy) -> Self {
        Self {
            scheme: proxy.scheme.as_str().to_owned(),
            host: proxy.host.clone(),
            port: proxy.port.into(),
            username: proxy.username.clone(),
            password: proxy.password.expose().to_owned(),
            bypass_local: proxy.bypass_local,
            bypass_domains: proxy.bypass_domains.clone(),
        }
    }
}

fn outbound_proxy(place: &str, message: pb::OutboundProxy) -> Result<OutboundProxy, SnapshotError> {
    Ok(OutboundProxy {
        scheme: ProxyScheme::from_name(&message.scheme)
            .ok_or_else(|| unknown(format!("{place}.scheme"), &message.scheme))?,
        host: message.host,
        port: message.port.try_into().map_err(|_| SnapshotError::invalid(format!("{place}.port"), "is above 65535"))?,
        username: message.username,
        password: message.password.into(),
        bypass_local: message.bypass_local,
        bypass_domains: message.bypass_domains,
    })
}

impl From<&ProxyKey> for pb::ProxyKey {
    fn from(key: &ProxyKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            digest: key.digest.to_vec(),
            enabled: key.enabled,
            allowed_group_ids: key.allowed_groups.iter().map(ToString::to_string).collect(),
            allowed_models: key.allowed_models.iter().map(ToString::to_string).collect(),
            group_policy: key.group_policy.as_str().to_owned(),
            group_weights: key.group_weights.iter().map(|(id, weight)| (id.to_string(), *weight)).collect(),
            rpm_limit: key.rpm_limit,
            tpm_limit: key.tpm_limit,
            concurrency_limit: key.concurrency_limit,
            expires_at_ms: key.expires_at_ms.unwrap_or_default(),
            routing: Some((&key.routing).into()),
        }
    }
}

impl TryFrom<pb::ProxyKey> for ProxyKey {
    type Error = SnapshotError;

    fn try_from(message: pb::ProxyKey) -> Result<Self, Self::Error> {
        let id = message.id;
        let place = |field: &str| format!("proxy_keys[{id}].{field}");
        let digest = message.digest.as_slice().try_into().map_err(|_| {
            SnapshotError::invalid(place("digest"), format!("has {} bytes, not 32", message.digest.len()))
        })?;
        let group_policy = GroupPolicy::from_name(&message.group_policy)
            .ok_or_else(|| unknown(place("group_policy"), &message.group_policy))?;
        let routing = match message.routing {
            Some(routing) => routing::proxy_key(&place("routing"), routing)?,
            None => ProxyKeyRouting::default(),
        };
        Ok(Self {
            id: id.into(),
            name: message.name.into(),
            digest,
            enabled: message.enabled,
            allowed_groups: message.allowed_group_ids.into_iter().map(Into::into).collect(),
            allowed_models: message.allowed_models.into_iter().map(Into::into).collect(),
            group_policy,
            group_weights: message.group_weights.into_iter().map(|(id, weight)| (id.into(), weight)).collect(),
            rpm_limit: message.rpm_limit,
            tpm_limit: message.tpm_limit,
            concurrency_limit: message.concurrency_limit,
            expires_at_ms: Some(message.expires_at_ms).filter(|at| *at != 0),
            routing,
        })
    }
}

fn unknown(place: String, name: &str) -> SnapshotError {
    SnapshotError::invalid(place, format!("{name:?} means nothing to this build"))
}

fn json_text(object: &Map<String, Value>) -> String {
    if object.is_empty() { String::new() } else { serde_json::to_string(object).unwrap_or_default() }
}

fn json_object(place: &str, text: &str) -> Result<Map<String, Value>, SnapshotError> {
    if text.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|error| SnapshotError::invalid(place, format!("is not a JSON object: {error}")))
}
