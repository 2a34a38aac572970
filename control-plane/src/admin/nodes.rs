//! `/admin/nodes`: the nodes that are connected, or were connected lately, and which database they take config from.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{ChangeNodes, Permitted, ReadNodes};
use crate::error::ApiError;
use crate::grpc::registry::NodeView;
use crate::state::AppState;
use crate::store::audit;
use crate::web::extract::ResourceId;
use crate::web::responses::{AcceptProblems, DeleteProblems, ReadProblems};

const NOT_CONNECTED: ApiError = ApiError::NotFound("a connected node of this id was");

/// All nodes, on one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeList {
    /// The nodes.
    pub items: Vec<NodeView>,
    /// Always null: there is one page.
    pub next_cursor: Option<String>,
    /// Id of the database of this control plane. It is made with the database, and nodes know it by that.
    pub database_id: String,
}

/// The routes of nodes.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(accept)).routes(routes!(accept_everywhere))
}

/// List nodes
///
/// Each node has the config version that it was sent, the one that it applied, and what it refused last.
#[utoipa::path(
    get,
    path = "/admin/nodes",
    operation_id = "listNodes",
    tag = "nodes",
    responses(
        (status = 200, description = "All nodes", body = NodeList),
        ReadProblems,
    )
)]
async fn list(State(state): State<AppState>, _permit: Permitted<ReadNodes>) -> Json<NodeList> {
    Json(page(&state, state.nodes().list()))
}

/// Give a node this database
///
/// A node that belongs to another database, or to a version of this one that it has no more (because a backup was
/// restored), refuses the config, and shows it as `foreignDatabase`. This tells the node to take the config
/// nevertheless, and to deliver the usage records that it has kept. The answer shows the node as it was before;
/// `GET /admin/nodes` shows when it has taken the config. A node that is not connected is 404: start it with
/// `--accept-database` and the `databaseId`.
#[utoipa::path(
    post,
    path = "/admin/nodes/{id}/accept-database",
    operation_id = "acceptDatabase",
    tag = "nodes",
    params(("id" = String, Path, description = "Id of the node")),
    responses(
        (status = 200, description = "The node that was told", body = NodeView),
        DeleteProblems,
    )
)]
async fn accept(
    State(state): State<AppState>,
    permit: Permitted<ChangeNodes>,
    ResourceId(id): ResourceId,
) -> Result<Json<NodeView>, ApiError> {
    let connected = |node: &NodeView| node.id == id && node.connected;
    if !state.nodes().list().iter().any(connected) {
        return Err(NOT_CONNECTED);
    }
    audit::enter(state.store(), &permit.actor(), "accept_database", "node", Some(&id)).await?;
    let node = state.nodes().replace_database(&id).map_err(|_| NOT_CONNECTED)?;
    Ok(Json(node))
}

/// Give all nodes this database
///
/// Does for each connected node that shows a `foreignDatabase` what `POST /admin/nodes/{id}/accept-database` does for
/// one. The answer lists the nodes that were told, as they were before.
#[utoipa::path(
    post,
    path = "/admin/nodes/accept-database",
    operation_id = "acceptDatabaseEverywhere",
    tag = "nodes",
    responses(
        (status = 200, description = "The nodes that were told", body = NodeList),
        AcceptProblems,
    )
)]
async fn accept_everywhere(
    State(state): State<AppState>,
    permit: Permitted<ChangeNodes>,
) -> Result<Json<NodeList>, ApiError> {
    audit::enter(state.store(), &permit.actor(), "accept_database", "node", None).await?;
    Ok(Json(page(&state, state.nodes().replace_database_everywhere())))
}

fn page(state: &AppState, items: Vec<NodeView>) -> NodeList {
    let database_id = state.publisher().position().borrow().epoch.to_string();
    NodeList { items, next_cursor: None, database_id }
}
