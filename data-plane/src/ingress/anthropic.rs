//! Anthropic's API: messages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use translation::Format;

use super::gateway::Gateway;
use super::{chat, query};
use crate::metrics::Api;
use crate::request::Spoken;

/// `POST /v1/messages` (Anthropic API reference, "Create a Message").
pub(super) async fn messages(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let spoken = Spoken { beta: query::has(request.uri(), "beta", "true"), ..Spoken::default() };
    chat::create(&gateway, request, Api::AnthropicMessages, Format::AnthropicMessages, spoken).await
}
