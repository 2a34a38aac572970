//! What all endpoints beside chat have in common.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{StatusCode, request};
use tokio::time::Instant;
use translation::protocol::Format;

use super::super::{Gateway, chat, failed, identified_to, request_id};
use super::{count, embeddings, json, objects, upload};
use crate::answer::{Answer, Failure};
use crate::attempt::ClientHeaders;
use crate::auth;
use crate::body::collect::Patience;
use crate::body::receive;
use crate::error::{GatewayError, json_response};
use crate::metrics::Api;
use crate::request::Outbound;
use crate::request::json::Asked;
use crate::request::upload::Destination;
use crate::respond::learn::Learn;
use crate::respond::{convert, stream, unary};
use crate::route::plan::Plan;
use crate::route::table::{Client, RouteTable};
use crate::usage::meter::Meter;

/// Names the group that a request without a model goes to.
const GROUP: &str = "x-orchestration-group";

/// What a client asks for.
#[derive(Debug)]
pub(in crate::ingress) enum Wanted {
    /// A JSON body that names a model, passed on.
    Json(Asked<'static>),
    /// A count of tokens.
    Count(Asked<'static>),
    /// Embeddings.
    Embeddings(Asked<'static>),
    /// A multipart body, passed on.
    Upload(Destination),
    /// A list of what a provider keeps.
    Collection,
    /// A batch to be made of a file.
    NewBatch,
    /// What a provider keeps under an id.
    Object,
}

/// What the client gets.
#[derive(Debug)]
pub(super) enum Reply {
    /// A provider's answer.
    Provider {
        /// It.
        answer: Box<Answer>,
        /// Takes note of the ids in it, where further requests will name them.
        learn: Option<Learn>,
        /// A stream is read event by event; otherwise its bytes pass as they come.
        events: bool,
        /// The event that reports usage and nothing else is left out.
        hide_usage: bool,
    },
    /// JSON that the gateway has written.
    Own(Bytes),
}

impl Reply {
    /// A provider's answer, whatever it is.
    pub(super) fn bytes(answer: Answer) -> Self {
        Self::Provider { answer: Box::new(answer), learn: None, events: false, hide_usage: false }
    }
}

/// A request whose client is known.
pub(super) struct Asking<'r> {
    pub(super) gateway: &'r Gateway,
    pub(super) parts: &'r request::Parts,
    pub(super) table: &'r RouteTable,
    pub(super) principal: &'r Client,
    pub(super) client: ClientHeaders<'r>,
    pub(super) format: Format,
    pub(super) deadline: Instant,
}

impl Asking<'_> {
    /// The request's body, which is to be held.
    pub(super) async fn body(&self, body: Body, meter: &mut Meter) -> Result<Bytes, GatewayError> {
        let body = receive::read(&self.parts.headers, body, &self.gateway.limits).await?;
        meter.asked(&body);
        Ok(body)
    }

    /// The group that the client names for a request without a model.
    pub(super) fn pinned(&self) -> Option<&str> {
        self.parts.headers.get(GROUP)?.to_str().ok().map(str::trim).filter(|name| !name.is_empty())
    }

    /// Sends `request` to the candidates of `plan` until one answers.
    pub(super) async fn walk(&self, plan: Plan, request: &dyn Outbound, meter: &mut Meter) -> Result<Answer, Failure> {
        self.gateway.attempts.walk(plan, request, &self.client, meter, self.deadline).await
    }

    /// How long an answer may take.
    pub(super) fn patience(&self, answer: &Answer) -> Patience {
        patience(self.gateway, answer, self.deadline)
    }
}

fn patience(gateway: &Gateway, answer: &Answer, deadline: Instant) -> Patience {
    let first = deadline.min(Instant::now() + answer.candidate.group.group.timeout);
    Patience { first, pause: gateway.limits.stream_idle_timeout, whole: deadline }
}

/// Serves a request of a client of `format`.
pub(in crate::ingress) async fn serve(
    gateway: &Gateway,
    request: Request,
    api: Api,
    format: Format,
    wanted: Wanted,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut meter = Meter::start(&gateway.recorder, api, &parts);
    let id = request_id(&meter);
    if is_free(api, &wanted) {
        meter.costs_nothing();
    }
    let closing = meter.closing();
    let deadline = Instant::from_std(meter.started() + gateway.limits.request_timeout);
    let asked = tokio::select! {
        asked = ask(gateway, &parts, body, format, wanted, &mut meter, deadline) => asked,
        () = closing => Err(GatewayError::Draining.into()),
    };
    let response = match asked {
        Ok(reply) => deliver(gateway, reply, format, meter, deadline).await,
        Err(Failure::Gateway(error)) => failed(&error, format, meter),
        Err(Failure::Provider(said)) => chat::pass_on_error(&said, format, meter),
    };
    identified_to(format, response, &id)
}

/// Whether no tokens are spent on it: a response that is asked for again has been counted when it was made.
fn is_free(api: Api, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Count(_) | Wanted::Collection | Wanted::NewBatch | Wanted::Object => true,
        Wanted::Upload(destination) => !destination.has_model,
        Wanted::Json(_) | Wanted::Embeddings(_) => api == Api::Moderations,
    }
}

async fn ask(
    gateway: &Gateway,
    parts: &request::Parts,
    body: Body,
    format: Format,
    wanted: Wanted,
    meter: &mut Meter,
    deadline: Instant,
) -> Result<Reply, Failure> {
    let (table, body) = receive::or_discard(gateway.config.table().ok_or(GatewayError::NotReady), body).await?;
    meter.snapshot_version = table.snapshot.version;
    let (principal, body) = receive::or_discard(auth::principal(&table, parts, format), body).await?;
    meter.proxy_key = Some(Arc::clone(&principal.key));
    let client = ClientHeaders::new(parts, format);
    if let Some(trace_id) = client.trace_id() {
        meter.trace(trace_id);
    }
    if client.hops() >= chat::MOST_HOPS {
        return Err(GatewayError::Loop.into());
    }
    let asking = Asking { gateway, parts, table: &table, principal, client, format, deadline };
    match wanted {
        Wanted::Json(asked) => json::ask(&asking, asked, body, meter).await,
        Wanted::Count(asked) => count::ask(&asking, asked, body, meter).await,
        Wanted::Embeddings(asked) => embeddings::ask(&asking, asked, body, meter).await,
        Wanted::Upload(destination) => upload::ask(&asking, destination, body, meter).await,
        Wanted::Collection => objects::list(&asking, meter).await,
        Wanted::NewBatch => objects::new_batch(&asking, body, meter).await,
        Wanted::Object => objects::ask(&asking, body, meter).await,
    }
}

async fn deliver(gateway: &Gateway, reply: Reply, format: Format, mut meter: Meter, deadline: Instant) -> Response {
    let (answer, learn, events, hide_usage) = match reply {
        Reply::Provider { answer, learn, events, hide_usage } => (answer, learn, events, hide_usage),
        Reply::Own(body) => {
            meter.first_byte();
            meter.answering(StatusCode::OK);
            meter.response_bytes = body.len() as u64;
            meter.succeeded();
            return json_response(StatusCode::OK, body);
        }
    };
    let patience = patience(gateway, &answer, deadline);
    let is_stream = convert::is_stream(&answer.head.headers);
    meter.streamed |= is_stream;
    let delivered = if is_stream && events {
        stream::respond(*answer, learn, meter, patience, hide_usage, false).await
    } else {
        unary::pass(*answer, learn, meter, patience).await
    };
    delivered.unwrap_or_else(|(error, meter)| failed(&error, format, meter))
}
