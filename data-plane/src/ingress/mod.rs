//! The APIs that clients speak, one file for each.
//!
//! - [`gateway`]: what every request needs.
//! - `admit`: the front that every request passes.
//! - `openai`, `anthropic`, `gemini`: the chat APIs; `chat` is what they have in common.
//! - `fallbacks`: which models are asked when the one that was asked for fails; `further`: those that a client names.
//! - `memory`: whether the answer is in memory.
//! - `models`: which models the proxy key may ask for.
//! - `endpoints`: what the APIs have beside chat.
//! - `sticky`: finds the provider that holds what a request refers to.
//! - [`cors`]: pages in browsers that may call; `document`: the OpenAPI document for clients.
//! - `near`: paths that are nearly those of an API; `unserved`: requests that reach no route of one.

mod admit;
mod anthropic;
mod chat;
pub mod cors;
mod document;
mod endpoints;
mod fallbacks;
mod further;
pub mod gateway;
mod gemini;
mod memory;
mod models;
mod near;
mod openai;
mod query;
mod sticky;
mod unserved;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{any, get, post};
use http::request;
use shared::ids::new_id;
use shared::serve::fault::{self, Fault};

use crate::error::GatewayError;
use crate::respond::{error, own};
pub use cors::AllowedOrigins;
use document::CLIENT_DOCUMENT;
pub use gateway::Gateway;
use near::format_of;
pub use unserved::fallback;
use unserved::{elsewhere, only_get, only_post, unknown};

/// Serves `/v1/*`, `/v1beta/*` and `/claude/v1/*`. Clients whose base URL lacks its version get an error that says so.
/// Pages of `origins` may call.
pub fn router(gateway: Arc<Gateway>, origins: Option<&AllowedOrigins>) -> Router {
    open_to(origins, routes(gateway))
}

fn routes(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(openai::chat).fallback(only_post))
        .route("/v1/responses", post(openai::responses).get(openai::no_websocket).fallback(only_post))
        .route("/v1/messages", post(anthropic::messages).fallback(only_post))
        .route("/claude/v1/messages", post(anthropic::messages).fallback(only_post))
        .route("/v1/models", get(models::list).fallback(only_get))
        .route("/v1/models/{*id}", get(models::retrieve).post(gemini::call).fallback(only_get))
        .route("/v1beta/models", get(models::list).fallback(only_get))
        .route("/v1beta/models/{*id}", get(models::retrieve).post(gemini::call).fallback(only_get))
        .route("/claude/v1/models", get(models::list).fallback(only_get))
        .route("/claude/v1/models/{*id}", get(models::retrieve).fallback(only_get))
        .merge(endpoints::routes())
        .route("/v1", any(unknown))
        .route("/v1/", any(unknown))
        .route("/v1/{*path}", any(unknown))
        .route("/v1beta/{*path}", any(unknown))
        .route("/claude/{*path}", any(unknown))
        .route("/chat/completions", any(elsewhere))
        .route("/completions", any(elsewhere))
        .route("/responses", any(elsewhere))
        .route("/embeddings", any(elsewhere))
        .route("/messages", any(elsewhere))
        .with_state(gateway)
}

/// Answers a request that the listener refused before it came here, in the shape of the client's API.
pub fn refuse(parts: &request::Parts, fault: Fault) -> Response {
    let error = match fault {
        Fault::Host => GatewayError::Malformed(fault.words()),
        Fault::Crowded => GatewayError::Busy("it has as many connections as it can hold"),
    };
    if !is_api(parts.uri.path()) {
        return fault::problem(parts, fault);
    }
    let (format, id) = (format_of(parts), new_id());
    own::identified_to(format, error::response(&error, format, &id), &own::id_header(&id))
}

/// Whether `path` is one that clients of an API ask for.
fn is_api(path: &str) -> bool {
    let first = path.split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    matches!(
        first,
        "v1" | "v1beta"
            | "claude"
            | "api"
            | "chat"
            | "completions"
            | "responses"
            | "embeddings"
            | "messages"
            | "models"
    )
}

/// Serves the same paths, and an error on every other one, for a node that serves nothing else.
pub fn only_router(gateway: Arc<Gateway>, origins: Option<&AllowedOrigins>) -> Router {
    let others = any(elsewhere).with_state(Arc::clone(&gateway));
    let router = routes(gateway).route(CLIENT_DOCUMENT, get(document::document)).fallback_service(others);
    open_to(origins, router)
}

/// `router`, and pages of `origins` may call it.
fn open_to(origins: Option<&AllowedOrigins>, router: Router) -> Router {
    match origins {
        Some(origins) => router.layer(from_fn_with_state(origins.clone(), cors::layer)),
        None => router,
    }
}

#[cfg(test)]
pub(crate) mod tests;
