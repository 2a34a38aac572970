//! What a provider is asked for somebody, through a node: an answer to a test prompt, and the models that it has.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde::Serialize;
use shared::pb;
use shared::pb::command::Command;
use translation::vendors;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::bounds::{ID_BYTES, MODEL_BYTES};
use super::view::UpstreamModelsQuery;
use crate::auth::permission::{Guarded as _, Permitted, RunHealthChecks};
use crate::error::ApiError;
use crate::jobs::health_checks::ask::{AskError, NodeReport};
use crate::jobs::health_checks::checked_models;
use crate::state::AppState;
use crate::store::audit;
use crate::store::groups::StoredGroup;
use crate::web::extract::{JsonBody, ResourceId, query};
use crate::web::fields::{Fields, Known};
use crate::web::responses::{AskProviderProblems, SpendProblems};

const PROMPT: &[Known] = &[Known::new("model"), Known::new("prompt"), Known::new("keyId")];

/// Longest prompt, in bytes.
const PROMPT_BYTES: usize = 16 * 1024;

/// How long a model may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a provider may take to list its models.
const LIST_PATIENCE: Duration = Duration::from_secs(15);

/// A test prompt.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct PromptBody {
    /// The model, as a client or the vendor names it. Without it, the group's `testModel`, or else its first model.
    pub model: Option<String>,
    /// What the model is asked. A greeting where it is left out.
    #[schema(max_length = 16_384)]
    pub prompt: Option<String>,
    /// Id of the upstream key, which may be switched off. Without it, the first one that is well.
    pub key_id: Option<String>,
}

/// What came of a test prompt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromptView {
    /// Whether the model has answered.
    pub ok: bool,
    /// How it ended: `success`, `client_fault`, `rate_limited`, `key_refused`, `server_error`, `connect_error`,
    /// `timeout` or `unusable`.
    pub result: String,
    /// HTTP status of the provider; 0 where no answer came.
    pub status: u16,
    /// Why there is no answer; null where there is one.
    pub error: Option<String>,
    /// Milliseconds from the sending of the request to its answer.
    pub latency_ms: u64,
    /// Id of the node that has asked.
    pub node_id: String,
    /// Id of the upstream key.
    pub upstream_key_id: String,
    /// Mask of the upstream key.
    pub upstream_key_masked: String,
    /// The vendor's name of the model.
    pub model: String,
    /// What the model has said; at most 8,192 characters of it.
    pub text: Option<String>,
    /// Tokens of the prompt, as the provider counts them.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
}

/// The models that a provider has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamModelsView {
    /// Whether the provider has answered with a list.
    pub ok: bool,
    /// HTTP status of the provider; 0 where no answer came.
    pub status: u16,
    /// Why there is no list; null where there is one.
    pub error: Option<String>,
    /// Milliseconds from the sending of the request to its answer.
    pub latency_ms: u64,
    /// Id of the node that has asked.
    pub node_id: String,
    /// Id of the upstream key.
    pub upstream_key_id: String,
    /// Mask of the upstream key.
    pub upstream_key_masked: String,
    /// The vendor's names of its models, in order; at most 5,000.
    pub models: Vec<String>,
    /// Whether the provider has more models than these.
    pub has_more: bool,
}

/// The routes below a group that ask its provider.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(prompt)).routes(routes!(models))
}

/// Send a test prompt
///
/// A node that is connected sends it to the provider of the group, in the vendor's own format and with the group's
/// parameters; the group and the key may be switched off. It costs what the prompt and its answer cost, at most 1,024
/// tokens of answer, and leaves no usage record. What the provider says of the key counts as after any request. A
/// provider that refuses is no error of this operation: `ok` is false then.
#[utoipa::path(
    post,
    path = "/admin/groups/{id}/test",
    operation_id = "testGroup",
    tag = "health checks",
    params(("id" = String, Path, description = "Id of the group")),
    request_body = PromptBody,
    responses(
        (status = 200, description = "What came of it", body = PromptView),
        SpendProblems,
    )
)]
async fn prompt(
    State(state): State<AppState>,
    permit: Permitted<RunHealthChecks>,
    ResourceId(id): ResourceId,
    JsonBody(body): JsonBody,
) -> Result<Json<PromptView>, ApiError> {
    let mut fields = Fields::of(body, PROMPT)?;
    let model = fields.text("model", MODEL_BYTES).unwrap_or_default();
    let prompt = read_prompt(&mut fields);
    let key_id = fields.text("keyId", ID_BYTES).filter(|id| !id.is_empty());
    let group = find(&state, &permit, &id).await?;
    if model.is_empty() && group.group.test_model.is_none() && checked_models(&group.group).is_empty() {
        fields.error("model", "is required, because the group has no testModel and names no model");
    }
    check_key(&mut fields, &group, key_id.as_deref());
    fields.finish()?;
    audit::enter(state.store(), &permit.actor(), "test", "group", Some(&id)).await?;
    let upstream_key_id = key_id.unwrap_or_default();
    let command = Command::TestPrompt(pb::TestPrompt { group_id: id, model, prompt, upstream_key_id });
    let report = ask(&state, command, PATIENCE).await?;
    Ok(Json(PromptView {
        ok: report.ok,
        result: report.result,
        status: report.status,
        error: some(report.error),
        latency_ms: report.latency_ms,
        node_id: report.node_id,
        upstream_key_id: report.upstream_key_id,
        upstream_key_masked: report.upstream_key_masked,
        model: report.model,
        text: report.text,
        input_tokens: report.input_tokens,
        output_tokens: report.output_tokens,
    }))
}

/// List the models of a group's provider
///
/// A node that is connected asks the provider; that costs nothing. A provider that refuses is no error of this
/// operation: `ok` is false then.
#[utoipa::path(
    get,
    path = "/admin/groups/{id}/upstream-models",
    operation_id = "listUpstreamModels",
    tag = "health checks",
    params(("id" = String, Path, description = "Id of the group"), UpstreamModelsQuery),
    responses(
        (status = 200, description = "The models that the provider has", body = UpstreamModelsView),
        AskProviderProblems,
    )
)]
async fn models(
    State(state): State<AppState>,
    permit: Permitted<RunHealthChecks>,
    ResourceId(id): ResourceId,
    parts: Parts,
) -> Result<Json<UpstreamModelsView>, ApiError> {
    let mut query = query(&parts, &[Known::new("keyId")])?;
    let key_id = query.text("keyId", ID_BYTES).filter(|id| !id.is_empty());
    let group = find(&state, &permit, &id).await?;
    check_key(&mut query, &group, key_id.as_deref());
    query.finish()?;
    let vendor = vendors::by_name(&group.group.provider_type);
    if vendor.is_none_or(|vendor| vendor.models(group.group.api_version.as_deref()).is_none()) {
        return Err(ApiError::NotFound("a list of models of this vendor was"));
    }
    let upstream_key_id = key_id.unwrap_or_default();
    let command = Command::ListModels(pb::ListModels { group_id: id, upstream_key_id });
    let report = ask(&state, command, LIST_PATIENCE).await?;
    Ok(Json(UpstreamModelsView {
        ok: report.ok,
        status: report.status,
        error: some(report.error),
        latency_ms: report.latency_ms,
        node_id: report.node_id,
        upstream_key_id: report.upstream_key_id,
        upstream_key_masked: report.upstream_key_masked,
        models: report.models.unwrap_or_default(),
        has_more: report.has_more,
    }))
}

async fn find(state: &AppState, permit: &Permitted<RunHealthChecks>, id: &str) -> Result<StoredGroup, ApiError> {
    StoredGroup::find(state.store(), &permit.scope, id).await?.ok_or(StoredGroup::NOT_FOUND)
}

/// A prompt may have lines, which other texts may not.
fn read_prompt(fields: &mut Fields) -> String {
    let Some(value) = fields.take("prompt") else { return String::new() };
    match value {
        serde_json::Value::String(text) if text.len() <= PROMPT_BYTES => return text,
        serde_json::Value::String(_) => fields.error("prompt", format!("must not be longer than {PROMPT_BYTES} bytes")),
        _ => fields.error("prompt", "must be a text"),
    }
    String::new()
}

fn check_key(fields: &mut Fields, group: &StoredGroup, key_id: Option<&str>) {
    let keys = &group.group.upstream_keys;
    if key_id.is_some_and(|id| !keys.iter().any(|key| *key.id == *id)) {
        fields.error("keyId", "is no upstream key of the group");
    } else if keys.is_empty() {
        fields.error("keyId", "cannot be found: the group has no upstream key");
    }
}

/// Has a node carry out `command`.
async fn ask(state: &AppState, command: Command, patience: Duration) -> Result<NodeReport, ApiError> {
    state.checker().asker().ask(command, patience).await.map_err(|error| match error {
        AskError::Busy => ApiError::Busy,
        AskError::NoNode(reason) | AskError::Refused(reason) => ApiError::NoNode(reason),
    })
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
