//! Asks further models where the one that a chat request asks for has failed, as the proxy key or a group says.

use bytes::Bytes;
use shared::snapshot::FallbackOn;
use tokio::time::Instant;
use translation::ir::{ErrorKind, ProviderError};

use super::admit::Admitted;
use super::sticky;
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::request::ChatRequest;
use crate::route::plan::Plan;
use crate::usage::meter::Meter;

/// Sends `request`, whose body is `body`, to the candidates of the model that it asks for, and behind those to the
/// candidates of each model that is asked after it, until one answers. Models that the proxy key may not use are passed
/// over.
///
/// # Errors
/// Why the model that was asked for failed.
pub(super) async fn walk(
    admitted: &Admitted<'_>,
    request: &ChatRequest<'_>,
    body: &Bytes,
    meter: &mut Meter,
) -> Result<Answer, Failure> {
    let (table, client) = (admitted.table, admitted.client);
    let plan = Plan::asked(table, client, &request.model)?;
    let fallbacks = plan.fallbacks(&request.model).cloned();
    let mut failure = match walk_one(admitted, plan, request, body, meter).await {
        Ok(answer) => return Ok(answer),
        Err(failure) => failure,
    };
    let Some(fallbacks) = fallbacks else { return Err(failure) };
    let mut first = None;
    for model in fallbacks.models.get(&*request.model).into_iter().flatten() {
        if !may_help(&failure, &fallbacks.on) || Instant::now() >= admitted.deadline {
            break;
        }
        let Ok(plan) = Plan::asked(table, client, model) else { continue };
        meter.served_model = Some(model.to_string());
        match walk_one(admitted, plan, request, body, meter).await {
            Ok(answer) => return Ok(answer),
            Err(next) => drop(first.get_or_insert(std::mem::replace(&mut failure, next))),
        }
    }
    meter.served_model = None;
    admitted.note_way(meter);
    Err(first.unwrap_or(failure))
}

/// Sends `request` to the candidates of `plan`.
async fn walk_one(
    admitted: &Admitted<'_>,
    plan: Plan<'_>,
    request: &ChatRequest<'_>,
    body: &Bytes,
    meter: &mut Meter,
) -> Result<Answer, Failure> {
    let mut plan = plan.wanted(&admitted.hints())?.or_none_left(&request.model)?;
    if plan.keeps_sessions() && plan.has_choice() {
        plan = plan.of_session(request.session(&admitted.client.key.id, &admitted.parts.headers));
    }
    sticky::follow(admitted, &mut plan, body, meter).await;
    admitted.walk(plan, request, meter).await
}

/// Whether another model may answer where one has failed like this. The client's own fault stays its fault, but for
/// what the operator says `on`.
fn may_help(failure: &Failure, on: &[FallbackOn]) -> bool {
    match failure {
        Failure::Gateway(error) => match error {
            GatewayError::NoUpstream { .. }
            | GatewayError::Failing
            | GatewayError::Connect(_)
            | GatewayError::Timeout
            | GatewayError::Cut
            | GatewayError::Credentials { .. }
            | GatewayError::Token(_)
            | GatewayError::Unusable(_) => true,
            GatewayError::Provider(said) => may_help_with(said, on),
            _ => false,
        },
        Failure::Provider(said) => may_help_with(&said.error, on),
    }
}

fn may_help_with(error: &ProviderError, on: &[FallbackOn]) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    match error.kind {
        ErrorKind::RateLimited
        | ErrorKind::Quota
        | ErrorKind::Overloaded
        | ErrorKind::Timeout
        | ErrorKind::UpstreamAuthentication
        | ErrorKind::Server => true,
        ErrorKind::NotFound => code == "model_not_found",
        _ => match code {
            "context_length_exceeded" => on.contains(&FallbackOn::ContextLength),
            "content_policy_violation" | "content_filter" => on.contains(&FallbackOn::ContentFilter),
            _ => false,
        },
    }
}
