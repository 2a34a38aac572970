//! `POST /admin/groups/{id}/keys/{keyId}/recover`: what is known against an upstream key is forgotten.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::{UpstreamKeyView, masks};
use crate::auth::permission::{ChangeGroups, Guarded as _, Permitted};
use crate::error::ApiError;
use crate::grpc::key_states::KeyStanding;
use crate::grpc::probing::ProbeTarget;
use crate::grpc::registry::CommandError;
use crate::state::AppState;
use crate::store::groups::StoredGroup;
use crate::store::{audit, key_states};
use crate::web::extract::OptionalJsonBody;
use crate::web::fields::{Fields, Known};
use crate::web::responses::RecoverProblems;

const FIELDS: &[Known] = &[Known::new("probe")];

/// Longest words of a node that are shown, in characters.
const LONGEST: usize = 512;

/// How a key is to be recovered.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RecoveryBody {
    /// Whether a node tries the key first, at the cost of one token, and only a success counts.
    #[schema(default = false)]
    pub probe: Option<bool>,
}

/// What has become of the key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryView {
    /// Whether what was known against the key is forgotten. It is not where a probe has failed.
    pub recovered: bool,
    /// What the probe has shown; null where none was asked for.
    pub probe: Option<RecoveryProbeView>,
    /// The key as it is now. One that is disabled, or whose time is over, stays that.
    pub upstream_key: UpstreamKeyView,
}

/// What a probe has shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryProbeView {
    /// The node that has made it.
    pub node_id: String,
    /// Whether the model has answered.
    pub ok: bool,
    /// Status of the provider's answer; null where there was none.
    pub status: Option<u32>,
    /// What went wrong; null where nothing did.
    pub error: Option<String>,
}

/// The ids of a group and of one of its keys, in the path.
pub(super) struct KeyPath {
    group_id: String,
    key_id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for KeyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path((group_id, key_id)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::Malformed("the path is not UTF-8".to_owned()))?;
        Ok(Self { group_id, key_id })
    }
}

/// The routes of recoveries.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(recover))
}

/// Recover an upstream key
///
/// Forgets on all nodes what is known against the key and the models behind it: that its provider refused it, asked for
/// a pause, or has no money or quota left for it. If that is still so, the next request finds it out anew. With
/// `probe`, a node finds it out first. A key that is disabled stays disabled.
#[utoipa::path(
    post,
    path = "/admin/groups/{id}/keys/{keyId}/recover",
    operation_id = "recoverUpstreamKey",
    tag = "groups",
    params(
        ("id" = String, Path, description = "Id of the group"),
        ("keyId" = String, Path, description = "Id of the upstream key")
    ),
    request_body(content = RecoveryBody, description = "May be left out"),
    responses(
        (status = 200, description = "What has become of the key", body = RecoveryView),
        RecoverProblems,
    )
)]
async fn recover(
    State(state): State<AppState>,
    permit: Permitted<ChangeGroups>,
    KeyPath { group_id, key_id }: KeyPath,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Json<RecoveryView>, ApiError> {
    let wants_probe = read(body)?;
    let stored = StoredGroup::find(state.store(), &permit.scope, &group_id).await?.ok_or(StoredGroup::NOT_FOUND)?;
    let keys = &stored.group.upstream_keys;
    let position = keys.iter().position(|key| *key.id == *key_id).ok_or(ApiError::NotFound("the upstream key was"))?;
    let actor = permit.actor();
    let probe = if wants_probe {
        let node_id = state.nodes().serving().into_iter().next();
        let node_id = node_id.ok_or_else(|| ApiError::NoNode("none is connected".to_owned()))?;
        audit::enter(state.store(), &actor, "probe", "upstream_key", Some(&key_id)).await?;
        Some(ask(&state, node_id, &group_id, &key_id).await?)
    } else {
        None
    };
    let states = &state.nodes().key_states;
    let recovered = probe.as_ref().is_none_or(|probe| probe.ok);
    if recovered {
        let news = states.recovery(&group_id, &key_id);
        key_states::recover(state.store(), &actor, (&group_id, &key_id), &news, states.now()).await?;
        states.learn(news);
    }
    let (key, masked) = (&keys[position], &masks(keys)[position]);
    let standing = KeyStanding::at(states.now(), key, &states.of(&key_id));
    Ok(Json(RecoveryView { recovered, probe, upstream_key: UpstreamKeyView::of(key, masked, standing) }))
}

/// Whether `body` asks for a probe.
fn read(body: Value) -> Result<bool, ApiError> {
    if body.is_null() {
        return Ok(false);
    }
    let mut fields = Fields::of(body, FIELDS)?;
    let probe = fields.boolean("probe", false);
    fields.finish().map(|()| probe)
}

/// Has the node `node_id` try the key.
async fn ask(state: &AppState, node_id: String, group_id: &str, key_id: &str) -> Result<RecoveryProbeView, ApiError> {
    let target =
        ProbeTarget { group_id: group_id.to_owned(), upstream_key_id: key_id.to_owned(), model: String::new() };
    let result = state.nodes().probe(&node_id, &target).await.map_err(|error| match error {
        CommandError::Busy => ApiError::Busy,
        error => ApiError::NoNode(error.to_string()),
    })?;
    let error: String = result.error.chars().take(LONGEST).collect();
    Ok(RecoveryProbeView {
        node_id,
        ok: result.ok,
        status: (result.status != 0).then_some(result.status),
        error: (!error.is_empty()).then_some(error),
    })
}
