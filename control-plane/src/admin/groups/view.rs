//! How a group is shown: everything but its secrets, which are masks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Number, Value};
use shared::secret::mask;
use shared::snapshot::{OutboundProxy, UpstreamKey, UpstreamStream};
use utoipa::ToSchema;

use crate::store::groups::StoredGroup;

/// A group as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub group_name: String,
    /// The vendor, such as `openai`.
    pub provider_type: String,
    /// As the vendor's own SDK takes it, without a trailing slash.
    pub base_url: String,
    /// Masks of the upstream keys, in the operator's order. Sent back in a write, each keeps its key.
    pub api_keys: Vec<String>,
    /// The upstream keys with their ids.
    pub upstream_keys: Vec<UpstreamKeyView>,
    /// Names of the models at the vendor.
    pub models: Vec<String>,
    /// Name that clients ask for → name at the vendor.
    pub model_aliases: BTreeMap<String, String>,
    /// Request fields set where the client left them out.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Value>,
    /// Request fields that replace the client's.
    #[schema(value_type = Object)]
    pub parameter_overrides: Map<String, Value>,
    /// Headers sent with each upstream request; values are masks.
    pub headers: BTreeMap<String, String>,
    /// How the group picks among its upstream keys. Not in force yet: they are tried in their order.
    pub balance_policy: &'static str,
    /// Whether a request may go to this group after an attempt at this group or another has failed: 0 is no, any other
    /// number is once. A request makes one further attempt at most, all groups together.
    pub retry_count: u32,
    /// Seconds of one attempt up to the first byte of the answer.
    #[schema(value_type = f64)]
    pub timeout: Number,
    /// Requests a minute; 0 is no limit. Not in force yet.
    pub rpm_limit: u32,
    /// Model that probes use. Not in force yet.
    pub test_model: Option<String>,
    /// The higher number goes first.
    pub priority: i32,
    /// Whether it may serve.
    pub enabled: bool,
    /// Whether `proxyConfig` is in force.
    pub proxy_enabled: bool,
    /// The proxy that its requests leave through.
    pub proxy_config: Option<ProxyConfigView>,
    /// Whether the provider is asked for a stream: `auto` (as the client asks), `always` or `never`.
    pub upstream_stream: &'static str,
    /// Whether `upstreamStream` is `never`.
    pub fake_streaming: bool,
    /// What to do with request fields that the provider's API cannot express: `drop` or `reject`.
    pub unsupported_parameters: &'static str,
    /// Beginning of a model's name → facts that differ from what the gateway knows of the model.
    #[schema(value_type = Object)]
    pub model_facts: Map<String, Value>,
    /// Version of the provider's API; null is the vendor's default.
    pub api_version: Option<String>,
    /// Whether background probes cover it. Not in force yet.
    pub health_check_enabled: bool,
    /// When it was made, epoch milliseconds.
    pub created_at: i64,
    /// When it was last changed, epoch milliseconds. Sent back in a write, it must still be the present one.
    pub updated_at: i64,
}

/// An upstream key as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpstreamKeyView {
    /// Stable id; a new secret is a new key.
    pub id: String,
    /// Stand-in for the key. Where two keys of a group look alike, the later ones end in `#2`, `#3` …
    pub masked: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// A proxy between a node and the provider, as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyConfigView {
    /// `http`, `https` or `socks5`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Empty where it wants none.
    pub username: String,
    /// A mask; empty where there is none.
    pub password: String,
    /// Addresses of the local network go direct.
    pub bypass_local: bool,
    /// Domains that go direct.
    pub bypass_domains: Vec<String>,
}

impl GroupView {
    /// What of `stored` may be shown.
    pub fn of(stored: &StoredGroup) -> Self {
        let group = &stored.group;
        let masks = masks(&group.upstream_keys);
        Self {
            id: group.id.to_string(),
            group_name: group.name.to_string(),
            provider_type: group.provider_type.to_string(),
            base_url: group.base_url.to_string(),
            upstream_keys: group
                .upstream_keys
                .iter()
                .zip(&masks)
                .map(|(key, masked)| UpstreamKeyView {
                    id: key.id.to_string(),
                    masked: masked.clone(),
                    enabled: key.enabled,
                })
                .collect(),
            api_keys: masks,
            models: group.models.iter().map(ToString::to_string).collect(),
            model_aliases: group
                .model_aliases
                .iter()
                .map(|(alias, model)| (alias.to_string(), model.to_string()))
                .collect(),
            parameters: group.parameter_defaults.clone(),
            parameter_overrides: group.parameter_overrides.clone(),
            headers: group.headers.iter().map(|(name, value)| (name.clone(), value.mask())).collect(),
            balance_policy: group.balance_policy.as_str(),
            retry_count: group.retry_count,
            timeout: seconds(group.timeout),
            rpm_limit: group.rpm_limit,
            test_model: group.test_model.as_ref().map(ToString::to_string),
            priority: group.priority,
            enabled: group.enabled,
            proxy_enabled: stored.proxy_enabled,
            proxy_config: group.outbound_proxy.as_ref().map(ProxyConfigView::of),
            upstream_stream: group.upstream_stream.as_str(),
            fake_streaming: group.upstream_stream == UpstreamStream::Never,
            unsupported_parameters: group.unsupported_parameters.as_str(),
            model_facts: group.model_facts.clone(),
            api_version: group.api_version.as_ref().map(ToString::to_string),
            health_check_enabled: group.health_check_enabled,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

impl ProxyConfigView {
    fn of(proxy: &OutboundProxy) -> Self {
        Self {
            kind: proxy.scheme.as_str(),
            host: proxy.host.clone(),
            port: proxy.port,
            username: proxy.username.clone(),
            password: if proxy.password.is_empty() { String::new() } else { proxy.password.mask() },
            bypass_local: proxy.bypass_local,
            bypass_domains: proxy.bypass_domains.clone(),
        }
    }
}

/// A mask for each key, no two the same.
pub(super) fn masks<K: AsRef<UpstreamKey>>(keys: &[K]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    keys.iter()
        .map(|key| {
            let masked = mask(key.as_ref().secret.expose());
            let count = seen.entry(masked.clone()).or_default();
            *count += 1;
            if *count == 1 { masked } else { format!("{masked}#{count}") }
        })
        .collect()
}

/// 60 and not 60.0 where it is whole.
fn seconds(duration: Duration) -> Number {
    let fraction = if duration.subsec_nanos() == 0 { None } else { Number::from_f64(duration.as_secs_f64()) };
    fraction.unwrap_or_else(|| duration.as_secs().into())
}
