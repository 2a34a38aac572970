//! `/admin/groups`: provider accounts and pools.

mod body;
mod endpoint;
mod headers;
mod keys;
mod moved;
mod own;
mod pasted;
mod place;
mod pricing;
mod proxy;
mod recovery;
mod routing;
mod schema;
mod translating;
mod view;
mod warnings;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{ChangeGroups, Editing, Guarded, Permitted, ReadGroups, Reading};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::groups as store;
use crate::store::groups::StoredGroup;
use crate::store::{Scope, Store, StoreError};
use crate::web::extract::{JsonBody, ResourceId, query};
use crate::web::pagination::{CURSOR, LIMIT, PageOf, PageQuery, page};
use crate::web::responses::{ChangeProblems, CreateProblems, DeleteProblems, FindProblems, ListProblems};
use crate::web::warnings::FieldWarning;

use body::WrittenGroup;

pub use keys::UpstreamKeyBody;
pub use proxy::ProxyConfigBody;
pub use recovery::{RecoveryBody, RecoveryProbeView, RecoveryView};
pub use routing::ErrorRuleBody;
pub(super) use routing::read_rules;
pub use schema::GroupBody;
pub use view::{GroupView, ModelStateView, ProxyConfigView, UpstreamKeyView};

impl Guarded for StoredGroup {
    type Read = ReadGroups;
    type Change = ChangeGroups;
    const NOT_FOUND: ApiError = ApiError::NotFound("the group was");

    async fn find(store: &Store, scope: &Scope, id: &str) -> Result<Option<Self>, StoreError> {
        store::get(store, scope, id).await
    }
}

/// The routes of groups.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    let groups = OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, patch, remove));
    groups.merge(recovery::router())
}

/// List groups
#[utoipa::path(
    get,
    path = "/admin/groups",
    operation_id = "listGroups",
    tag = "groups",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of groups", body = PageOf<GroupView>),
        ListProblems,
    )
)]
async fn list(
    State(state): State<AppState>,
    permit: Permitted<ReadGroups>,
    parts: Parts,
) -> Result<Json<PageOf<GroupView>>, ApiError> {
    let mut query = query(&parts, &[LIMIT, CURSOR])?;
    let page = page(&mut query);
    query.finish()?;
    let groups = store::list(state.store(), &permit.scope, &page).await?;
    let states = &state.nodes().key_states;
    let (known, now) = (states.known(), states.now());
    Ok(PageOf::of(groups, |group| GroupView::of(&group, &known, now)))
}

/// Make a group
#[utoipa::path(
    post,
    path = "/admin/groups",
    operation_id = "createGroup",
    tag = "groups",
    request_body = GroupBody,
    responses(
        (status = 201, description = "The group as it is stored", body = GroupView),
        CreateProblems,
    )
)]
async fn create(
    State(state): State<AppState>,
    permit: Permitted<ChangeGroups>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let WrittenGroup { stored: group, repairs } = body::replacement(body, None)?;
    let stored = store::create(state.store(), &permit.scope, &group, &permit.actor()).await?;
    let mut response = (StatusCode::CREATED, Json(shown(&state, &stored, repairs))).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/admin/groups/{}", stored.group.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Read a group
#[utoipa::path(
    get,
    path = "/admin/groups/{id}",
    operation_id = "readGroup",
    tag = "groups",
    params(("id" = String, Path, description = "Id of the group")),
    responses(
        (status = 200, description = "The group", body = GroupView),
        FindProblems,
    )
)]
async fn read(State(state): State<AppState>, Reading { resource, .. }: Reading<StoredGroup>) -> Json<GroupView> {
    let states = &state.nodes().key_states;
    Json(GroupView::of(&resource, &states.known(), states.now()))
}

/// Replace a group
///
/// Fields that are left out take their defaults. `apiKeys`, `headers` and `proxyConfig` hold secrets, so they stay as
/// they are when they are left out. Where `baseUrl` comes to lead to another host, keys and headers have to be sent
/// again: a stored secret is not sent to a host that it was not given for.
#[utoipa::path(
    put,
    path = "/admin/groups/{id}",
    operation_id = "replaceGroup",
    tag = "groups",
    params(("id" = String, Path, description = "Id of the group")),
    request_body = GroupBody,
    responses(
        (status = 200, description = "The group as it is stored", body = GroupView),
        ChangeProblems,
    )
)]
async fn replace(
    State(state): State<AppState>,
    Editing { permit, resource: existing, body }: Editing<StoredGroup>,
) -> Result<Json<GroupView>, ApiError> {
    let WrittenGroup { stored: group, repairs } = body::replacement(body, Some(&existing))?;
    let stored = store::replace(state.store(), &permit.scope, &group, &permit.actor()).await?;
    Ok(Json(shown(&state, &stored, repairs)))
}

/// Change a group
///
/// A JSON merge patch (RFC 7396) over the group as it is read: fields that are left out stay, and null resets a field
/// to its default. Where `baseUrl` comes to lead to another host, keys and headers have to be sent again: a stored
/// secret is not sent to a host that it was not given for.
#[utoipa::path(
    patch,
    path = "/admin/groups/{id}",
    operation_id = "changeGroup",
    tag = "groups",
    params(("id" = String, Path, description = "Id of the group")),
    request_body(content = GroupBody, description = "Any part of a group"),
    responses(
        (status = 200, description = "The group as it is stored", body = GroupView),
        ChangeProblems,
    )
)]
async fn patch(
    State(state): State<AppState>,
    Editing { permit, resource: existing, body }: Editing<StoredGroup>,
) -> Result<Json<GroupView>, ApiError> {
    let WrittenGroup { stored: group, repairs } = body::patched(body, &existing)?;
    let stored = store::replace(state.store(), &permit.scope, &group, &permit.actor()).await?;
    Ok(Json(shown(&state, &stored, repairs)))
}

/// Delete a group
#[utoipa::path(
    delete,
    path = "/admin/groups/{id}",
    operation_id = "deleteGroup",
    tag = "groups",
    params(("id" = String, Path, description = "Id of the group")),
    responses(
        (status = 204, description = "It is gone"),
        DeleteProblems,
    )
)]
async fn remove(
    State(state): State<AppState>,
    permit: Permitted<ChangeGroups>,
    ResourceId(id): ResourceId,
) -> Result<StatusCode, ApiError> {
    if store::delete(state.store(), &permit.scope, &id, &permit.actor()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(StoredGroup::NOT_FOUND)
    }
}

/// The answer to a write: the group, with what was repaired in the body.
fn shown(state: &AppState, stored: &StoredGroup, repairs: Vec<FieldWarning>) -> GroupView {
    let states = &state.nodes().key_states;
    let mut view = GroupView::of(stored, &states.known(), states.now());
    view.warnings.splice(0..0, repairs);
    view
}

#[cfg(test)]
mod tests;
