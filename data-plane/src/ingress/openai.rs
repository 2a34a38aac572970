//! OpenAI's chat APIs: chat completions and responses.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::header::UPGRADE;
use shared::ids::new_id;
use translation::Format;

use super::chat;
use super::gateway::Gateway;
use super::unserved::wrong_method;
use crate::error::GatewayError;
use crate::metrics::Api;
use crate::request::Spoken;
use crate::respond::{error, own};

/// `POST /v1/chat/completions` (OpenAI API reference, "Create chat completion").
pub(super) async fn chat(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    chat::create(&gateway, request, Api::OpenAiChat, Format::OpenAiChat, Spoken::default()).await
}

/// `POST /v1/responses` (OpenAI API reference, "Create a model response").
pub(super) async fn responses(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    chat::create(&gateway, request, Api::OpenAiResponses, Format::OpenAiResponses, Spoken::default()).await
}

/// `GET /v1/responses`: Codex asks for a WebSocket first, and goes on with POST when it is told at once that there is
/// none. The answer does not depend on who asks, and leaves no usage record.
pub(super) async fn no_websocket(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let upgrade = request.headers().get(UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !upgrade.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket")) {
        return wrong_method(&gateway, request, "POST").await;
    }
    let id = new_id();
    let response = error::response(&GatewayError::WebSocket, Format::OpenAiResponses, &id);
    own::identified(response, &own::id_header(&id))
}
