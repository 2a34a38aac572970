//! The query for a plan, and a plan as it is shown: what a node sends of it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The request whose way is asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ExplainQuery {
    /// The model, as a client would name it.
    pub model: String,
    /// Id of the proxy key.
    pub key: String,
    /// Id of the node that is asked; any one that is connected where it is left out. Each node has loads and breakers
    /// of its own.
    pub node: Option<String>,
    /// How many tokens the request would have. Models that read less are left out.
    #[param(maximum = 1_000_000_000)]
    pub input_tokens: Option<u64>,
    /// What the request would need, with commas between them: `tools`, `vision`. Models that are known to lack it are
    /// left out.
    pub needs: Option<String>,
    /// The session that the request would name in `x-session-id`: conversations stay at one upstream key.
    pub session: Option<String>,
}

/// The plan of a request.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainView {
    /// Id of the node that has answered.
    #[serde(default)]
    pub node_id: String,
    /// Version of the config that is in force there.
    pub snapshot_version: i64,
    /// How groups are put in order, such as `failover`.
    pub group_policy: String,
    /// Why the request would be refused whatever the groups: `invalid_key` (the key is disabled or has expired) or
    /// `not_allowed` (it may not ask for the model). Null where it would not.
    pub refused: Option<String>,
    /// Whether all candidates are out, and are tried nevertheless.
    pub last_resort: bool,
    /// Id of the upstream key that the session in the query is at home at. Null without a session, and where there is
    /// no choice.
    #[serde(default)]
    pub home: Option<String>,
    /// What would be tried, in this order, unless a conversation leads elsewhere. Where chance decides, it is one
    /// possible order.
    pub candidates: Vec<CandidateView>,
    /// What is left out, and why.
    pub skipped: Vec<SkippedView>,
    /// Limits of the proxy key for the model, and how much of them the node has taken.
    #[serde(default)]
    pub limits: Vec<LimitStandingView>,
    /// The models that would be asked one after the other if this one failed, as the proxy key or a group says.
    #[serde(default)]
    pub fallbacks: Vec<FallbackView>,
    /// With which refusals of a request they would be asked, too: `context_length`, `content_filter`.
    #[serde(default)]
    pub fallback_on: Vec<String>,
}

/// A model that would be asked if another failed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FallbackView {
    /// Model, as a client would name it.
    pub model: String,
    /// Whether a group serves it to the proxy key. It is passed over where none does.
    pub served: bool,
}

/// An upstream key that would be tried.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateView {
    /// Id of the group.
    pub group_id: String,
    /// Name of the group.
    pub group_name: String,
    /// Priority of the group.
    pub priority: i32,
    /// Weight of the group for the proxy key.
    pub group_weight: u32,
    /// How the keys of the group are put in order.
    pub balance_policy: String,
    /// Id of the upstream key.
    pub upstream_key_id: String,
    /// Mask of the upstream key.
    pub upstream_key_masked: String,
    /// Weight of the upstream key.
    pub key_weight: u32,
    /// Model that the vendor would be asked for.
    pub upstream_model: String,
    /// Whether conversations stay at one upstream key of the group.
    pub affinity: bool,
    /// Attempts that the node has under way with the upstream key.
    pub in_flight: u32,
    /// Microseconds until the first byte of the model at the group, on average; null where it was not measured.
    pub first_byte_us: Option<u64>,
    /// What a typical request costs at the group, in micro-dollars per million tokens: three tokens in for each one
    /// out, and of those in as many from the cache as of late. Null where no price of the model is known.
    pub effective_price_micros: Option<u64>,
    /// Limits of the group and of the upstream key, and how much of them the node has taken.
    #[serde(default)]
    pub limits: Vec<LimitStandingView>,
}

/// A limit and how much of it is taken.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitStandingView {
    /// Whose limit it is: `proxy_key`, `model` (of the proxy key with the model), `group` or `upstream_key`.
    pub subject: String,
    /// What it counts: `requests`, `tokens` or `concurrency` (requests in flight).
    pub unit: String,
    /// Length of its window: `minute`, `hour` or `day`; null for requests in flight.
    pub window: Option<String>,
    /// How much there is.
    pub amount: u64,
    /// How much is taken.
    pub used: u64,
    /// How much is left.
    pub remaining: u64,
    /// When all of it is there again, in epoch milliseconds; null for requests in flight.
    pub resets_at: Option<i64>,
    /// Whether it only counts.
    pub shadow: bool,
}

/// A group, or an upstream key of one, that would not be tried.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedView {
    /// Id of the group.
    pub group_id: String,
    /// Name of the group.
    pub group_name: String,
    /// Id of the upstream key; null where the whole group is left out.
    pub upstream_key_id: Option<String>,
    /// Mask of the upstream key.
    pub upstream_key_masked: Option<String>,
    /// Why, for programs: `not_allowed`, `unknown_provider`, `no_keys`, `no_room`, `cannot`, `not_for_model`,
    /// `expired`, `failing`, `resting`, `cooling`, `exhausted`, `invalid`, `disabled`, `refused_destination`,
    /// `model_not_served` or `limited`.
    pub reason: String,
    /// Why, for people.
    pub detail: String,
    /// When that is over, in epoch milliseconds; null where no time ends it.
    pub until: Option<i64>,
}
