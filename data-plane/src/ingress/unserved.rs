//! Requests that have reached no route of an API, or a route that does not take their method.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use http::request;
use shared::ids::new_id;
use tower::ServiceExt as _;
use translation::Format;

use super::cors::{self, AllowedOrigins};
use super::gateway::Gateway;
use super::near::{self, format_of};
use crate::body::receive;
use crate::error::GatewayError;
use crate::metrics::{Api, Unauthenticated};
use crate::respond::{error, own};
use crate::usage::meter::Meter;

/// Answers a request that belongs to no API. It is counted, and leaves neither a usage record nor a line in the log, so
/// that whoever scans a node fills neither.
pub(super) async fn elsewhere(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    gateway.recorder.metrics.unauthenticated(Unauthenticated::UnknownUrl);
    let id = new_id();
    let (parts, _body) = request.into_parts();
    let format = format_of(&parts);
    let response = error::response(&unknown_route(&parts, format), format, &id);
    own::identified_to(format, response, &own::id_header(&id))
}

/// The error of a request of a client of `format` that has no route.
pub(super) fn unknown_route(parts: &request::Parts, format: Format) -> GatewayError {
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    GatewayError::UnknownRoute { method, path, advice: near::advice(parts, format) }
}

/// Serves paths that have no route, in a process that serves other things too: those that are nearly of an API are
/// answered in the shape of that API, and `others` answers for the rest.
pub fn fallback(gateway: Arc<Gateway>, others: MethodRouter, origins: Option<&AllowedOrigins>) -> MethodRouter {
    let nearly = any(elsewhere).with_state(gateway);
    let nearly = match origins {
        Some(origins) => nearly.layer(from_fn_with_state(origins.clone(), cors::layer)),
        None => nearly,
    };
    any(move |request: Request| {
        let router = if near::is_near(request.uri().path()) { nearly.clone() } else { others.clone() };
        async move { router.oneshot(request).await.unwrap_or_else(|never| match never {}) }
    })
}

/// Answers a request to a path below that of an API.
pub(super) async fn unknown(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    no_route(&gateway, &parts, body, format_of(&parts)).await
}

/// Answers a client of `format` that its API has no such route here.
pub(super) async fn no_route(gateway: &Gateway, parts: &request::Parts, body: Body, format: Format) -> Response {
    refuse(gateway, parts, body, format, &unknown_route(parts, format)).await
}

/// Answers a method other than POST.
pub(super) async fn only_post(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "POST").await
}

/// Answers a method other than GET.
pub(super) async fn only_get(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "GET, HEAD").await
}

/// Answers a method other than those `allowed`.
pub(super) async fn wrong_method(gateway: &Gateway, request: Request, allowed: &'static str) -> Response {
    let (parts, body) = request.into_parts();
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let error = GatewayError::Method { method, path, allowed };
    refuse(gateway, &parts, body, format_of(&parts), &error).await
}

async fn refuse(
    gateway: &Gateway,
    parts: &request::Parts,
    body: Body,
    format: Format,
    error: &GatewayError,
) -> Response {
    receive::discard(body).await;
    let meter = Meter::start(&gateway.recorder, Api::Unknown, parts);
    let id = own::id_header(meter.request_id());
    own::identified_to(format, error::refused(error, format, meter), &id)
}
