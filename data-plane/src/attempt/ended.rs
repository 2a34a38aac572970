//! How an attempt ended that brought no answer.

use bytes::Bytes;
use http::StatusCode;
use shared::verdict::Step;
use translation::ir::{ErrorKind, ProviderError};
use translation::optional;

use crate::answer::{Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::request::Added;
use crate::route::candidate::Candidate;

/// The status by which a provider says that it is overloaded (Anthropic), with whatever key.
pub(super) const OVERLOADED: u16 = 529;

/// Why there is no answer, and what is to be done next.
#[derive(Debug)]
pub(super) struct Ended {
    /// What is to be done next.
    pub(super) step: Step,
    /// What the client gets if nothing else is tried.
    pub(super) failure: Failure,
    /// Whether the provider has refused what the gateway added, and may be asked again without.
    pub(super) again: bool,
    /// Whether nothing was sent, because too much has failed there of late.
    pub(super) spared: bool,
    /// Whether the provider may have carried out the request all the same.
    pub(super) may_be_done: bool,
}

impl Ended {
    pub(super) fn new(step: Step, failure: impl Into<Failure>) -> Self {
        Self { step, failure: failure.into(), again: false, spared: false, may_be_done: false }
    }

    pub(super) fn next(error: GatewayError) -> Self {
        Self::new(Step::NextKey, error)
    }

    /// The same of a provider that may have carried out the request.
    pub(super) fn doubtful(error: GatewayError) -> Self {
        Self { may_be_done: true, ..Self::next(error) }
    }

    /// Nothing was sent: too much has failed there of late.
    pub(super) fn spared() -> Self {
        Self { spared: true, ..Self::next(GatewayError::Failing) }
    }

    /// Nothing was sent to `candidate`: a limit leaves no room, or too much has failed there of late.
    pub(super) fn barred(candidate: &Candidate) -> Self {
        let limited = |reached| Self { spared: true, ..Self::next(GatewayError::Limited(reached)) };
        candidate.full().map_or_else(Self::spared, limited)
    }

    pub(super) fn end(error: GatewayError) -> Self {
        Self::new(Step::End, error)
    }
}

/// Whether a provider that answers with this status may have carried out the request. Who does not know it, has no room
/// for it, or refuses it has not.
pub(super) fn may_be_done(status: StatusCode) -> bool {
    match status.as_u16() {
        501 | 503 | 508 | OVERLOADED => false,
        status => status == 408 || (500..600).contains(&status),
    }
}

/// Makes of what a provider `said` about money, in these `words`, an error that does not blame the client or its key:
/// some say it with a status that does.
pub(super) fn exhausted(said: &mut ProviderAnswer, words: String) {
    if matches!(said.status.as_u16(), 402 | 429) {
        return;
    }
    said.status = StatusCode::SERVICE_UNAVAILABLE;
    said.body = Bytes::new();
    let error = ProviderError::new(ErrorKind::Quota, words).code("insufficient_quota");
    said.error = ProviderError { status: said.status.as_u16(), retry_after: said.error.retry_after, ..error };
}

/// Remembers what the provider has refused of what was `added` to the request `body`, where `ended` is about that.
/// Gives whether there is something new to remember, so that the provider may be asked again without it.
pub(super) fn learns(ended: &Ended, added: Added, body: &Bytes) -> bool {
    let Failure::Provider(said) = &ended.failure else { return false };
    if ended.step != Step::End || !matches!(said.status.as_u16(), 400 | 404 | 422) || added == Added::Nothing {
        return false;
    }
    let refused = optional::refused(added.fields(said.format), &said.error, &said.body, body);
    refused.is_some_and(|field| said.candidate.group.refusals.learn(&said.candidate.upstream_model, field))
}
