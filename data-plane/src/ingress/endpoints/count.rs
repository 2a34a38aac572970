//! Counts the tokens of a request: Anthropic's `/v1/messages/count_tokens`, Gemini's `:countTokens`, OpenAI's
//! `/v1/responses/input_tokens`. Where no provider that serves the model speaks the client's format, the count is an
//! estimate.

use axum::body::Body;
use bytes::Bytes;
use translation::Format;

use super::reply::Reply;
use crate::answer::Failure;
use crate::error::GatewayError;
use crate::ingress::admit::Admitted;
use crate::ingress::fallbacks::Relay;
use crate::ingress::further::Further;
use crate::request::json::{JsonEndpoint, JsonRequest};
use crate::request::{Outbound, Outgoing, Proof};
use crate::route::candidate::Candidate;
use crate::route::plan::Plan;
use crate::usage::estimate::request::tokens_of_request;
use crate::usage::meter::Meter;
use shared::verdict;

pub(super) async fn ask(
    admitted: &Admitted<'_>,
    asked: JsonEndpoint<'static>,
    body: Body,
    meter: &mut Meter,
) -> Result<Reply, Failure> {
    let body = admitted.body(body, meter).await?;
    let Further { body, models: further } = Further::of(admitted, body, asked.model.as_deref())?;
    let request = JsonRequest::read(asked, &body)?;
    meter.model = Some(request.model.to_string());
    admitted.may_name(request.names_further_models)?;
    admitted.reserve(&request.model, &[], Some(0), meter).await?;
    let mut relay = Relay::to(admitted, further);
    let mut plan = Plan::asked(admitted.table, admitted.client, &request.model);
    loop {
        let counted = match admitted.narrowed(plan, &request.model) {
            Ok(plan) => admitted.walk(plan, &Free(&request), meter).await,
            Err(unserved) => Err(unserved.into()),
        };
        match counted {
            Ok(answer) => return Ok(Reply::bytes(answer, None)),
            Err(failure) if counts_nothing(&failure) => break,
            Err(failure) => plan = Ok(relay.next(failure, meter)?),
        }
    }
    drop(request);
    Ok(Reply::Own(estimate(admitted.format, body).await?))
}

/// A request that costs nothing: its success says nothing of the money and the limits of a key.
struct Free<'r, 'b>(&'r JsonRequest<'b>);

impl Outbound for Free<'_, '_> {
    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        Ok(Outgoing { proves: Proof::Nothing, ..self.0.write(candidate)? })
    }
}

/// Whether no provider could be asked, or the one that was asked has no such endpoint.
fn counts_nothing(failure: &Failure) -> bool {
    match failure {
        Failure::Gateway(error) => matches!(error, GatewayError::NoEndpoint { .. }),
        Failure::Provider(said) => verdict::has_no_endpoint(said.status, &said.body),
    }
}

async fn estimate(format: Format, body: Bytes) -> Result<Bytes, GatewayError> {
    let tokens = counted(body).await?;
    Ok(format.protocol().encode_count(tokens).into())
}

/// Estimates how many tokens a request holds. Counting takes some milliseconds, and longer at the first time, so it is
/// done on a thread that serves no other requests.
///
/// # Errors
/// [`GatewayError::Internal`] when counting panics.
pub(super) async fn counted(body: Bytes) -> Result<u64, GatewayError> {
    #[expect(clippy::disallowed_methods, reason = "the request waits for it, and it is bounded")]
    let counted = tokio::task::spawn_blocking(move || tokens_of_request(&body)).await;
    counted.map_err(|_| GatewayError::Internal("counting tokens failed"))
}
