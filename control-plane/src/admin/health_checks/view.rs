//! What is known by checks, as it is shown. `made`: how that is made of what is stored.

mod made;

use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

pub(super) use made::Subjects;

/// What is known of all groups.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthOverview {
    /// The groups on the page.
    pub items: Vec<GroupHealthView>,
    /// To be sent as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// How many of all that was checked do how, in all groups.
    pub totals: HealthTotals,
    /// What the last run of this control plane came to. Null: there was none since it started.
    pub last_run: Option<LastRunView>,
}

/// How many do how.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartCounts {
    /// Those whose last check went well.
    pub healthy: i64,
    /// Those that have failed once or twice.
    pub warning: i64,
    /// Those that have failed three times in a row or more.
    pub unhealthy: i64,
}

/// How many of all that was checked do how.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthTotals {
    /// Providers, one for each group.
    pub providers: PartCounts,
    /// Upstream keys.
    pub keys: PartCounts,
    /// Models, each once for each group that has it.
    pub models: PartCounts,
}

/// What is known of a group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupHealthView {
    /// Id of the group.
    pub group_id: String,
    /// Name of the group.
    pub group_name: String,
    /// The vendor.
    pub provider_type: String,
    /// Base URL of the vendor's API.
    pub base_url: String,
    /// Whether the group may serve.
    pub enabled: bool,
    /// Whether it is checked on a schedule.
    pub health_check_enabled: bool,
    /// Its provider.
    pub provider: CheckedPartView,
    /// Its upstream keys that are switched on.
    pub keys: PartsHealth,
    /// The models that its config names.
    pub models: PartsHealth,
}

/// What is known of several upstream keys, or models.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartsHealth {
    /// `healthy`: all that were checked are. `unhealthy`: all that were checked are. `unknown`: none was checked.
    /// `warning`: anything else.
    pub status: &'static str,
    /// How many there are.
    pub total: usize,
    /// Those whose last check went well.
    pub healthy: usize,
    /// Those that have failed once or twice.
    pub warning: usize,
    /// Those that have failed three times in a row or more.
    pub unhealthy: usize,
    /// Those that were never checked.
    pub unknown: usize,
    /// When one of them was last checked, in epoch milliseconds.
    pub last_check_at: Option<i64>,
    /// When a check of one of them last went well.
    pub last_success_at: Option<i64>,
    /// When a check of one of them last failed.
    pub last_failure_at: Option<i64>,
    /// Which part of the latest checks went well, from 0 to 1: the average of all that were checked.
    pub success_rate: Option<f64>,
    /// Milliseconds that a check took that went well: the average of all that have one.
    pub average_latency_ms: Option<i64>,
    /// The most failures in a row of one of them.
    pub consecutive_failures: i64,
}

/// What is known of one thing that is checked.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedPartView {
    /// Id of the upstream key, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub upstream_key_id: Option<String>,
    /// Mask of the upstream key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub upstream_key_masked: Option<String>,
    /// Whether the upstream key is switched on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub enabled: Option<bool>,
    /// The vendor's name of the model, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub model: Option<String>,
    /// How the model is checked, where it is one: `question` (the shortest), `embedding` and `reranking` (of one word),
    /// or `list`: nothing but that its provider lists models, because each request to it would cost more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub checked_by: Option<&'static str>,
    /// `unknown`, `healthy`, `warning` or `unhealthy`.
    pub status: &'static str,
    /// How often it was checked.
    pub checks: i64,
    /// When it was last checked, in epoch milliseconds.
    pub last_check_at: Option<i64>,
    /// When a check last went well.
    pub last_success_at: Option<i64>,
    /// When a check last failed.
    pub last_failure_at: Option<i64>,
    /// Which part of the latest 50 checks went well, from 0 to 1.
    pub success_rate: Option<f64>,
    /// Milliseconds that a check took that went well, on average; the newer ones count more.
    pub average_latency_ms: Option<i64>,
    /// How often it has failed since it last went well.
    pub consecutive_failures: i64,
    /// HTTP status of the last check; 0 where no answer came.
    pub last_status: i32,
    /// Why the last check has failed; null where it went well.
    pub last_error: Option<String>,
}

/// What is known of a group, in detail.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupHealthDetails {
    /// The group, as it is listed.
    #[serde(flatten)]
    pub group: GroupHealthView,
    /// Each of its upstream keys, also those that are switched off.
    pub key_checks: Vec<CheckedPartView>,
    /// Each of its models.
    pub model_checks: Vec<CheckedPartView>,
}

/// Which results are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct CheckQuery {
    /// Number of items on a page.
    #[param(minimum = 1, maximum = 200, default = 50, required = false)]
    pub limit: i64,
    /// The `nextCursor` of the page before.
    #[param(required = false)]
    pub cursor: String,
    /// Only checks of this kind: `provider`, `key` or `model`.
    pub kind: Option<String>,
    /// Only checks with the upstream key of this id.
    pub key_id: Option<String>,
    /// Only checks that asked this model, by the vendor's name.
    pub model: Option<String>,
    /// Only checks of this run.
    pub run_id: Option<String>,
}

/// With which key the provider is asked for its models.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct UpstreamModelsQuery {
    /// Id of the upstream key. Without it, the first one that is well.
    pub key_id: Option<String>,
}

/// The result of one check.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckResultView {
    /// Id of the result.
    pub id: String,
    /// Id of the run that it belongs to.
    pub run_id: String,
    /// Id of the group.
    pub group_id: String,
    /// What was checked: `provider`, `key` or `model`.
    pub kind: String,
    /// Id of the upstream key that was used.
    pub upstream_key_id: Option<String>,
    /// Mask of that key.
    pub upstream_key_masked: Option<String>,
    /// The vendor's name of the model that was asked.
    pub model: Option<String>,
    /// Whether it went well.
    pub ok: bool,
    /// HTTP status of the provider; 0 where no answer came.
    pub status: i32,
    /// Milliseconds from the sending of the request to its answer.
    pub latency_ms: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// When it ended, in epoch milliseconds.
    pub at: i64,
}

/// Checks that somebody has asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckRunView {
    /// Id of the run, which its results carry as `runId`.
    pub id: String,
    /// Ids of the groups that are checked.
    pub group_ids: Vec<String>,
    /// What is checked of each.
    pub kinds: Vec<&'static str>,
    /// When it was asked for, in epoch milliseconds.
    pub asked_at: i64,
}

/// What a run came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRunView {
    /// Id of the run.
    pub id: String,
    /// When it began, in epoch milliseconds.
    pub started_at: i64,
    /// When it ended.
    pub finished_at: i64,
    /// How many groups were checked.
    pub groups: usize,
    /// How many checks were made.
    pub checks: usize,
    /// How many of them have failed.
    pub failures: usize,
    /// Why checks were left out; null where none was.
    pub problem: Option<String>,
}
