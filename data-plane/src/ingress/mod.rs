//! One file for each API that clients speak.

mod chat;
mod gemini;
mod models;
mod other;
mod sticky;

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use http::{HeaderValue, request};
use shared::ids::new_id;
use shared::pb;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;
use translation::protocol::Format;

use crate::attempt::Attempts;
use crate::auth;
use crate::body::receive;
use crate::control::state::ConfigState;
use crate::conversations::Conversations;
use crate::error::GatewayError;
use crate::limits::Limits;
use crate::media::MediaFetcher;
use crate::metrics::{Api, RequestMetrics};
use crate::node::Node;
use crate::route::owners::Owners;
use crate::signatures::Signatures;
use crate::upstream::Upstream;
use crate::usage::UsageSink;
use crate::usage::meter::{Meter, Recorder};

/// What every request needs.
#[derive(Debug)]
pub struct Gateway {
    config: ConfigState,
    recorder: Arc<Recorder>,
    limits: Limits,
    attempts: Attempts,
    owners: Arc<Owners>,
    signatures: Arc<Signatures>,
    conversations: Arc<Conversations>,
    media: MediaFetcher,
}

impl Gateway {
    /// Serves from `config`, gives usage records to `usage`, and what it learns about upstream keys to `key_states`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(
        config: ConfigState,
        usage: UsageSink,
        node: Arc<Node>,
        limits: Limits,
        key_states: mpsc::Sender<pb::KeyState>,
        metrics: &Metrics,
    ) -> Result<Arc<Self>> {
        let metrics = RequestMetrics::register(metrics, &node);
        Ok(Arc::new(Self {
            config,
            recorder: Arc::new(Recorder { sink: usage, node, metrics }),
            media: MediaFetcher::new(limits.media),
            limits,
            attempts: Attempts::new(Upstream::new()?, key_states),
            owners: Arc::default(),
            signatures: Arc::default(),
            conversations: Arc::default(),
        }))
    }
}

/// `/v1/*`, `/v1beta/*` and `/claude/v1/*`, and an error that helps for clients whose base URL lacks its version.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(chat::openai_chat).fallback(only_post))
        .route("/v1/responses", post(chat::openai_responses).fallback(only_post))
        .route("/v1/messages", post(chat::anthropic_messages).fallback(only_post))
        .route("/claude/v1/messages", post(chat::anthropic_messages).fallback(only_post))
        .route("/v1/models", get(models::list).fallback(only_get))
        .route("/v1/models/{*id}", get(models::retrieve).post(gemini::call).fallback(only_get))
        .route("/v1beta/models", get(models::list).fallback(only_get))
        .route("/v1beta/models/{*id}", get(models::retrieve).post(gemini::call).fallback(only_get))
        .route("/claude/v1/models", get(models::list).fallback(only_get))
        .route("/claude/v1/models/{*id}", get(models::retrieve).fallback(only_get))
        .merge(other::routes())
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

/// The same, and an error for every other path: for a node that serves nothing else.
pub fn only_router(gateway: Arc<Gateway>) -> Router {
    router(gateway).fallback(elsewhere)
}

/// Which API a request is of that has reached no route of one: by its path, and where APIs share paths by the place of
/// its credential (`docs/TRANSLATION.md` section 12).
fn format_of(parts: &request::Parts) -> Format {
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

/// No request to an API, so it leaves no usage record: whoever scans a node does not fill the ledger.
async fn elsewhere(request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let id = new_id();
    let header = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("-"));
    let (parts, _body) = request.into_parts();
    identified(GatewayError::UnknownRoute { method, path }.response(format_of(&parts), &id), &header)
}

async fn unknown(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let (parts, body) = request.into_parts();
    let format = format_of(&parts);
    refuse(&gateway, Request::from_parts(parts, body), format, &GatewayError::UnknownRoute { method, path }).await
}

async fn only_post(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "POST").await
}

async fn only_get(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    wrong_method(&gateway, request, "GET, HEAD").await
}

async fn wrong_method(gateway: &Gateway, request: Request, allowed: &'static str) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let (parts, body) = request.into_parts();
    let format = format_of(&parts);
    refuse(gateway, Request::from_parts(parts, body), format, &GatewayError::Method { method, path, allowed }).await
}

async fn refuse(gateway: &Gateway, request: Request, format: Format, error: &GatewayError) -> Response {
    let (parts, body) = request.into_parts();
    receive::discard(body).await;
    let meter = Meter::start(&gateway.recorder, Api::Unknown, &parts);
    failed(error, format, meter)
}

/// Answers a client of `format` with an error of the gateway's.
fn failed(error: &GatewayError, format: Format, mut meter: Meter) -> Response {
    meter.failed(error);
    let response = error.response(format, meter.request_id());
    // Formats have statuses of their own for some errors.
    meter.answering(response.status());
    identified_to(format, response, &request_id(&meter))
}

/// The header value that names the request.
fn request_id(meter: &Meter) -> HeaderValue {
    HeaderValue::from_str(meter.request_id()).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// `response` with the id where a client of `format` looks for it: Anthropic's packages read `request-id` (Claude API
/// documentation, "Errors").
fn identified_to(format: Format, mut response: Response, id: &HeaderValue) -> Response {
    if format == Format::AnthropicMessages {
        response.headers_mut().insert("request-id", id.clone());
    }
    identified(response, id)
}

/// `response` with its `x-request-id`.
fn identified(mut response: Response, id: &HeaderValue) -> Response {
    response.headers_mut().insert("x-request-id", id.clone());
    response.into_response()
}

#[cfg(test)]
mod tests;
