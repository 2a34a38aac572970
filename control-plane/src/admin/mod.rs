//! The admin REST API: one file or folder for each resource, named as its URL.

pub mod audit;
mod bounds;
pub mod error_rules;
pub mod explain;
mod fallbacks;
pub mod groups;
pub mod health_checks;
mod limits;
pub mod logs;
pub mod nodes;
pub mod openapi;
pub mod prices;
pub mod providers;
pub mod proxy_keys;
pub mod requests;
pub mod status;
pub mod usage;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

/// The routes under `/admin`.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(status::router())
        .merge(groups::router())
        .merge(error_rules::router())
        .merge(prices::router())
        .merge(providers::router())
        .merge(proxy_keys::router())
        .merge(health_checks::router())
        .merge(logs::router())
        .merge(usage::router())
        .merge(requests::router())
        .merge(explain::router())
        .merge(nodes::router())
        .merge(audit::router())
}

#[cfg(test)]
mod tests;
