//! `GET /admin/nodes`: the nodes that are connected, or were connected lately.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadNodes};
use crate::grpc::registry::NodeView;
use crate::state::AppState;
use crate::web::responses::ReadProblems;

/// All nodes, on one page.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeList {
    /// The nodes.
    pub items: Vec<NodeView>,
    /// Always null: there is one page.
    pub next_cursor: Option<String>,
}

/// The routes of nodes.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list))
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
    Json(NodeList { items: state.nodes().list(), next_cursor: None })
}
