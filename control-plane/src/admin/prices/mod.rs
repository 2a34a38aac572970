//! `/admin/prices`: the prices that count in all groups before the list prices of vendors. `/admin/prices/import`: the
//! same from public lists of prices.

mod import;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use serde_json::{Value, json};
use shared::prices::PriceText;
use translation::vendors;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::permission::{ChangeGroups, Permitted, ReadGroups};
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::prices as store;
use crate::web::extract::{JsonBody, LargeBody, query};
use crate::web::fields::{Fields, Known};
use crate::web::responses::{PutProblems, ReadProblems};

pub use import::{ImportCounts, ImportQuery, ImportView, PriceDifference, StandardRates, UnreadablePrice};
pub use view::{PricesBody, PricesView};

const FIELDS: &[Known] = &[
    Known::new("asOf"),
    Known::new("vendors"),
    Known::new("comment"),
    Known::new("builtInAsOf"),
    Known::new("updatedAt"),
];

/// Longest day, in bytes.
const DAY_BYTES: usize = 10;

/// Longest comment, in bytes.
const COMMENT_BYTES: usize = 2_000;

/// The routes of prices.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read, replace)).routes(routes!(import_prices))
}

/// Read the prices that are set for all groups
///
/// They count before the list prices that ship with the program, and behind those of a group.
#[utoipa::path(
    get,
    path = "/admin/prices",
    operation_id = "readPrices",
    tag = "prices",
    responses(
        (status = 200, description = "The prices", body = PricesView),
        ReadProblems,
    )
)]
async fn read(State(state): State<AppState>, permit: Permitted<ReadGroups>) -> Result<Json<PricesView>, ApiError> {
    Ok(Json(PricesView::of(&store::get(state.store(), &permit.scope).await?)))
}

/// Replace the prices that are set for all groups
///
/// The document has the form of `shared/data/prices.json`. What it names counts before the list prices that ship with
/// the program; what it does not name stays as it is there. A document without vendors sets none.
#[utoipa::path(
    put,
    path = "/admin/prices",
    operation_id = "replacePrices",
    tag = "prices",
    request_body = PricesBody,
    responses(
        (status = 200, description = "The prices as they are stored", body = PricesView),
        PutProblems,
    )
)]
async fn replace(
    State(state): State<AppState>,
    permit: Permitted<ChangeGroups>,
    JsonBody(body): JsonBody,
) -> Result<Json<PricesView>, ApiError> {
    let prices = read_document(Fields::of(body, FIELDS)?)?;
    let stored = store::replace(state.store(), &permit.scope, prices, &permit.actor()).await?;
    Ok(Json(PricesView::of(&stored)))
}

fn read_document(mut fields: Fields) -> Result<PriceText, ApiError> {
    let as_of = fields.text("asOf", DAY_BYTES);
    let comment = fields.text("comment", COMMENT_BYTES);
    if !fields.has("vendors") {
        fields.error("vendors", "is required; an empty list sets no prices");
    }
    let vendors = fields.list("vendors").unwrap_or_default();
    for read_only in ["builtInAsOf", "updatedAt"] {
        fields.take(read_only);
    }
    let mut prices = PriceText::default();
    if fields.is_fine() && !vendors.is_empty() {
        let mut document = json!({ "asOf": as_of.unwrap_or_else(today), "vendors": vendors });
        if let Some(comment) = comment {
            document["$comment"] = Value::String(comment);
        }
        match PriceText::document(&document.to_string()) {
            Ok(read) => prices = read,
            Err(problem) => fields.error("vendors", format!("cannot be read: {problem}")),
        }
    }
    let unknown = prices.prices().all().map(|(vendor, ..)| vendor).find(|name| vendors::by_name(name).is_none());
    if let Some(name) = unknown {
        fields.error("vendors", format!("names a vendor that is not known here: {name:?}"));
    }
    fields.finish()?;
    Ok(prices)
}

/// The day by UTC, in ISO 8601.
fn today() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d").to_string()
}

/// Import prices
///
/// Reads one of the two public lists of prices, `api.json` of models.dev or `model_prices_and_context_window.json` of
/// LiteLLM, of 8 MiB at most, and says what it would change. With `apply=true` the prices that are set for all groups
/// become those of the list that differ from what ships with the program.
#[utoipa::path(
    post,
    path = "/admin/prices/import",
    operation_id = "importPrices",
    tag = "prices",
    params(ImportQuery),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 200, description = "What the list changes", body = ImportView),
        PutProblems,
    )
)]
async fn import_prices(
    State(state): State<AppState>,
    permit: Permitted<ChangeGroups>,
    parts: Parts,
    LargeBody(body): LargeBody,
) -> Result<Json<ImportView>, ApiError> {
    let mut query = query(&parts, &[Known::new("apply")])?;
    let apply = query.name_of("apply", &["true", "false"], |word| word.parse::<bool>().ok());
    query.finish()?;
    let before = store::get(state.store(), &permit.scope).await?;
    let read = import::read(&body, &today())?;
    let compared = import::compare(read, &before.prices, shared::time::now_ms(), &today())?;
    let apply = apply.unwrap_or_default();
    if apply {
        store::replace(state.store(), &permit.scope, compared.prices, &permit.actor()).await?;
    }
    Ok(Json(ImportView { applied: apply, ..compared.view }))
}

#[cfg(test)]
mod tests;
