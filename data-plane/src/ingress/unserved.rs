//! Requests that have reached no route of an API, or a route that does not take their method.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::request;
use shared::ids::new_id;
use translation::Format;

use super::gateway::Gateway;
use crate::auth;
use crate::body::receive;
use crate::error::GatewayError;
use crate::metrics::Api;
use crate::respond::{error, own};
use crate::usage::meter::Meter;

/// The format of a client whose request has no route, or a path that several APIs share. The path decides, and then the
/// place of the credential (`docs/TRANSLATION.md` section 12).
pub(super) fn format_of(parts: &request::Parts) -> Format {
    let path = parts.uri.path();
    if path.starts_with("/v1beta") || auth::is_geminis(parts) {
        Format::GeminiGenerate
    } else if path.starts_with("/claude")
        || path.starts_with("/v1/messages")
        || parts.headers.contains_key("anthropic-version")
    {
        Format::AnthropicMessages
    } else {
        Format::OpenAiChat
    }
}

/// Answers a request that belongs to no API. It leaves no usage record, so that whoever scans a node does not fill the
/// ledger.
pub(super) async fn elsewhere(request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let id = new_id();
    let (parts, _body) = request.into_parts();
    let response = error::response(&GatewayError::UnknownRoute { method, path }, format_of(&parts), &id);
    own::identified(response, &own::id_header(&id))
}

/// Answers a request to a path below that of an API.
pub(super) async fn unknown(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    no_route(&gateway, &parts, body, format_of(&parts)).await
}

/// Answers a client of `format` that its API has no such route here.
pub(super) async fn no_route(gateway: &Gateway, parts: &request::Parts, body: Body, format: Format) -> Response {
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    refuse(gateway, parts, body, format, &GatewayError::UnknownRoute { method, path }).await
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
