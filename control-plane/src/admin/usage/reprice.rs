//! `/admin/usage/reprice`: usage records are priced again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use shared::time::now_ms;
use utoipa::ToSchema;

use crate::admin::bounds::{ID_BYTES, MODEL_BYTES};
use crate::auth::permission::{Permitted, ReadLogs, RepriceUsage};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::repricing::{self, RepriceOrder, RepriceRun};
use crate::web::extract::JsonBody;
use crate::web::fields::{Fields, Known};
use crate::web::responses::{PutProblems, ReadProblems};

const FIELDS: &[Known] =
    &[Known::new("from"), Known::also("until", &["to"]), Known::new("groupId"), Known::new("model")];

/// The most runs that may wait for their end.
const MOST_WAITING: usize = 8;

/// Which usage records are priced again.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RepriceBody {
    /// Requests that started at this time or later: epoch milliseconds or RFC 3339.
    pub from: String,
    /// Requests that started before this time, which is not in the future: epoch milliseconds or RFC 3339.
    pub until: String,
    /// Only requests whose last attempt was at this group, by its id.
    pub group_id: Option<String>,
    /// Only requests for this model, as the client named it or as the vendor was asked for it.
    pub model: Option<String>,
}

/// A run that prices usage records again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepriceRunView {
    /// Id of the run.
    pub id: String,
    /// `running` (or waiting for its turn) or `done`.
    pub state: &'static str,
    /// Beginning of the time, in epoch milliseconds.
    pub from: i64,
    /// End of the time, in epoch milliseconds.
    pub until: i64,
    /// The group, by its id; null for all.
    pub group_id: Option<String>,
    /// The model; null for all.
    pub model: Option<String>,
    /// How far the run is: the time of the last record that was priced, in epoch milliseconds.
    pub reached: i64,
    /// Number of records that were looked at.
    pub records: i64,
    /// Number of records whose cost has changed.
    pub changed: i64,
    /// What the records cost before, in micro-dollars.
    pub cost_micros_before: i64,
    /// What the records cost now, in micro-dollars.
    pub cost_micros_after: i64,
    /// Number of records that had no price before.
    pub unpriced_before: i64,
    /// Number of records that have none now.
    pub unpriced_after: i64,
    /// When the run was asked for, in epoch milliseconds.
    pub asked_at: i64,
    /// When it was over, in epoch milliseconds; null as long as it is not.
    pub finished_at: Option<i64>,
}

/// The latest runs that price usage records again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepriceRuns {
    /// The runs, the newest first, of which 50 are shown.
    pub items: Vec<RepriceRunView>,
}

impl RepriceRunView {
    fn of(run: RepriceRun) -> Self {
        Self {
            state: if run.finished_at.is_some() { "done" } else { "running" },
            id: run.id,
            from: run.from_ms,
            until: run.until_ms,
            group_id: run.group_id,
            model: run.model,
            reached: run.reached_ms,
            records: run.records,
            changed: run.changed,
            cost_micros_before: run.cost_before,
            cost_micros_after: run.cost_after,
            unpriced_before: run.unpriced_before,
            unpriced_after: run.unpriced_after,
            asked_at: run.asked_at,
            finished_at: run.finished_at,
        }
    }
}

/// Price usage again
///
/// Counts the cost of records of a time anew, by the prices that are set when the run begins, for the time of each
/// request. It goes on after the answer, in small batches; `GET /admin/usage/reprice` shows how far it is. A record
/// whose cost changes keeps the one before as `previousCostMicros`.
#[utoipa::path(
    post,
    path = "/admin/usage/reprice",
    operation_id = "repriceUsage",
    tag = "logs",
    request_body = RepriceBody,
    responses(
        (status = 202, description = "The run is under way, or waits for its turn", body = RepriceRunView),
        PutProblems,
    )
)]
pub(super) async fn reprice(
    State(state): State<AppState>,
    permit: Permitted<RepriceUsage>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<RepriceRunView>), ApiError> {
    let mut fields = Fields::of(body, FIELDS)?;
    for name in ["from", "until"] {
        if !fields.has(name) {
            fields.error(name, "is required");
        }
    }
    let (from, until) = (fields.time("from"), fields.time("until"));
    if let (Some(from), Some(until)) = (from, until)
        && (from >= until || until > now_ms())
    {
        fields.error("until", "must be after 'from', and not in the future");
    }
    let (group_id, model) = (fields.text("groupId", ID_BYTES), fields.text("model", MODEL_BYTES));
    fields.finish()?;
    if repricing::unfinished(state.store()).await?.len() >= MOST_WAITING {
        return Err(ApiError::Busy);
    }
    let order =
        RepriceOrder { from_ms: from.unwrap_or_default(), until_ms: until.unwrap_or_default(), group_id, model };
    let run = repricing::order(state.store(), &permit.scope, &order, &permit.actor()).await?;
    state.repricer().wake();
    Ok((StatusCode::ACCEPTED, Json(RepriceRunView::of(run))))
}

/// List the runs that price usage again
#[utoipa::path(
    get,
    path = "/admin/usage/reprice",
    operation_id = "listRepriceRuns",
    tag = "logs",
    responses(
        (status = 200, description = "The latest runs", body = RepriceRuns),
        ReadProblems,
    )
)]
pub(super) async fn runs(
    State(state): State<AppState>,
    permit: Permitted<ReadLogs>,
) -> Result<Json<RepriceRuns>, ApiError> {
    let runs = repricing::list(state.store(), &permit.scope).await?;
    Ok(Json(RepriceRuns { items: runs.into_iter().map(RepriceRunView::of).collect() }))
}
