//! `POST /v1/chat/completions` (OpenAI API reference, "Create chat completion").

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, request};
use tokio::time::Instant;

use super::{Gateway, body, failed, identified, request_id};
use crate::attempt::{Answer, ClientHeaders, Failure, ProviderAnswer};
use crate::auth;
use crate::error::{self, GatewayError};
use crate::metrics::Api;
use crate::protocol::openai_chat::answer::provider_error;
use crate::protocol::openai_chat::request::ChatRequest;
use crate::respond::collect::Patience;
use crate::respond::{headers, redact, stream, unary};
use crate::route::plan::{Plan, Skipped};
use crate::usage::meter::Meter;

/// How the answer is to be written on.
struct Delivery {
    hide_usage: bool,
    deadline: Instant,
}

pub(super) async fn create(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut meter = Meter::start(&gateway.recorder, Api::OpenAiChat, &parts);
    let id = request_id(&meter);
    let closing = meter.closing();
    let asked = tokio::select! {
        asked = ask(&gateway, &parts, body, &mut meter) => asked,
        () = closing => Err(GatewayError::Draining.into()),
    };
    let response = match asked {
        Ok((answer, delivery)) => deliver(&gateway, answer, &delivery, meter).await,
        Err(Failure::Gateway(error)) => failed(&error, meter),
        Err(Failure::Provider(said)) => pass_on_error(&said, meter),
    };
    identified(response, &id)
}

/// From the client's request to the head of a provider's answer.
async fn ask(
    gateway: &Gateway,
    parts: &request::Parts,
    body: Body,
    meter: &mut Meter,
) -> Result<(Answer, Delivery), Failure> {
    let table = gateway.config.table().ok_or(GatewayError::NotReady)?;
    meter.snapshot_version = table.snapshot.version;
    let principal = auth::principal(&table, &parts.headers)?;
    meter.proxy_key = Some(Arc::clone(&principal.key));

    let body = body::read(&parts.headers, body, &gateway.limits).await?;
    meter.request_bytes = body.len() as u64;
    let request = ChatRequest::read(&body)?;
    meter.model = Some(request.model.to_string());
    meter.streamed = request.stream;
    meter.has_tools = request.has_tools;

    let client = ClientHeaders::new(parts, request.stream);
    if let Some(trace_id) = client.trace_id() {
        meter.trace(trace_id);
    }
    let unknown_model = || GatewayError::ModelNotFound { model: request.model.to_string() };
    if !principal.may_use_model(&request.model) {
        return Err(unknown_model().into());
    }
    let plan = Plan::make(&table, principal, &request.model);
    if plan.candidates.is_empty() {
        let hidden = plan.skipped.iter().all(Skipped::is_hidden);
        let reason = plan.skipped.into_iter().find(|skipped| !skipped.is_hidden()).map(|skipped| skipped.to_string());
        return Err(match reason {
            Some(reason) if !hidden => GatewayError::NoUpstream { model: request.model.to_string(), reason }.into(),
            _ => unknown_model().into(),
        });
    }
    let deadline = Instant::from_std(meter.started() + gateway.limits.request_timeout);
    let answer = gateway.attempts.walk(plan, &request, &client, meter, deadline).await?;
    Ok((answer, Delivery { hide_usage: request.stream && !request.include_usage, deadline }))
}

async fn deliver(gateway: &Gateway, answer: Answer, delivery: &Delivery, meter: Meter) -> Response {
    let first = delivery.deadline.min(Instant::now() + answer.candidate.group.group.timeout);
    let patience = Patience { first, pause: gateway.limits.stream_idle_timeout, whole: delivery.deadline };
    let delivered = if is_stream(&answer.head.headers) {
        stream::respond(answer, meter, patience, delivery.hide_usage).await
    } else {
        unary::respond(answer, meter, patience).await
    };
    delivered.unwrap_or_else(|(error, meter)| failed(&error, meter))
}

fn is_stream(headers: &HeaderMap) -> bool {
    const STREAM: &[u8] = b"text/event-stream";
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    value.get(..STREAM.len()).is_some_and(|start| start.eq_ignore_ascii_case(STREAM))
}

/// The provider's own status and words. A body that is not an error document of this API becomes one.
fn pass_on_error(said: &ProviderAnswer, mut meter: Meter) -> Response {
    let key = &said.candidate.key;
    let provider = provider_error(&said.body);
    let mut message = redact::redact_text(key, provider.message);
    if message.is_empty() {
        message = format!("the provider answered HTTP {} without an error message", said.status.as_u16());
    }
    let body = if provider.well_formed { redact::redact(key, said.body.clone()) } else { document(said, &message) };
    meter.first_byte();
    meter.answering(said.status);
    meter.provider_failed(&message);
    meter.response_bytes = body.len() as u64;
    let mut response = error::json_response(said.status, body);
    let mut forwarded = HeaderMap::new();
    headers::forward(&said.headers, &mut forwarded, key);
    forwarded.remove(CONTENT_TYPE);
    response.headers_mut().extend(forwarded);
    response
}

fn document(said: &ProviderAnswer, message: &str) -> Bytes {
    let kind = if said.status.is_client_error() { "invalid_request_error" } else { "server_error" };
    error::document(message, kind, None, Some("upstream_error"))
}
