//! `/admin/groups`: provider accounts and pools.

mod body;
mod endpoint;
mod keys;
mod proxy;
mod schema;
mod translating;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{JsonBody, ResourceId, query};
use super::pagination::{CURSOR, LIMIT, PageOf, PageQuery, page};
use crate::app::AppState;
use crate::auth::{Reader, Writer};
use crate::error::{ApiError, Problem};
use crate::store::groups as store;
use crate::store::groups::StoredGroup;

pub use keys::UpstreamKeyBody;
pub use proxy::ProxyConfigBody;
pub use schema::GroupBody;
pub use view::{GroupView, ProxyConfigView, UpstreamKeyView};

const NOT_FOUND: ApiError = ApiError::NotFound("the group was");

/// The routes of groups.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, patch, remove))
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
        (status = 400, description = "The query is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list(
    State(state): State<AppState>,
    _reader: Reader,
    parts: Parts,
) -> Result<Json<PageOf<GroupView>>, ApiError> {
    let mut query = query(&parts, &[LIMIT, CURSOR])?;
    let page = page(&mut query);
    query.finish()?;
    Ok(PageOf::of(store::list(state.store(), &page).await?, |group| GroupView::of(&group)))
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
        (status = 400, description = "Fields are not valid", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Viewers change nothing", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as application/json", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create(
    State(state): State<AppState>,
    Writer(principal): Writer,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let group = body::replacement(body, None)?;
    let stored = store::create(state.store(), &group, &principal.actor()).await?;
    let mut response = (StatusCode::CREATED, Json(GroupView::of(&stored))).into_response();
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
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn read(
    State(state): State<AppState>,
    _reader: Reader,
    ResourceId(id): ResourceId,
) -> Result<Json<GroupView>, ApiError> {
    Ok(Json(GroupView::of(&existing(&state, &id).await?)))
}

/// Replace a group
///
/// Fields that are left out take their defaults, but without `apiKeys`, `headers` or `proxyConfig` what is secret in
/// them stays.
#[utoipa::path(
    put,
    path = "/admin/groups/{id}",
    operation_id = "replaceGroup",
    tag = "groups",
    params(("id" = String, Path, description = "Id of the group")),
    request_body = GroupBody,
    responses(
        (status = 200, description = "The group as it is stored", body = GroupView),
        (status = 400, description = "Fields are not valid", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Viewers change nothing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or the group was changed meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as application/json", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn replace(
    State(state): State<AppState>,
    Writer(principal): Writer,
    ResourceId(id): ResourceId,
    JsonBody(body): JsonBody,
) -> Result<Json<GroupView>, ApiError> {
    let existing = existing(&state, &id).await?;
    let group = body::replacement(body, Some(&existing))?;
    let stored = store::replace(state.store(), &group, &principal.actor()).await?;
    Ok(Json(GroupView::of(&stored)))
}

/// Change a group
///
/// A JSON merge patch (RFC 7396) over the form that is read: fields that are left out stay, null resets a field to its
/// default.
#[utoipa::path(
    patch,
    path = "/admin/groups/{id}",
    operation_id = "changeGroup",
    tag = "groups",
    params(("id" = String, Path, description = "Id of the group")),
    request_body(content = GroupBody, description = "Any part of a group"),
    responses(
        (status = 200, description = "The group as it is stored", body = GroupView),
        (status = 400, description = "Fields are not valid", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Viewers change nothing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or the group was changed meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not sent as application/json", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn patch(
    State(state): State<AppState>,
    Writer(principal): Writer,
    ResourceId(id): ResourceId,
    JsonBody(body): JsonBody,
) -> Result<Json<GroupView>, ApiError> {
    let existing = existing(&state, &id).await?;
    let group = body::patched(body, &existing)?;
    let stored = store::replace(state.store(), &group, &principal.actor()).await?;
    Ok(Json(GroupView::of(&stored)))
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
        (status = 401, description = "Not logged in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Viewers change nothing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn remove(
    State(state): State<AppState>,
    Writer(principal): Writer,
    ResourceId(id): ResourceId,
) -> Result<StatusCode, ApiError> {
    if store::delete(state.store(), &id, &principal.actor()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(NOT_FOUND)
    }
}

async fn existing(state: &AppState, id: &str) -> Result<StoredGroup, ApiError> {
    store::get(state.store(), id).await?.ok_or(NOT_FOUND)
}

#[cfg(test)]
mod tests;
