//! `GET /admin/usage`: sums over usage records. `reprice`: `/admin/usage/reprice`, by which they are priced again.

mod reprice;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use shared::time::now_ms;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadLogs};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::usage::{self, UsageFilter};
use crate::web::extract::{query, query_time};
use crate::web::fields::Known;
use crate::web::responses::ListProblems;

pub use reprice::{RepriceBody, RepriceRunView, RepriceRuns};
pub use view::{CostView, UsageQuery, UsageView};

const QUERY: &[Known] =
    &[Known::new("proxyKeyId"), Known::new("groupId"), Known::new("model"), Known::new("from"), Known::new("to")];

/// Longest value of a filter, in bytes.
const FILTER_BYTES: usize = 256;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The longest time that is added up: the records of it are read.
const LONGEST_MS: i64 = 31 * DAY_MS;

/// The routes of sums over usage.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(reprice::runs, reprice::reprice))
}

/// Add up usage
///
/// Tokens and cost of the requests of a time, of 31 days at most.
#[utoipa::path(
    get,
    path = "/admin/usage",
    operation_id = "readUsage",
    tag = "logs",
    params(UsageQuery),
    responses(
        (status = 200, description = "The sums", body = UsageView),
        ListProblems,
    )
)]
async fn read(
    State(state): State<AppState>,
    permit: Permitted<ReadLogs>,
    parts: Parts,
) -> Result<Json<UsageView>, ApiError> {
    let mut query = query(&parts, QUERY)?;
    let to = query_time(&mut query, "to").unwrap_or_else(now_ms);
    let from = query_time(&mut query, "from").unwrap_or_else(|| to.saturating_sub(DAY_MS));
    if query.is_fine() && !(0..=LONGEST_MS).contains(&to.saturating_sub(from)) {
        query.error("from", "must be before 'to', and at most 31 days");
    }
    let filter = UsageFilter {
        proxy_key_id: query.text("proxyKeyId", FILTER_BYTES),
        group_id: query.text("groupId", FILTER_BYTES),
        model: query.text("model", FILTER_BYTES),
        from_ms: Some(from),
        to_ms: Some(to),
        ..UsageFilter::default()
    };
    query.finish()?;
    let sums = usage::sums(state.store(), &permit.scope, &filter).await?;
    Ok(Json(UsageView::of(from, to, &sums)))
}
