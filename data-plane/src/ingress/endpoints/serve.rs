//! Serves a request to any endpoint beside chat.

use std::pin::pin;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use translation::Format;

use super::reply::Reply;
use super::{count, embeddings, json, objects, upload};
use crate::answer::Failure;
use crate::ingress::admit::{Arrival, unless_closing};
use crate::ingress::gateway::Gateway;
use crate::metrics::Api;
use crate::request::json::JsonEndpoint;
use crate::request::upload::Destination;
use crate::respond::headers::name_dropped;
use crate::respond::stream::UsageEvent;
use crate::respond::{error, own, replay, stream, unary};
use crate::usage::meter::Meter;

/// What a client asks for.
#[derive(Debug)]
pub(in crate::ingress) enum Wanted {
    /// A JSON body that names a model, passed on.
    Json(JsonEndpoint<'static>),
    /// A count of tokens.
    Count(JsonEndpoint<'static>),
    /// Embeddings.
    Embeddings(JsonEndpoint<'static>),
    /// A multipart body, passed on.
    Upload(Destination),
    /// A list of what a provider keeps.
    Collection,
    /// A new batch, whose requests stand in a file.
    NewBatch,
    /// What a provider keeps under an id.
    Object,
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
    let (arrival, mut meter) = Arrival::new(gateway, parts, api, format);
    if is_free(api, &wanted) {
        meter.costs_nothing();
    }
    let closing = meter.closing();
    let asked = unless_closing(closing, pin!(ask(&arrival, body, wanted, &mut meter))).await;
    meter.let_go(0);
    let response = match asked {
        Ok(Reply::Provider { mut answer, learn, events, hide_usage }) => {
            let patience = arrival.patience(&answer);
            let streams = answer.streams();
            let dropped = std::mem::take(&mut answer.dropped);
            meter.streamed |= streams;
            let usage = if hide_usage { UsageEvent::Hidden } else { UsageEvent::Passes };
            let delivered = if streams && events {
                Ok(stream::respond(*answer, learn, meter, patience, usage, false))
            } else {
                unary::pass(*answer, learn, meter, patience).await
            };
            let mut response = delivered.unwrap_or_else(|(error, meter)| error::refused(&error, format, meter));
            name_dropped(&mut response, &dropped);
            response
        }
        Ok(Reply::InBase64(answer)) => {
            let patience = arrival.patience(&answer);
            let delivered = unary::pass_in_base64(*answer, meter, patience).await;
            delivered.unwrap_or_else(|(error, meter)| error::refused(&error, format, meter))
        }
        Ok(Reply::Own(body)) => own::answered(body, meter),
        Ok(Reply::Kept(kept)) => replay::respond(kept.headers.clone(), kept.body.clone(), kept.streams, meter),
        Err(failure) => error::failed(&failure, format, meter),
    };
    arrival.identify(response)
}

/// Whether no tokens are spent on what is `wanted`. A response that is asked for again was counted when it was made.
fn is_free(api: Api, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Count(_) | Wanted::Collection | Wanted::NewBatch | Wanted::Object => true,
        Wanted::Upload(destination) => !destination.has_model,
        Wanted::Json(_) | Wanted::Embeddings(_) => api == Api::Moderations,
    }
}

/// Goes from the client's request to what the client gets.
async fn ask(arrival: &Arrival<'_>, body: Body, wanted: Wanted, meter: &mut Meter) -> Result<Reply, Failure> {
    let (admitted, body) = arrival.admit_with(body, meter).await?;
    admitted.trace(meter)?;
    match wanted {
        Wanted::Json(asked) => json::ask(&admitted, asked, body, meter).await,
        Wanted::Count(asked) => count::ask(&admitted, asked, body, meter).await,
        Wanted::Embeddings(asked) => embeddings::ask(&admitted, asked, body, meter).await,
        Wanted::Upload(destination) => upload::ask(&admitted, destination, body, meter).await,
        Wanted::Collection => objects::list(&admitted, meter).await,
        Wanted::NewBatch => objects::new_batch(&admitted, body, meter).await,
        Wanted::Object => objects::ask(&admitted, body, meter).await,
    }
}
