//! `/admin/requests`: what became of one client request.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadLogs};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::Page;
use crate::store::usage::{self, StoredUsage, UsageFilter};
use crate::web::extract::ResourceId;
use crate::web::responses::FindProblems;

/// The way that a request took.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceView {
    /// Id of the request, which the answer carried as `x-request-id`.
    pub request_id: String,
    /// Id of the node that served the request.
    pub node_id: String,
    /// Version of the config that was in force at the node.
    pub snapshot_version: i64,
    /// Name of the proxy key at the time.
    pub proxy_key_name: Option<String>,
    /// Model that was asked for, as the client named it.
    pub requested_model: Option<String>,
    /// Model that the vendor was asked for in the last attempt.
    pub upstream_model: Option<String>,
    /// How the groups were put in order, such as `failover`; null where the request was not routed.
    pub group_policy: Option<String>,
    /// What kept the request at the upstream key of its last attempt: `none`, `soft_hit` (its conversation belongs
    /// there), `soft_miss` (its conversation belongs elsewhere) or `hard` (what it refers to is in that account); null
    /// where it was not sent to a provider.
    pub affinity: Option<String>,
    /// What the response cache was to the request: `hit` (the answer came from memory, without an attempt) or `miss`;
    /// null where it was not asked.
    pub cache: Option<String>,
    /// The attempts, in the order in which they ended. Those that ask a provider where an object is are among them.
    pub attempts: Vec<AttemptView>,
    /// HTTP status that the client got, or would have got if it had stayed.
    pub status: i32,
    /// How the request ended: `success`, `refused`, `upstream_error`, `timeout`, `client_gone` or `internal_error`.
    pub outcome: String,
    /// Cause of a failure for programs; null on success.
    pub error_code: Option<String>,
    /// Cause of a failure for people; null on success.
    pub error_message: Option<String>,
    /// When the request came in, in epoch milliseconds.
    pub started_at: i64,
    /// Microseconds from the start until the first attempt left.
    pub queue_us: i64,
    /// Microseconds from the start until the first byte of the answer's body; 0 where none was sent.
    pub first_byte_us: i64,
    /// Microseconds from the start until the end.
    pub total_us: i64,
}

/// One try at one upstream key.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AttemptView {
    /// Id of the group.
    pub group_id: String,
    /// Name of the group at the time.
    pub group_name: String,
    /// Id of the upstream key.
    pub upstream_key_id: String,
    /// Mask of the upstream key.
    pub upstream_key_masked: String,
    /// Model that the vendor was asked for.
    pub upstream_model: String,
    /// HTTP status of the answer; 0 where none came.
    pub status: i32,
    /// Why the attempt brought no answer; empty where it did. It begins with `cancelled` where another attempt, which
    /// ran beside it, has answered first.
    pub error: String,
    /// Microseconds from the request's start until the attempt began.
    pub started_us: i64,
    /// Microseconds until the answer began, or until the attempt failed.
    pub duration_us: i64,
    /// Whether the attempt was made beside another one, because that was late.
    pub hedged: bool,
}

impl TraceView {
    fn of(stored: StoredUsage) -> Self {
        Self {
            request_id: stored.request_id,
            node_id: stored.node_id,
            snapshot_version: stored.snapshot_version,
            proxy_key_name: stored.proxy_key_name,
            requested_model: stored.requested_model,
            upstream_model: stored.upstream_model,
            group_policy: stored.group_policy,
            affinity: stored.affinity,
            cache: stored.cache,
            attempts: serde_json::from_value(stored.attempts.0).unwrap_or_default(),
            status: stored.status,
            outcome: stored.outcome,
            error_code: stored.error_code,
            error_message: stored.error_message,
            started_at: stored.started_at,
            queue_us: stored.queue_us,
            first_byte_us: stored.first_byte_us,
            total_us: stored.total_us,
        }
    }
}

/// The routes of requests.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(trace))
}

/// Show which way a request took
///
/// The attempts of one request, from its usage record. The record is there a moment after the request has ended.
#[utoipa::path(
    get,
    path = "/admin/requests/{id}/trace",
    operation_id = "traceRequest",
    tag = "logs",
    params(("id" = String, Path, description = "The `x-request-id` of the answer")),
    responses(
        (status = 200, description = "The way of the request", body = TraceView),
        FindProblems,
    )
)]
async fn trace(
    State(state): State<AppState>,
    permit: Permitted<ReadLogs>,
    ResourceId(id): ResourceId,
) -> Result<Json<TraceView>, ApiError> {
    let filter = UsageFilter { request_id: Some(id), ..UsageFilter::default() };
    let page = Page { limit: 1, cursor: None };
    let found = usage::list(state.store(), &permit.scope, &page, &filter).await?.items.into_iter().next();
    found.map(TraceView::of).map(Json).ok_or(ApiError::NotFound("a usage record of this request was"))
}
