//! `GET /admin/audit`: who changed what.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadAudit};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::audit::{self, StoredAudit};
use crate::web::extract::query;
use crate::web::pagination::{CURSOR, LIMIT, PageOf, PageQuery, page};
use crate::web::responses::ListProblems;

/// An entry of the audit log: a change, a login or a logout.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// Id of the entry.
    pub id: String,
    /// When it was done, in epoch milliseconds.
    pub at: i64,
    /// Id of the user who did it; null for the program itself.
    pub user_id: Option<String>,
    /// Name of that user at the time.
    pub username: String,
    /// What was done, such as `create` or `login`.
    pub action: String,
    /// The kind of thing it was done to, such as `group`.
    pub resource: String,
    /// Id of that thing.
    pub resource_id: Option<String>,
    /// More about it; never a secret.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// Address that the request came from.
    pub client_ip: String,
}

/// The routes of the audit log.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List changes
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/admin/audit",
    operation_id = "listAudit",
    tag = "audit",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of changes", body = PageOf<AuditView>),
        ListProblems,
    )
)]
async fn list(
    State(state): State<AppState>,
    permit: Permitted<ReadAudit>,
    parts: Parts,
) -> Result<Json<PageOf<AuditView>>, ApiError> {
    let mut query = query(&parts, &[LIMIT, CURSOR])?;
    let page = page(&mut query);
    query.finish()?;
    Ok(PageOf::of(audit::list(state.store(), &permit.scope, &page).await?, show))
}

fn show(stored: StoredAudit) -> AuditView {
    AuditView {
        id: stored.id,
        at: stored.at,
        user_id: stored.user_id,
        username: stored.username,
        action: stored.action,
        resource: stored.resource,
        resource_id: stored.resource_id,
        detail: stored.detail,
        client_ip: stored.client_ip,
    }
}
