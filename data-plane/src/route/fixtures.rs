//! Config for the tests of this crate.

use std::sync::Arc;
use std::time::Duration;

use shared::crypto::sha256;
use shared::snapshot::{
    BalancePolicy, Group, GroupPolicy, GroupRouting, OutboundProxy, ProxyKey, ProxyKeyRouting, ProxyScheme, Snapshot,
    UnsupportedParameters, UpstreamKey, UpstreamKeyRouting, UpstreamStream,
};

use super::candidate::Candidate;
use super::plan::Plan;
use super::table::RouteTable;

/// A group of OpenAI's that serves `models`, with one key named after it.
pub(crate) fn group(id: &str, models: &[&str]) -> Group {
    Group {
        id: id.into(),
        name: id.into(),
        provider_type: "openai".into(),
        base_url: "http://127.0.0.1:9/v1".into(),
        upstream_keys: vec![upstream_key(&format!("{id}-1"))],
        models: models.iter().map(|model| Arc::from(*model)).collect(),
        model_aliases: std::collections::BTreeMap::new(),
        parameter_defaults: serde_json::Map::new(),
        parameter_overrides: serde_json::Map::new(),
        headers: std::collections::BTreeMap::new(),
        // In the operator's order, as long as nothing is asked.
        balance_policy: BalancePolicy::LeastUsed,
        retry_count: 3,
        timeout: Duration::from_mins(1),
        rpm_limit: 0,
        test_model: None,
        priority: 0,
        enabled: true,
        upstream_stream: UpstreamStream::default(),
        unsupported_parameters: UnsupportedParameters::default(),
        model_facts: serde_json::Map::new(),
        api_version: None,
        health_check_enabled: true,
        outbound_proxy: None,
        routing: GroupRouting { affinity: false, ..GroupRouting::default() },
    }
}

/// An upstream key of the id `id`.
pub(crate) fn upstream_key(id: &str) -> Arc<UpstreamKey> {
    let secret = format!("sk-upstream-{id}");
    Arc::new(UpstreamKey {
        id: id.into(),
        masked: id.into(),
        secret: secret.into(),
        enabled: true,
        routing: UpstreamKeyRouting::default(),
    })
}

/// A proxy at `host` that nobody has to log in to, and that is passed by for nothing.
pub(crate) fn proxy(host: &str) -> OutboundProxy {
    OutboundProxy {
        scheme: ProxyScheme::Http,
        host: host.to_owned(),
        port: 3128,
        username: String::new(),
        password: "".into(),
        bypass_local: false,
        bypass_domains: Vec::new(),
    }
}

/// A proxy key that may use everything; a client shows it as `value`.
pub(crate) fn key(name: &str, value: &str) -> ProxyKey {
    ProxyKey {
        id: name.into(),
        name: name.into(),
        digest: sha256(value.as_bytes()),
        enabled: true,
        allowed_groups: Vec::new(),
        allowed_models: Vec::new(),
        group_policy: GroupPolicy::Failover,
        group_weights: std::collections::BTreeMap::new(),
        rpm_limit: 0,
        tpm_limit: 0,
        concurrency_limit: 0,
        expires_at_ms: None,
        routing: ProxyKeyRouting::default(),
    }
}

/// A config of `groups` and `keys`.
pub(crate) fn snapshot(groups: impl IntoIterator<Item = Group>, keys: impl IntoIterator<Item = ProxyKey>) -> Snapshot {
    Snapshot {
        version: 1,
        epoch: "e".into(),
        lineage: "l".into(),
        groups: groups.into_iter().map(|group| (Arc::clone(&group.id), Arc::new(group))).collect(),
        proxy_keys: keys.into_iter().map(|key| (Arc::clone(&key.id), Arc::new(key))).collect(),
        ..Snapshot::default()
    }
}

/// The key `g-1` of the group `g`, to be asked for the model `m`.
pub(crate) fn candidate() -> Candidate {
    candidates(1).swap_remove(0)
}

/// So many keys of the group `g`, to be asked for the model `m`.
pub(crate) fn candidates(number: usize) -> Vec<Candidate> {
    let key = key("k", "sk");
    let mut group = group("g", &["m"]);
    group.upstream_keys.extend((2..=number).map(|number| upstream_key(&format!("g-{number}"))));
    let table = RouteTable::compile(Arc::new(snapshot([group], [key.clone()])), None);
    let client = table.client(&key.digest).expect("a client with the key");
    Plan::make(&table, client, "m").collect()
}
