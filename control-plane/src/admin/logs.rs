//! `GET /admin/logs`: usage records, one for each client request.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadLogs};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::usage::{self, UsageFilter};
use crate::web::extract::{query, query_integer, query_time};
use crate::web::fields::Known;
use crate::web::pagination::{CURSOR, LIMIT, PageOf, page};
use crate::web::responses::ListProblems;

pub use view::{LogQuery, LogView};

const QUERY: &[Known] = &[
    LIMIT,
    CURSOR,
    Known::new("proxyKeyId"),
    Known::new("groupId"),
    Known::new("model"),
    Known::new("requestId"),
    Known::new("from"),
    Known::new("to"),
    Known::new("status"),
    Known::new("cache"),
];

/// What the response cache may have been to a request.
const CACHE: &[&str] = &["hit", "miss"];

/// Longest value of a filter, in bytes.
const FILTER_BYTES: usize = 256;

/// The routes of usage records.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List usage records
///
/// Newest first, one for each client request.
#[utoipa::path(
    get,
    path = "/admin/logs",
    operation_id = "listLogs",
    tag = "logs",
    params(LogQuery),
    responses(
        (status = 200, description = "A page of usage records", body = PageOf<LogView>),
        ListProblems,
    )
)]
async fn list(
    State(state): State<AppState>,
    permit: Permitted<ReadLogs>,
    parts: Parts,
) -> Result<Json<PageOf<LogView>>, ApiError> {
    let mut query = query(&parts, QUERY)?;
    let page = page(&mut query);
    let filter = UsageFilter {
        proxy_key_id: query.text("proxyKeyId", FILTER_BYTES),
        group_id: query.text("groupId", FILTER_BYTES),
        model: query.text("model", FILTER_BYTES),
        request_id: query.text("requestId", FILTER_BYTES),
        from_ms: query_time(&mut query, "from"),
        to_ms: query_time(&mut query, "to"),
        status: query_integer(&mut query, "status", 100, 599).and_then(|status| i32::try_from(status).ok()),
        cache: query.name_of("cache", CACHE, |name| CACHE.contains(&name).then(|| name.to_owned())),
    };
    query.finish()?;
    Ok(PageOf::of(usage::list(state.store(), &permit.scope, &page, &filter).await?, LogView::of))
}
