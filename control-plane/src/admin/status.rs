//! `GET /admin/status`: the control plane at a glance.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadStatus};
use crate::error::ApiError;
use crate::state::{AppState, VERSION};
use crate::store::usage;
use crate::web::responses::ReadProblems;

/// The control plane at a glance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Always `running`.
    pub status: &'static str,
    /// Version of the program.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
    /// Seconds since the program started.
    pub uptime_seconds: u64,
    /// When the program started, in epoch milliseconds.
    pub started_at: i64,
    /// Kind of the database: `sqlite`, `mysql` or `postgres`.
    pub database_type: &'static str,
    /// Version of the config that nodes are told.
    pub config_version: u64,
    /// Why the config cannot be read at present, so that nodes keep an older one; null when all is well.
    pub config_problem: Option<String>,
    /// How many things there are of each kind.
    pub counts: Counts,
    /// Number of nodes whose config stream is open.
    pub nodes_connected: usize,
}

/// How many things there are of each kind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Number of groups.
    pub groups: usize,
    /// Number of groups that may serve.
    pub enabled_groups: usize,
    /// Number of upstream keys of all groups.
    pub upstream_keys: usize,
    /// Number of proxy keys.
    pub proxy_keys: usize,
    /// Number of proxy keys that may be used.
    pub enabled_proxy_keys: usize,
    /// Number of usage records in the ledger. It is counted as they come in, so that it costs the same however many
    /// there are.
    pub usage_records: i64,
    /// Number of usage records without a price, counted likewise.
    pub unpriced_records: i64,
    /// What the other usage records cost, in micro-dollars, counted likewise.
    pub cost_micros: i64,
}

/// The route of the status.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(status))
}

/// Show the status
#[utoipa::path(
    get,
    path = "/admin/status",
    operation_id = "readStatus",
    tag = "status",
    responses(
        (status = 200, description = "The status", body = Status),
        ReadProblems,
    )
)]
async fn status(State(state): State<AppState>, permit: Permitted<ReadStatus>) -> Result<Json<Status>, ApiError> {
    let snapshot = state.publisher().snapshot();
    let ledger = usage::totals(state.store(), &permit.scope).await?;
    let counts = Counts {
        groups: snapshot.groups.len(),
        enabled_groups: snapshot.groups.values().filter(|group| group.enabled).count(),
        upstream_keys: snapshot.groups.values().map(|group| group.upstream_keys.len()).sum(),
        proxy_keys: snapshot.proxy_keys.len(),
        enabled_proxy_keys: snapshot.proxy_keys.values().filter(|key| key.enabled).count(),
        usage_records: ledger.records,
        unpriced_records: ledger.unpriced,
        cost_micros: ledger.cost_micros,
    };
    Ok(Json(Status {
        status: "running",
        version: VERSION,
        uptime_seconds: state.uptime().as_secs(),
        started_at: state.started_at(),
        database_type: state.database_type(),
        config_version: snapshot.version,
        config_problem: state.publisher().problem(),
        counts,
        nodes_connected: state.nodes().list().iter().filter(|node| node.connected).count(),
    }))
}
