//! Asks further models where the one that a request asks for has failed: as the client itself says, and for chat as its
//! proxy key or a group says, too.

use std::sync::Arc;

use bytes::Bytes;
use shared::snapshot::{FallbackOn, Fallbacks};
use tokio::time::Instant;
use translation::ir::{ErrorKind, ProviderError};

use super::admit::Admitted;
use super::sticky;
use crate::answer::{Answer, Failure};
use crate::error::GatewayError;
use crate::limit::estimate::{LONGEST_ANSWER, USUAL_ANSWER, tokens_of};
use crate::request::{ChatRequest, Outbound, Outgoing, Preparation};
use crate::route::candidate::Candidate;
use crate::route::plan::Plan;
use crate::upstream::Upstream;
use crate::usage::meter::Meter;

/// The models that are asked after the one that a request asks for, in their order.
struct Chain {
    models: Vec<Arc<str>>,
    /// The faults of the request itself with which they are asked, too.
    on: Vec<FallbackOn>,
    /// Whether the client names them, so that they are asked where nobody serves the first, too.
    of_client: bool,
}

impl Chain {
    /// The chain for `model` by what the proxy key or a group says.
    fn of(fallbacks: &Fallbacks, model: &str) -> Self {
        let models = fallbacks.models.get(model).cloned().unwrap_or_default();
        Self { models, on: fallbacks.on.clone(), of_client: false }
    }

    /// The chain of `models` that the client names.
    fn of_client(admitted: &Admitted<'_>, models: Vec<Arc<str>>) -> Self {
        Self { models, on: admitted.client.key.routing.fallbacks.on.clone(), of_client: true }
    }

    /// Whether a model behind the first `asked` of the chain is asked where a filter refuses to answer.
    fn answers_refusals(&self, asked: usize, admitted: &Admitted<'_>) -> bool {
        let (table, client) = (admitted.table, admitted.client);
        let served = |model: &Arc<str>| {
            let (routes, name) = table.asked(model, client);
            client.may_use_model(name) && routes.iter().any(|route| client.may_use_group(route.place))
        };
        self.on.contains(&FallbackOn::ContentFilter) && self.models.iter().skip(asked).any(served)
    }
}

/// Hands a request from one model to the next.
pub(super) struct Relay<'a, 'r> {
    admitted: &'a Admitted<'r>,
    /// None where no model is asked but the one that the request asks for.
    chain: Option<Chain>,
    /// How many models of the chain have been asked, or passed over.
    asked: usize,
    /// Why the model failed that the request asks for.
    first: Option<Failure>,
}

impl<'a, 'r> Relay<'a, 'r> {
    fn new(admitted: &'a Admitted<'r>, chain: Option<Chain>) -> Self {
        Self { admitted, chain, asked: 0, first: None }
    }

    /// Hands a request on to `further` models, which the client names itself.
    pub(super) fn to(admitted: &'a Admitted<'r>, further: Vec<Arc<str>>) -> Self {
        Self::new(admitted, (!further.is_empty()).then(|| Chain::of_client(admitted, further)))
    }

    /// Whether a model behind the one that is asked now is asked where a filter refuses to answer.
    fn answers_refusals(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.answers_refusals(self.asked, self.admitted))
    }

    /// The candidates of the next model, where another may help against the `failure` of the one before. Models that
    /// the proxy key may not use are passed over.
    ///
    /// # Errors
    /// Why the model that was asked for failed: no further one is asked.
    pub(super) fn next(&mut self, failure: Failure, meter: &mut Meter) -> Result<Plan<'a>, Failure> {
        let Self { admitted, chain: Some(chain), asked, first } = self else { return Err(failure) };
        if may_help(&failure, chain) && Instant::now() < admitted.deadline {
            while let Some(model) = chain.models.get(*asked) {
                *asked += 1;
                let Ok(plan) = Plan::asked(admitted.table, admitted.client, model) else { continue };
                meter.served_model = Some(model.to_string());
                first.get_or_insert(failure);
                return Ok(plan);
            }
        }
        meter.served_model = None;
        admitted.note_way(meter);
        Err(first.take().unwrap_or(failure))
    }
}

/// A request of which a refusal of the provider's filter is no answer, whatever its status: another model is asked.
struct Refusable<'r, 'b>(&'r ChatRequest<'b>);

impl Outbound for Refusable<'_, '_> {
    fn prepare<'p>(
        &'p self,
        candidate: &'p Candidate,
        upstream: &'p Upstream,
        until: Instant,
    ) -> Option<Preparation<'p>> {
        self.0.prepare(candidate, upstream, until)
    }

    fn write(&self, candidate: &Candidate) -> Result<Outgoing, GatewayError> {
        Ok(Outgoing { refusable: true, ..self.0.write(candidate)? })
    }
}

/// Sends `request`, whose body is `body`, to the candidates of the model that it asks for, and behind those to the
/// candidates of each model that is asked after it, until one answers: `further`, which the client names itself, or
/// else those that its proxy key or a group names. Models that the proxy key may not use are passed over.
///
/// # Errors
/// Why the model that was asked for failed.
pub(super) async fn walk(
    admitted: &Admitted<'_>,
    request: &ChatRequest<'_>,
    further: Vec<Arc<str>>,
    body: &Bytes,
    meter: &mut Meter,
) -> Result<Answer, Failure> {
    let (table, client) = (admitted.table, admitted.client);
    let plan = Plan::asked(table, client, &request.model);
    let chain = if further.is_empty() {
        let named = plan.as_ref().ok().and_then(|plan| plan.fallbacks(&request.model));
        named.map(|fallbacks| Chain::of(fallbacks, &request.model))
    } else {
        Some(Chain::of_client(admitted, further))
    };
    let mut relay = Relay::new(admitted, chain);
    let mut plan = plan.map_err(Failure::from);
    loop {
        let walked = match plan {
            Ok(plan) => walk_one(admitted, plan, (request, relay.answers_refusals()), body, meter).await,
            Err(failure) => Err(failure),
        };
        match walked {
            Ok(answer) => return Ok(answer),
            Err(failure) => plan = Ok(relay.next(failure, meter)?),
        }
    }
}

/// Sends `request` to the candidates of `plan`. Where it is `refusable`, a refusal of a filter is a failure.
async fn walk_one(
    admitted: &Admitted<'_>,
    plan: Plan<'_>,
    (request, refusable): (&ChatRequest<'_>, bool),
    body: &Bytes,
    meter: &mut Meter,
) -> Result<Answer, Failure> {
    let plan = plan.wanted(&admitted.hints())?;
    let needs = request.needs(&plan.bounds());
    let plan = plan.needing(needs, &request.model)?.or_none_left(&request.model)?;
    let mut plan = plan.weighing_if_limited(|| {
        tokens_of(body) + request.longest_answer().map_or(USUAL_ANSWER, |most| most.min(LONGEST_ANSWER))
    });
    if plan.keeps_sessions() && plan.has_choice() {
        plan = plan.of_session(request.session(&admitted.client.key.id, &admitted.parts.headers));
    }
    sticky::follow(admitted, &mut plan, body, meter).await;
    if refusable {
        return admitted.walk(plan, &Refusable(request), meter).await;
    }
    admitted.walk(plan, request, meter).await
}

/// Whether another model may answer where one has failed like this. The client's own fault stays its fault, but for
/// what the chain is asked on.
fn may_help(failure: &Failure, chain: &Chain) -> bool {
    let on = &chain.on;
    match failure {
        Failure::Gateway(error) => match error {
            GatewayError::ModelNotFound { .. } | GatewayError::NoGroup { .. } => chain.of_client,
            GatewayError::TooLong { .. } => on.contains(&FallbackOn::ContextLength),
            // Nobody was asked, and it is no fault of the request: another model may be able.
            GatewayError::Unable { .. }
            | GatewayError::NoUpstream { .. }
            | GatewayError::AllOut { .. }
            | GatewayError::Limited(_)
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
