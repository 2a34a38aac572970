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

/// A change, or a login.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// Its id.
    pub id: String,
    /// When, epoch milliseconds.
    pub at: i64,
    /// Who; null for the program itself.
    pub user_id: Option<String>,
    /// Who, by the name of that time.
    pub username: String,
    /// What was done, such as `create` or `login`.
    pub action: String,
    /// To what kind of thing.
    pub resource: String,
    /// To which one.
    pub resource_id: Option<String>,
    /// What more is known; never a secret.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// From which address.
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
