//! `/admin/health-checks`: what checks of providers, upstream keys and models came to, and checks on demand. `ask`: a
//! test prompt, and the models that a provider has. `view`: what is shown.

mod ask;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use shared::snapshot::Group;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bounds::{ID_BYTES, MODEL_BYTES};
use crate::auth::permission::{Guarded as _, Permitted, ReadHealthChecks, RunHealthChecks};
use crate::error::ApiError;
use crate::jobs::health_checks::RunRefused;
use crate::state::AppState;
use crate::store::groups::{self, StoredGroup};
use crate::store::health_checks::{self as store, CheckFilter, CheckKind};
use crate::store::{Page, audit};
use crate::web::extract::{JsonBody, ResourceId, query};
use crate::web::fields::{Fields, Known};
use crate::web::pagination::{CURSOR, LIMIT, MOST, PageOf, PageQuery, page};
use crate::web::responses::{FindListProblems, FindProblems, ListProblems, SpendProblems};

use view::Subjects;

pub use ask::{PromptBody, PromptView, UpstreamModelsView};
pub use view::{
    CheckQuery, CheckResultView, CheckRunView, CheckedPartView, GroupHealthDetails, GroupHealthView, HealthOverview,
    HealthTotals, LastRunView, PartCounts, PartsHealth, UpstreamModelsQuery,
};

const RESULTS: &[Known] =
    &[LIMIT, CURSOR, Known::new("kind"), Known::new("keyId"), Known::new("model"), Known::new("runId")];

const RUN: &[Known] = &[Known::new("groupId"), Known::new("kinds")];

const KINDS: &[&str] = &["provider", "key", "model"];

/// What is to be checked.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CheckRunBody {
    /// Id of the group. Without it, all groups are checked that are enabled and whose `healthCheckEnabled` is true.
    pub group_id: Option<String>,
    /// What is checked of each: `provider`, `key`, `model`. All of it where the field is left out.
    pub kinds: Option<Vec<String>>,
}

/// The routes of health checks.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, run)).routes(routes!(read)).routes(routes!(results)).merge(ask::router())
}

/// List what health checks say of groups
///
/// One item for each group, with its provider, its upstream keys and its models. Something is `healthy` after a check
/// that went well, a `warning` after one or two failures, `unhealthy` after three in a row, and `unknown` before the
/// first check. A check changes no routing.
#[utoipa::path(
    get,
    path = "/admin/health-checks",
    operation_id = "listHealthChecks",
    tag = "health checks",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of groups, and totals of all", body = HealthOverview),
        ListProblems,
    )
)]
async fn list(
    State(state): State<AppState>,
    permit: Permitted<ReadHealthChecks>,
    parts: Parts,
) -> Result<Json<HealthOverview>, ApiError> {
    let mut query = query(&parts, &[LIMIT, CURSOR])?;
    let page = page(&mut query);
    query.finish()?;
    let listed = groups::list(state.store(), &permit.scope, &page).await?;
    let ids: Vec<_> = listed.items.iter().map(|group| group.group.id.to_string()).collect();
    let subjects = store::subjects(state.store(), &permit.scope, &ids).await?;
    let totals = HealthTotals::of(&store::totals(state.store(), &permit.scope).await?);
    let subjects = Subjects::of(&subjects);
    let items = listed.items.iter().map(|group| GroupHealthView::of(&group.group, &subjects)).collect();
    let last_run = state.checker().last_run().map(LastRunView::of);
    Ok(Json(HealthOverview { items, next_cursor: listed.next_cursor, totals, last_run }))
}

/// Read what health checks say of a group
///
/// Its provider, each of its upstream keys and each of its models.
#[utoipa::path(
    get,
    path = "/admin/health-checks/{id}",
    operation_id = "readHealthChecks",
    tag = "health checks",
    params(("id" = String, Path, description = "Id of the group")),
    responses(
        (status = 200, description = "What is known of the group", body = GroupHealthDetails),
        FindProblems,
    )
)]
async fn read(
    State(state): State<AppState>,
    permit: Permitted<ReadHealthChecks>,
    ResourceId(id): ResourceId,
) -> Result<Json<GroupHealthDetails>, ApiError> {
    let group = StoredGroup::find(state.store(), &permit.scope, &id).await?.ok_or(StoredGroup::NOT_FOUND)?;
    let subjects = store::subjects(state.store(), &permit.scope, &[id]).await?;
    Ok(Json(GroupHealthDetails::of(&group.group, &Subjects::of(&subjects))))
}

/// List the results of a group's health checks
///
/// Newest first. The newest 5,000 of a group are kept, for `HealthCheck:RetentionDays`.
#[utoipa::path(
    get,
    path = "/admin/health-checks/{id}/results",
    operation_id = "listHealthCheckResults",
    tag = "health checks",
    params(("id" = String, Path, description = "Id of the group"), CheckQuery),
    responses(
        (status = 200, description = "A page of results", body = PageOf<CheckResultView>),
        FindListProblems,
    )
)]
async fn results(
    State(state): State<AppState>,
    permit: Permitted<ReadHealthChecks>,
    ResourceId(id): ResourceId,
    parts: Parts,
) -> Result<Json<PageOf<CheckResultView>>, ApiError> {
    let mut query = query(&parts, RESULTS)?;
    let page = page(&mut query);
    let filter = CheckFilter {
        kind: query.name_of("kind", KINDS, CheckKind::of),
        upstream_key_id: query.text("keyId", ID_BYTES),
        model: query.text("model", MODEL_BYTES),
        run_id: query.text("runId", ID_BYTES),
    };
    query.finish()?;
    StoredGroup::find(state.store(), &permit.scope, &id).await?.ok_or(StoredGroup::NOT_FOUND)?;
    let listed = store::results(state.store(), &permit.scope, &id, &page, &filter).await?;
    Ok(PageOf::of(listed, CheckResultView::of))
}

/// Run health checks now
///
/// Each check of a key or a model costs a token or more. The checks are made one after the other by a node that is
/// connected, and may take minutes: the answer comes before them. `GET /admin/health-checks/{id}/results?runId=` lists
/// their results as they come, and `lastRun` of `GET /admin/health-checks` says when all are there.
#[utoipa::path(
    post,
    path = "/admin/health-checks",
    operation_id = "runHealthChecks",
    tag = "health checks",
    request_body = CheckRunBody,
    responses(
        (status = 202, description = "The checks are under way, or wait for their turn", body = CheckRunView),
        SpendProblems,
    )
)]
async fn run(
    State(state): State<AppState>,
    permit: Permitted<RunHealthChecks>,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<CheckRunView>), ApiError> {
    let mut fields = Fields::of(body, RUN)?;
    let group_id = fields.text("groupId", ID_BYTES);
    let kinds = read_kinds(&mut fields);
    fields.finish()?;
    let groups = match &group_id {
        Some(id) => {
            let found = StoredGroup::find(state.store(), &permit.scope, id).await?.ok_or(StoredGroup::NOT_FOUND)?;
            vec![Arc::new(found.group)]
        }
        None => all(&state, &permit).await?,
    };
    let run = state.checker().prepare(groups, kinds).map_err(refused)?;
    audit::enter(state.store(), &permit.actor(), "check", "group", group_id.as_deref()).await?;
    state.checker().run(run.clone()).map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(CheckRunView::of(&run))))
}

fn refused(refused: RunRefused) -> ApiError {
    match refused {
        RunRefused::NoNode => ApiError::NoNode("none is connected".to_owned()),
        RunRefused::Busy => ApiError::Busy,
    }
}

fn read_kinds(fields: &mut Fields) -> Vec<CheckKind> {
    let Some(names) = fields.texts("kinds", 64) else { return CheckKind::ALL.to_vec() };
    let mut kinds = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match CheckKind::of(name) {
            Some(kind) => kinds.push(kind),
            None => fields.error(&format!("kinds[{index}]"), format!("must be one of {}", KINDS.join(", "))),
        }
    }
    if names.is_empty() {
        fields.error("kinds", "must name something to check");
    }
    kinds
}

/// All groups that are checked on a schedule.
async fn all(state: &AppState, permit: &Permitted<RunHealthChecks>) -> Result<Vec<Arc<Group>>, ApiError> {
    let mut found = Vec::new();
    let mut page = Page { limit: MOST, cursor: None };
    loop {
        let listed = groups::list(state.store(), &permit.scope, &page).await?;
        let checked =
            listed.items.into_iter().filter(|stored| stored.group.enabled && stored.group.health_check_enabled);
        found.extend(checked.map(|stored| Arc::new(stored.group)));
        page.cursor = listed.next_cursor;
        if page.cursor.is_none() {
            return Ok(found);
        }
    }
}
