//! Which of the failures of a walk the client gets: the one that tells it most.

use std::time::Duration;

use translation::ir::ErrorKind;

use crate::answer::Failure;
use crate::error::GatewayError;
use shared::verdict::{Step, shorten_pause};

/// How much a failure tells the client. Of two that tell as much, the first one counts: it came from where the operator
/// wants requests to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Nothing was asked, because too much has failed there of late.
    Spared,
    /// A group has no such model, which says nothing of one that may have it.
    NoModel,
    /// A provider could not be reached, or gave nothing that the client may see.
    Silent,
    /// A provider said how it failed.
    Said,
    /// A provider limits the rate: the client knows what to do.
    RateLimited,
    /// It ends the walk: the request itself is at fault.
    Final,
}

/// The most telling failure of a walk so far.
#[derive(Debug, Default)]
pub(super) struct MostTelling {
    worst: Option<(Worth, Failure)>,
    /// The shortest pause that one of those asked for that limit the rate.
    pause: Option<Duration>,
}

impl MostTelling {
    /// Takes in a `failure`, which led to this `step`.
    pub(super) fn hear(&mut self, step: Step, failure: Failure) {
        let worth = worth(step, &failure);
        if worth == Worth::RateLimited
            && let Failure::Provider(said) = &failure
        {
            let pauses = [self.pause, said.error.retry_after];
            self.pause = pauses.into_iter().flatten().min();
        }
        if self.worst.as_ref().is_none_or(|(before, _)| *before < worth) {
            self.worst = Some((worth, failure));
        }
    }

    /// The failure that the client gets; none where nothing failed. A client that is told to wait is told the shortest
    /// time after which one of those that limit the rate takes requests again.
    pub(super) fn into_failure(self) -> Option<Failure> {
        let (worth, mut failure) = self.worst?;
        if worth == Worth::RateLimited
            && let (Failure::Provider(said), Some(pause)) = (&mut failure, self.pause)
        {
            said.error.retry_after = Some(pause);
            if let Some(endpoint) = &said.candidate.group.endpoint {
                shorten_pause(&mut said.headers, &endpoint.vendor.errors, pause);
            }
        }
        Some(failure)
    }
}

fn worth(step: Step, failure: &Failure) -> Worth {
    match (step, failure) {
        (Step::End | Step::Unsigned, _) => Worth::Final,
        (Step::NextGroup, _) => Worth::NoModel,
        (_, Failure::Gateway(GatewayError::Failing)) => Worth::Spared,
        (_, Failure::Gateway(_)) => Worth::Silent,
        (_, Failure::Provider(said)) if said.status.as_u16() == 429 && said.error.kind != ErrorKind::Quota => {
            Worth::RateLimited
        }
        (_, Failure::Provider(_)) => Worth::Said,
    }
}

#[cfg(test)]
mod tests;
