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
use crate::request::json::{JsonEndpoint, JsonRequest};
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
    let request = JsonRequest::read(asked, &body)?;
    meter.model = Some(request.model.to_string());
    let plan = Plan::serving(admitted.table, admitted.client, &request.model)?;
    match admitted.walk(plan, &request, meter).await {
        Ok(answer) => Ok(Reply::bytes(answer, None)),
        Err(failure) if counts_nothing(&failure) => Ok(Reply::Own(estimate(admitted.format, body).await?)),
        Err(failure) => Err(failure),
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
