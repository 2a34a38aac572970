//! A group as it is shown: everything, with masks in place of its secrets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Number, Value};
use shared::secret::mask;
use shared::snapshot::{OutboundProxy, UpstreamKey, UpstreamStream};
use utoipa::ToSchema;

use super::pricing::rows_of;
use super::routing::ErrorRuleBody;
use super::warnings;
use crate::admin::fallbacks::{faults_of, models_of};
use crate::admin::limits::{LimitRaiseBody, LimitWindowBody, ShownLimits, TokenWeightsBody};
use crate::grpc::key_states::{KeyStanding, ModelStanding};
use crate::store::groups::StoredGroup;
use crate::store::key_states::StoredKeyState;
use crate::web::warnings::FieldWarning;

/// A group as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// Id of the group.
    pub id: String,
    /// Name of the group.
    pub group_name: String,
    /// The vendor, such as `openai`.
    pub provider_type: String,
    /// Base URL of the vendor's API as the vendor's own SDK takes it, without a trailing slash.
    pub base_url: String,
    /// Masks of the upstream keys, in the operator's order. A write with a mask keeps its key.
    pub api_keys: Vec<String>,
    /// The upstream keys with their ids.
    pub upstream_keys: Vec<UpstreamKeyView>,
    /// Models that the group serves, as the vendor names them.
    pub models: Vec<String>,
    /// Model aliases: the name that clients ask for → the name at the vendor.
    pub model_aliases: BTreeMap<String, String>,
    /// Request fields that are set where the client left them out.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Value>,
    /// Request fields that replace the client's.
    #[schema(value_type = Object)]
    pub parameter_overrides: Map<String, Value>,
    /// Headers that are sent with each upstream request; their values are masks.
    pub headers: BTreeMap<String, String>,
    /// How the group picks among its upstream keys.
    pub balance_policy: &'static str,
    /// How many further attempts, after the first one of a request, this group gets, each with its next upstream key. 0
    /// means that the group is passed over once an attempt has failed, at this group or another; the groups behind it
    /// are tried all the same. A request makes at most 6 attempts, 3 at one group.
    pub retry_count: u32,
    /// Seconds that one attempt may take up to the first byte of the answer.
    #[schema(value_type = f64)]
    pub timeout: Number,
    /// Requests a minute; 0 means no limit.
    pub rpm_limit: u32,
    /// Requests in flight; 0 means no limit.
    pub concurrency_limit: u32,
    /// Windows of requests and tokens.
    pub limits: Vec<LimitWindowBody>,
    /// What the limits do: `enforce` or `shadow`.
    pub limit_mode: &'static str,
    /// How much each kind of token counts, in thousandths.
    pub token_weights: TokenWeightsBody,
    /// Another amount of each window until a date.
    pub raise: Option<LimitRaiseBody>,
    /// Model that probes, health checks and test prompts ask.
    pub test_model: Option<String>,
    /// Priority of the group: the higher number goes first.
    pub priority: i32,
    /// Whether the group may serve.
    pub enabled: bool,
    /// Whether `proxyConfig` is in force.
    pub proxy_enabled: bool,
    /// The proxy that the group's requests leave through.
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
    /// Version of the provider's API; null means the vendor's default.
    pub api_version: Option<String>,
    /// Whether the group's provider, keys and models are checked on a schedule.
    pub health_check_enabled: bool,
    /// Weight among groups of the same priority, and for group policies that weigh. 0: only when nothing else is left.
    pub weight: u32,
    /// Labels by which clients may narrow their requests.
    pub tags: Vec<String>,
    /// Whether requests of one conversation stay at one upstream key.
    pub affinity: bool,
    /// Seconds for a connection to the provider. Null: as the node has it.
    #[schema(value_type = Option<f64>)]
    pub connect_timeout: Option<Number>,
    /// Seconds between two chunks of an answer. Null: as the node has it.
    #[schema(value_type = Option<f64>)]
    pub chunk_timeout: Option<Number>,
    /// Seconds for a whole attempt. Null: as the node has it.
    #[schema(value_type = Option<f64>)]
    pub total_timeout: Option<Number>,
    /// Milliseconds that a request waits for the earliest return of a key when all are out.
    pub queue_timeout_ms: u64,
    /// Whether a second attempt is made elsewhere, beside the first, when the first byte is later than 95 of 100 were.
    /// What begins to answer first is the answer, and the provider of the other one may charge for it, too.
    pub hedging: bool,
    /// Whether requests are sent again that may be carried out twice by that.
    pub retry_unsafe_requests: bool,
    /// Whether an answer that ends well and holds nothing is a failure.
    pub retry_empty_answers: bool,
    /// Seconds for which identical requests of the same proxy key are answered from memory, where the proxy key says
    /// nothing else. 0: never.
    pub cache_seconds: u64,
    /// Model that a client asks for → the models that are asked when it fails, in their order.
    pub model_fallbacks: BTreeMap<String, Vec<String>>,
    /// Refusals of a request for which the fallbacks are asked, too.
    pub fallback_on: Vec<&'static str>,
    /// What error answers of the provider mean, where the gateway takes them for something else.
    pub error_rules: Vec<ErrorRuleBody>,
    /// Root certificates that connections to the provider and to its proxy trust besides the system's, as PEM.
    pub tls_roots: Option<String>,
    /// The group's own prices, as rows.
    #[schema(value_type = Vec<Object>)]
    pub prices: Vec<Value>,
    /// At which part of the prices that are not its own the group sells.
    #[schema(example = "0.35")]
    pub price_multiplier: String,
    /// Whether clients are told what whole answers cost, in `x-orchestration-cost`.
    pub cost_header: bool,
    /// When the group was made, in epoch milliseconds.
    pub created_at: i64,
    /// When the group was last changed, in epoch milliseconds. A write that sends it back is refused when the group has
    /// changed since.
    pub updated_at: i64,
    /// What is kept of the group and has no effect, or none yet; in the answer to a write, what was repaired too.
    pub warnings: Vec<FieldWarning>,
}

/// An upstream key as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamKeyView {
    /// Id of the key, which stays the same; a new secret is a new key.
    pub id: String,
    /// The mask of the key. Where keys of a group look alike, the later ones end in `#2`, `#3` …
    pub masked: String,
    /// Whether the key may be used. No probe changes that.
    pub enabled: bool,
    /// Models that the key may be used for, as the vendor names them. An empty list means all.
    pub models: Vec<String>,
    /// Models that it may not be used for.
    pub denied_models: Vec<String>,
    /// Weight among the keys of the group. 0: only when nothing else is left.
    pub weight: u32,
    /// Note for people.
    pub note: String,
    /// Labels for people.
    pub tags: Vec<String>,
    /// The account at the vendor; empty where nothing is said. Keys of one account share its limits.
    pub account: String,
    /// When the key stops being used, in epoch milliseconds.
    pub expires_at: Option<i64>,
    /// Whether the key may be used now, as far as nodes have told: `ok`, `cooling` (its provider has asked for a
    /// pause), `exhausted` (no money or quota is left), `invalid` (its provider refuses it), `disabled` (by `enabled`)
    /// or `expired` (by `expiresAt`). A key that is `ok` may be out for some models.
    pub state: &'static str,
    /// When the state ends by itself, in epoch milliseconds. A key that is invalid, or exhausted without a time that
    /// its provider has named, is probed, and may return earlier, or stay out longer.
    pub state_until: Option<i64>,
    /// The status that led to the state, and the provider's words.
    pub state_reason: Option<String>,
    /// When anything was last observed of the key as a whole, in epoch milliseconds; null where nothing is known.
    pub observed_at: Option<i64>,
    /// Models for which the key may not be used now, while it may for others.
    pub model_states: Vec<ModelStateView>,
    /// Whether requests with the key leave through its own `proxyConfig`, in place of the group's.
    pub proxy_enabled: bool,
    /// The proxy of the key itself.
    pub proxy_config: Option<ProxyConfigView>,
    /// Headers that are sent with each request with the key, before those of the group of the same name; their values
    /// are masks.
    pub headers: BTreeMap<String, String>,
    /// Request fields that are set where the client left them out, before those of the group of the same name.
    #[schema(value_type = Object)]
    pub parameters: Map<String, Value>,
    /// Request fields that replace the client's, before those of the group of the same name.
    #[schema(value_type = Object)]
    pub parameter_overrides: Map<String, Value>,
    /// Requests in flight; 0 means no limit.
    pub concurrency_limit: u32,
    /// Windows of requests and tokens.
    pub limits: Vec<LimitWindowBody>,
    /// What the limits do: `enforce` or `shadow`.
    pub limit_mode: &'static str,
    /// How much each kind of token counts, in thousandths.
    pub token_weights: TokenWeightsBody,
    /// Another amount of each window until a date.
    pub raise: Option<LimitRaiseBody>,
}

/// A model for which an upstream key may not be used now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStateView {
    /// The model, as the vendor names it.
    pub model: String,
    /// Why: `cooling`, `exhausted` or `invalid`, as with the key.
    pub state: &'static str,
    /// When that ends by itself, in epoch milliseconds.
    pub state_until: i64,
    /// The status that led to it, and the provider's words.
    pub state_reason: Option<String>,
    /// When it was observed, in epoch milliseconds.
    pub observed_at: i64,
}

/// What nodes have learnt of upstream keys, by their ids.
pub(super) type KnownStates = HashMap<String, Vec<StoredKeyState>>;

/// A proxy between a node and the provider, as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyConfigView {
    /// Protocol of the proxy: `http`, `https` or `socks5`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Host name or address of the proxy.
    pub host: String,
    /// TCP port of the proxy.
    pub port: u16,
    /// User name; empty where the proxy wants none.
    pub username: String,
    /// Mask of the password; empty where there is none.
    pub password: String,
    /// Whether requests to the local network go around the proxy.
    pub bypass_local: bool,
    /// Domains to which requests go around the proxy.
    pub bypass_domains: Vec<String>,
}

impl GroupView {
    /// The view of a stored group whose upstream keys are as `known`, at `now` of the fleet's clock.
    pub(super) fn of(stored: &StoredGroup, known: &KnownStates, now: i64) -> Self {
        let group = &stored.group;
        let standing =
            |key: &UpstreamKey| KeyStanding::at(now, key, known.get(&*key.id).map_or(&[][..], Vec::as_slice));
        let masks = masks(&group.upstream_keys);
        let limits = ShownLimits::of(group.routing.limits.as_deref());
        Self {
            id: group.id.to_string(),
            group_name: group.name.to_string(),
            provider_type: group.provider_type.to_string(),
            base_url: group.base_url.to_string(),
            upstream_keys: group
                .upstream_keys
                .iter()
                .zip(&masks)
                .map(|(key, masked)| UpstreamKeyView::of(key, masked, standing(key)))
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
            concurrency_limit: limits.concurrency_limit,
            limits: limits.limits,
            limit_mode: limits.limit_mode,
            token_weights: limits.token_weights,
            raise: limits.raise,
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
            weight: group.routing.weight,
            tags: group.routing.tags.iter().map(ToString::to_string).collect(),
            affinity: group.routing.affinity,
            connect_timeout: group.routing.connect_timeout.map(seconds),
            chunk_timeout: group.routing.chunk_timeout.map(seconds),
            total_timeout: group.routing.total_timeout.map(seconds),
            queue_timeout_ms: u64::try_from(group.routing.queue_timeout.as_millis()).unwrap_or(u64::MAX),
            hedging: group.routing.hedging,
            retry_unsafe_requests: group.routing.retry_unsafe_requests,
            retry_empty_answers: group.routing.retry_empty_answers,
            cache_seconds: group.routing.cache.as_secs(),
            model_fallbacks: models_of(&group.routing.fallbacks),
            fallback_on: faults_of(&group.routing.fallbacks),
            error_rules: group.routing.error_rules.iter().map(ErrorRuleBody::of).collect(),
            tls_roots: Some(group.routing.tls_roots.to_string()).filter(|roots| !roots.is_empty()),
            prices: rows_of(&group.routing.pricing),
            price_multiplier: group.routing.pricing.multiplier.to_string(),
            cost_header: group.routing.pricing.cost_header,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            warnings: warnings::of(stored),
        }
    }
}

impl UpstreamKeyView {
    pub(super) fn of(key: &UpstreamKey, masked: &str, standing: KeyStanding) -> Self {
        let routing = &key.routing;
        let own = routing.own.as_deref().cloned().unwrap_or_default();
        let limits = ShownLimits::of(routing.limits.as_deref());
        let texts = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect();
        Self {
            id: key.id.to_string(),
            masked: masked.to_owned(),
            enabled: key.enabled,
            models: texts(&routing.models),
            denied_models: texts(&routing.denied_models),
            weight: routing.weight,
            note: routing.note.clone(),
            tags: texts(&routing.tags),
            account: routing.account.to_string(),
            expires_at: routing.expires_at_ms,
            concurrency_limit: limits.concurrency_limit,
            limits: limits.limits,
            limit_mode: limits.limit_mode,
            token_weights: limits.token_weights,
            raise: limits.raise,
            state: standing.condition.name(),
            state_until: standing.until,
            state_reason: standing.reason,
            observed_at: standing.observed_at,
            model_states: standing.models.into_iter().map(ModelStateView::of).collect(),
            proxy_enabled: own.proxy_enabled,
            proxy_config: own.outbound_proxy.as_ref().map(ProxyConfigView::of),
            headers: own.headers.iter().map(|(name, value)| (name.clone(), value.mask())).collect(),
            parameters: own.parameter_defaults,
            parameter_overrides: own.parameter_overrides,
        }
    }
}

impl ModelStateView {
    fn of(standing: ModelStanding) -> Self {
        let ModelStanding { model, condition, until, reason, observed_at } = standing;
        Self { model, state: condition.name(), state_until: until, state_reason: reason, observed_at }
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

/// A mask for each key; no two masks are the same.
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

/// The duration in seconds, without a decimal point where it is whole.
fn seconds(duration: Duration) -> Number {
    let fraction = if duration.subsec_nanos() == 0 { None } else { Number::from_f64(duration.as_secs_f64()) };
    fraction.unwrap_or_else(|| duration.as_secs().into())
}
