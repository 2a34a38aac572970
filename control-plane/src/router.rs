//! All routes, and what every answer has in common: a request id, a log line, security headers, and an answer for paths
//! that are not there.

mod metrics;

use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{MethodRouter, any, get};
use shared::ids::new_id;
use tracing::{Instrument as _, field, info, info_span};

use crate::admin::openapi;
use crate::error::ApiError;
use crate::state::{AppState, VERSION};
use crate::web::extract::client_address;

pub(crate) use metrics::AdminMetrics;

const REQUEST_ID: &str = "x-request-id";

/// The content security policy of answers that are not pages: nothing may be loaded or run.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The content security policy of the page at `/`, which has its style inline.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// All routes of the control plane's HTTP listener, apart from the probes.
pub(crate) fn router(state: AppState, metrics: &AdminMetrics) -> Router {
    let (documented, document) = openapi::documented();
    documented
        .merge(openapi::router(&document))
        .route("/", get(page))
        .route("/admin/{*rest}", any(not_found))
        .route("/auth/{*rest}", any(not_found))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn(careful))
        .layer(from_fn_with_state(metrics.clone(), logged))
        .with_state(state)
}

/// The service for paths that nothing else is served under. It is for `Router::fallback_service`, once all routers are
/// merged.
pub(crate) fn fallback(metrics: &AdminMetrics) -> MethodRouter {
    any(not_found).layer(from_fn(careful)).layer(from_fn_with_state(metrics.clone(), logged))
}

async fn not_found() -> Response {
    ApiError::NotFound("the path was").into_response()
}

/// Gives the request an id, counts it, and writes one log line about it. The line never holds a body, a query or a
/// secret.
async fn logged(State(metrics): State<AdminMetrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = new_id();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let client_ip = client_address(request.extensions()).map(|address| address.to_string()).unwrap_or_default();
    let span = info_span!(parent: None, "request", request_id, user = field::Empty);
    async move {
        let mut response = next.run(request).await;
        metrics.answered(&method, route.as_ref().map(MatchedPath::as_str), response.status(), started.elapsed());
        let status = response.status().as_u16();
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(%method, path, status, duration_ms, client_ip, "request");
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// Adds headers that keep a browser from guessing media types, framing the page, and telling others where it was. A
/// handler that needs another policy sets its own.
async fn careful(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    response
}

async fn page() -> Response {
    let html = include_str!("router/page.html").replace("{version}", VERSION);
    ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(html)).into_response()
}

#[cfg(test)]
mod tests;
