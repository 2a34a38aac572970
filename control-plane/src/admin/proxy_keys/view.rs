//! A proxy key as it is shown. Its value is shown once, by the answer to the write that set it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::warnings;
use crate::admin::fallbacks::{faults_of, models_of};
use crate::admin::limits::{
    ConcurrencyQueueBody, LimitRaiseBody, LimitWindowBody, ModelLimitsBody, ShownLimits, TokenWeightsBody,
};
use crate::store::proxy_keys::StoredProxyKey;
use crate::web::warnings::FieldWarning;

/// A proxy key as it is read.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxyKeyView {
    /// Id of the key.
    pub id: String,
    /// Name of the key.
    pub name: String,
    /// The value that clients send. It stands only in the answer to the write that set it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    pub key: Option<String>,
    /// Mask of the value.
    pub masked: String,
    /// Description for people.
    pub description: Option<String>,
    /// Whether the key may be used.
    pub enabled: bool,
    /// Ids of the groups that the key may use. An empty list means all.
    pub allowed_groups: Vec<String>,
    /// Models that the key may use, as clients name them. An empty list means all.
    pub allowed_models: Vec<String>,
    /// How the key picks among groups that serve the model.
    pub group_policy: &'static str,
    /// Group id → weight, in place of the group's own.
    pub group_weights: BTreeMap<String, u32>,
    /// Requests a minute; 0 means no limit.
    pub rpm_limit: u32,
    /// Tokens a minute; 0 means no limit.
    pub tpm_limit: u64,
    /// Requests in flight; 0 means no limit.
    pub concurrency_limit: u32,
    /// Further windows of requests and tokens.
    pub limits: Vec<LimitWindowBody>,
    /// What the limits of the key do: `enforce` or `shadow`.
    pub limit_mode: &'static str,
    /// How much each kind of token counts, in thousandths.
    pub token_weights: TokenWeightsBody,
    /// Model that a client asks for → what the key may take with it.
    pub model_limits: BTreeMap<String, ModelLimitsBody>,
    /// How requests wait where as many are in flight as may be.
    pub concurrency_queue: Option<ConcurrencyQueueBody>,
    /// Another amount of each window until a date.
    pub raise: Option<LimitRaiseBody>,
    /// When the key stops being valid, in epoch milliseconds.
    pub expires_at: Option<i64>,
    /// Model that a client asks for → the models that are asked when it fails, in their order.
    pub model_fallbacks: BTreeMap<String, Vec<String>>,
    /// Refusals of a request for which the fallbacks are asked, too.
    pub fallback_on: Vec<&'static str>,
    /// Whether requests may narrow by themselves where they go, and name the models that are asked one after the other.
    pub client_hints: bool,
    /// Seconds for which identical requests of the key are answered from memory. 0: as the group says.
    pub cache_seconds: u64,
    /// Number of requests with this key so far.
    pub usage_count: i64,
    /// When the key was last used, in epoch milliseconds.
    pub last_used_at: Option<i64>,
    /// When the key was made, in epoch milliseconds.
    pub created_at: i64,
    /// When the key was last changed, in epoch milliseconds. A write that sends it back is refused when the key has
    /// changed since.
    pub updated_at: i64,
    /// What is kept of the key and has no effect, or none yet; in the answer to a write, what was repaired too.
    pub warnings: Vec<FieldWarning>,
}

impl ProxyKeyView {
    /// The view of a stored proxy key, without its value.
    pub fn of(stored: &StoredProxyKey) -> Self {
        let key = &stored.key;
        let limits = ShownLimits::of(key.routing.limits.as_deref());
        Self {
            id: key.id.to_string(),
            name: key.name.to_string(),
            key: None,
            masked: stored.masked.clone(),
            description: stored.description.clone(),
            enabled: key.enabled,
            allowed_groups: key.allowed_groups.iter().map(ToString::to_string).collect(),
            allowed_models: key.allowed_models.iter().map(ToString::to_string).collect(),
            group_policy: key.group_policy.as_str(),
            group_weights: key.group_weights.iter().map(|(id, weight)| (id.to_string(), *weight)).collect(),
            rpm_limit: key.rpm_limit,
            tpm_limit: key.tpm_limit,
            concurrency_limit: key.concurrency_limit,
            limits: limits.limits,
            limit_mode: limits.limit_mode,
            token_weights: limits.token_weights,
            model_limits: limits.model_limits,
            concurrency_queue: limits.concurrency_queue,
            raise: limits.raise,
            expires_at: key.expires_at_ms,
            model_fallbacks: models_of(&key.routing.fallbacks),
            fallback_on: faults_of(&key.routing.fallbacks),
            client_hints: key.routing.client_hints,
            cache_seconds: key.routing.cache.as_secs(),
            usage_count: stored.usage_count,
            last_used_at: stored.last_used_at,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            warnings: warnings::of(key),
        }
    }
}
