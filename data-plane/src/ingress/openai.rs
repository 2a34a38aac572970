//! OpenAI's chat APIs: chat completions and responses.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use translation::Format;

use super::chat;
use super::gateway::Gateway;
use crate::metrics::Api;
use crate::request::Spoken;

/// `POST /v1/chat/completions` (OpenAI API reference, "Create chat completion").
pub(super) async fn chat(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    chat::create(&gateway, request, Api::OpenAiChat, Format::OpenAiChat, Spoken::default()).await
}

/// `POST /v1/responses` (OpenAI API reference, "Create a model response").
pub(super) async fn responses(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    chat::create(&gateway, request, Api::OpenAiResponses, Format::OpenAiResponses, Spoken::default()).await
}
