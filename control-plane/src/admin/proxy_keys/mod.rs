//! `/admin/proxy-keys`: what clients authenticate with.

mod body;
mod view;
mod warnings;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::secret::Secret;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{ChangeProxyKeys, Editing, Guarded, Permitted, ReadProxyKeys, Reading};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::proxy_keys as store;
use crate::store::proxy_keys::StoredProxyKey;
use crate::store::{Scope, Store, StoreError};
use crate::web::extract::{JsonBody, ResourceId, query};
use crate::web::pagination::{CURSOR, LIMIT, PageOf, PageQuery, page};
use crate::web::responses::{ChangeProblems, CreateProblems, DeleteProblems, FindProblems, ListProblems};
use crate::web::warnings::FieldWarning;

use body::{Written, check_groups};

pub use body::ProxyKeyBody;
pub use view::ProxyKeyView;

impl Guarded for StoredProxyKey {
    type Read = ReadProxyKeys;
    type Change = ChangeProxyKeys;
    const NOT_FOUND: ApiError = ApiError::NotFound("the proxy key was");

    async fn find(store: &Store, scope: &Scope, id: &str) -> Result<Option<Self>, StoreError> {
        store::get(store, scope, id).await
    }
}

/// The routes of proxy keys.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, replace, patch, remove))
}

/// List proxy keys
#[utoipa::path(
    get,
    path = "/admin/proxy-keys",
    operation_id = "listProxyKeys",
    tag = "proxy keys",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of proxy keys", body = PageOf<ProxyKeyView>),
        ListProblems,
    )
)]
async fn list(
    State(state): State<AppState>,
    permit: Permitted<ReadProxyKeys>,
    parts: Parts,
) -> Result<Json<PageOf<ProxyKeyView>>, ApiError> {
    let mut query = query(&parts, &[LIMIT, CURSOR])?;
    let page = page(&mut query);
    query.finish()?;
    Ok(PageOf::of(store::list(state.store(), &permit.scope, &page).await?, |key| ProxyKeyView::of(&key)))
}

/// Make a proxy key
///
/// The answer holds the value in `key`. It is not shown again.
#[utoipa::path(
    post,
    path = "/admin/proxy-keys",
    operation_id = "createProxyKey",
    tag = "proxy keys",
    request_body = ProxyKeyBody,
    responses(
        (status = 201, description = "The proxy key as it is stored", body = ProxyKeyView),
        CreateProblems,
    )
)]
async fn create(
    State(state): State<AppState>,
    permit: Permitted<ChangeProxyKeys>,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let Written { stored: key, value, repairs } = body::replacement(body, None)?;
    check_groups(state.store(), &permit.scope, &key.key, None).await?;
    let stored = store::create(state.store(), &permit.scope, &key, &permit.actor()).await?;
    let mut response = (StatusCode::CREATED, Json(shown(&stored, value.as_ref(), repairs))).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::from_str(&format!("/admin/proxy-keys/{}", stored.key.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Read a proxy key
#[utoipa::path(
    get,
    path = "/admin/proxy-keys/{id}",
    operation_id = "readProxyKey",
    tag = "proxy keys",
    params(("id" = String, Path, description = "Id of the proxy key")),
    responses(
        (status = 200, description = "The proxy key", body = ProxyKeyView),
        FindProblems,
    )
)]
async fn read(Reading { resource, .. }: Reading<StoredProxyKey>) -> Json<ProxyKeyView> {
    Json(ProxyKeyView::of(&resource))
}

/// Replace a proxy key
///
/// Fields that are left out take their defaults. Only `key` stays when it is left out; a new `key` replaces the value.
#[utoipa::path(
    put,
    path = "/admin/proxy-keys/{id}",
    operation_id = "replaceProxyKey",
    tag = "proxy keys",
    params(("id" = String, Path, description = "Id of the proxy key")),
    request_body = ProxyKeyBody,
    responses(
        (status = 200, description = "The proxy key as it is stored", body = ProxyKeyView),
        ChangeProblems,
    )
)]
async fn replace(
    State(state): State<AppState>,
    Editing { permit, resource: existing, body }: Editing<StoredProxyKey>,
) -> Result<Json<ProxyKeyView>, ApiError> {
    let Written { stored: key, value, repairs } = body::replacement(body, Some(&existing))?;
    check_groups(state.store(), &permit.scope, &key.key, Some(&existing.key)).await?;
    let stored = store::replace(state.store(), &permit.scope, &key, &permit.actor()).await?;
    Ok(Json(shown(&stored, value.as_ref(), repairs)))
}

/// Change a proxy key
///
/// A JSON merge patch (RFC 7396) over the proxy key as it is read: fields that are left out stay, and null resets a
/// field to its default.
#[utoipa::path(
    patch,
    path = "/admin/proxy-keys/{id}",
    operation_id = "changeProxyKey",
    tag = "proxy keys",
    params(("id" = String, Path, description = "Id of the proxy key")),
    request_body(content = ProxyKeyBody, description = "Any part of a proxy key"),
    responses(
        (status = 200, description = "The proxy key as it is stored", body = ProxyKeyView),
        ChangeProblems,
    )
)]
async fn patch(
    State(state): State<AppState>,
    Editing { permit, resource: existing, body }: Editing<StoredProxyKey>,
) -> Result<Json<ProxyKeyView>, ApiError> {
    let Written { stored: key, value, repairs } = body::patched(body, &existing)?;
    check_groups(state.store(), &permit.scope, &key.key, Some(&existing.key)).await?;
    let stored = store::replace(state.store(), &permit.scope, &key, &permit.actor()).await?;
    Ok(Json(shown(&stored, value.as_ref(), repairs)))
}

/// Delete a proxy key
#[utoipa::path(
    delete,
    path = "/admin/proxy-keys/{id}",
    operation_id = "deleteProxyKey",
    tag = "proxy keys",
    params(("id" = String, Path, description = "Id of the proxy key")),
    responses(
        (status = 204, description = "It is gone"),
        DeleteProblems,
    )
)]
async fn remove(
    State(state): State<AppState>,
    permit: Permitted<ChangeProxyKeys>,
    ResourceId(id): ResourceId,
) -> Result<StatusCode, ApiError> {
    if store::delete(state.store(), &permit.scope, &id, &permit.actor()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(StoredProxyKey::NOT_FOUND)
    }
}

/// The answer to a write: the key, with its value where that is new, and with what was repaired in the body.
fn shown(stored: &StoredProxyKey, value: Option<&Secret>, repairs: Vec<FieldWarning>) -> ProxyKeyView {
    let mut view = ProxyKeyView { key: value.map(|value| value.expose().to_owned()), ..ProxyKeyView::of(stored) };
    view.warnings.splice(0..0, repairs);
    view
}

#[cfg(test)]
mod tests;
