//! `GET /admin/explain`: which way a request would take now.

mod view;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use shared::pb;
use shared::pb::command::Command;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{Permitted, ReadGroups};
use crate::error::ApiError;
use crate::grpc::registry::CommandError;
use crate::state::AppState;
use crate::store::proxy_keys;
use crate::web::extract::{query, query_integer};
use crate::web::fields::Known;
use crate::web::responses::AskProblems;

pub use view::{CandidateView, ExplainQuery, ExplainView, FallbackView, LimitStandingView, SkippedView};

const QUERY: &[Known] = &[
    Known::new("model"),
    Known::new("key"),
    Known::new("node"),
    Known::new("inputTokens"),
    Known::new("needs"),
    Known::new("session"),
];

/// The most tokens that a request can be said to have.
const MOST_TOKENS: i64 = 1_000_000_000;

/// What a request may be said to need.
const NEEDS: [&str; 2] = ["tools", "vision"];

/// Longest value of the query, in bytes.
const LONGEST: usize = 512;

/// How long a node may take to answer, in milliseconds.
const TIMEOUT_MS: u64 = 5_000;

/// The routes of plans.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// Show which way a request would take
///
/// The plan that a node would make now: what it would try, in which order, and why it leaves out each other group and
/// key. Nothing is sent to a provider, and nothing changes.
#[utoipa::path(
    get,
    path = "/admin/explain",
    operation_id = "explainRouting",
    tag = "nodes",
    params(ExplainQuery),
    responses(
        (status = 200, description = "The plan", body = ExplainView),
        AskProblems,
    )
)]
async fn explain(
    State(state): State<AppState>,
    permit: Permitted<ReadGroups>,
    parts: Parts,
) -> Result<Json<ExplainView>, ApiError> {
    let mut query = query(&parts, QUERY)?;
    let model = query.text("model", LONGEST);
    let key = query.text("key", LONGEST);
    let node = query.text("node", LONGEST);
    for (name, value) in [("model", &model), ("key", &key)] {
        if value.is_none() {
            query.error(name, "is required");
        }
    }
    let input_tokens = query_integer(&mut query, "inputTokens", 0, MOST_TOKENS).unwrap_or_default();
    let needs = query.text("needs", LONGEST).unwrap_or_default();
    let needs: Vec<_> = needs.split(',').map(str::trim).filter(|need| !need.is_empty()).collect();
    if needs.iter().any(|need| !NEEDS.contains(need)) {
        query.error("needs", format!("may hold {}, with commas between them", NEEDS.join(" and ")));
    }
    let session = query.text("session", LONGEST).unwrap_or_default();
    let [needs_tools, needs_vision] = NEEDS.map(|need| needs.contains(&need));
    query.finish()?;
    let (model, proxy_key_id) = (model.unwrap_or_default(), key.unwrap_or_default());
    let known = proxy_keys::get(state.store(), &permit.scope, &proxy_key_id).await?;
    known.ok_or(ApiError::NotFound("the proxy key was"))?;
    let connected = || state.nodes().list().into_iter().find(|node| node.connected).map(|node| node.id);
    let node_id = node.or_else(connected).ok_or_else(|| ApiError::NoNode("none is connected".to_owned()))?;
    let command = Some(Command::Explain(pb::Explain {
        model,
        proxy_key_id,
        input_tokens: input_tokens.unsigned_abs(),
        needs_tools,
        needs_vision,
        session,
    }));
    let command = pb::Command { timeout_ms: TIMEOUT_MS, command, ..pb::Command::default() };
    let result = state.nodes().command(&node_id, command).await.map_err(|error| match error {
        CommandError::Busy => ApiError::Busy,
        error => ApiError::NoNode(error.to_string()),
    })?;
    if !result.ok {
        return Err(ApiError::NoNode(result.error.chars().take(LONGEST).collect()));
    }
    let unreadable = |error: serde_json::Error| ApiError::NoNode(format!("its answer cannot be read: {error}"));
    let plan: ExplainView = serde_json::from_str(&result.result_json).map_err(unreadable)?;
    Ok(Json(ExplainView { node_id, ..plan }))
}
