//! Which candidate is tried next, and whether another may be.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::headers::ClientHeaders;
use super::send::{Ended, Sender};
use crate::answer::{Answer, Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::provider::verdict::Step;
use crate::request::{Outbound, Outgoing};
use crate::route::candidate::Candidate;
use crate::route::health::KeyState;
use crate::upstream::Upstream;
use crate::usage::meter::Meter;

/// Further candidates after the first, however many a group allows.
const MOST_RETRIES: u32 = 1;

/// How often a candidate is asked again without what it has refused of what the gateway adds.
const MOST_REPEATS: usize = 4;

/// Walks plans.
#[derive(Debug)]
pub struct Walker {
    sender: Sender,
}

/// How far a walk has come, as far as it decides whether another candidate may be tried.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    /// Candidates that have been tried.
    tries: u32,
    /// What was to be done after the last of them.
    last: Option<Step>,
}

impl Course {
    /// Notes that a candidate has been tried, and what is to be done next.
    fn tried(&mut self, step: Step) {
        self.tries += 1;
        self.last = Some(step);
    }

    /// Whether the walk goes on, as far as the last attempt says. A request that cannot be sent without signatures has
    /// nothing left to try.
    fn goes_on(self) -> bool {
        matches!(self.last, None | Some(Step::NextKey))
    }

    /// Whether a candidate may be tried whose group allows `retry_count` retries. `late` says that the deadline of the
    /// request has passed, which the first attempt finds out for itself.
    fn may_try(self, retry_count: u32, late: bool) -> bool {
        let retries = self.tries.saturating_sub(1);
        self.goes_on() && (self.tries == 0 || (retries < MOST_RETRIES.min(retry_count) && !late))
    }
}

impl Walker {
    /// Sends through `upstream`, and what it learns about keys to `key_states`. An answer may pause as long as `pause`.
    pub fn new(upstream: Upstream, key_states: mpsc::Sender<KeyState>, pause: Duration) -> Self {
        Self { sender: Sender::new(upstream, key_states, pause) }
    }

    /// Sends `request` to the candidates of `plan` until one answers. On a connect error, no answer in time, 408, 429
    /// or 5xx, and when the provider refuses the key, the next one is tried, once.
    ///
    /// # Errors
    /// [`Failure`]: what a provider said last, or why none said anything.
    pub async fn walk(
        &self,
        mut plan: impl Iterator<Item = Candidate> + Send,
        request: &dyn Outbound,
        client: &ClientHeaders<'_>,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut course = Course::default();
        let mut last: Option<Failure> = None;
        let mut refused: Option<GatewayError> = None;
        while course.goes_on()
            && let Some(candidate) = plan.next()
        {
            let prepared = match request.prepare(&candidate, self.sender.upstream(), deadline) {
                Some(preparation) => preparation.await,
                None => Ok(()),
            };
            // What one group cannot be asked for may be no trouble to another; it is no attempt.
            let outgoing = match prepared.and_then(|()| request.write(&candidate)) {
                Ok(outgoing) => outgoing,
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            };
            let late = course.tries > 0 && Instant::now() >= deadline;
            if !course.may_try(candidate.group.group.retry_count, late) {
                break;
            }
            let mut sent = self.sender.send(candidate, outgoing, client, meter, deadline).await;
            for _ in 0..MOST_REPEATS {
                // What the gateway adds to a request is no fault of the client's.
                let Err(Ended { again: true, failure: Failure::Provider(said), .. }) = &sent else { break };
                let candidate = said.candidate.clone();
                let Ok(outgoing) = request.write(&candidate) else { break };
                sent = self.sender.send(candidate, outgoing, client, meter, deadline).await;
            }
            if let Err(Ended { step: Step::Unsigned, failure: Failure::Provider(said), .. }) = &sent
                && let Some(outgoing) = unsigned(request, said)
            {
                sent = self.sender.send(said.candidate.clone(), outgoing, client, meter, deadline).await;
            }
            match sent {
                Ok(answer) => return Ok(answer),
                Err(Ended { step, failure, .. }) => {
                    course.tried(step);
                    last = Some(worth_more(last, step, failure));
                }
            }
        }
        let refused = refused.unwrap_or(GatewayError::Internal("the plan has no candidate"));
        Err(last.unwrap_or(Failure::Gateway(refused)))
    }
}

/// Which failure the client gets: the `newest` counts, but for one thing. What a provider said is worth more to the
/// client than that another could not be reached.
fn worth_more(before: Option<Failure>, step: Step, newest: Failure) -> Failure {
    match (before, newest) {
        (Some(said @ Failure::Provider(_)), Failure::Gateway(_)) if step == Step::NextKey => said,
        (_, newest) => newest,
    }
}

/// `request` without its signatures, for a provider that said that it could not read them: they may be another key's
/// (`docs/TRANSLATION.md` section 10). None where it has none.
fn unsigned(request: &dyn Outbound, said: &ProviderAnswer) -> Option<Outgoing> {
    let mut outgoing = request.write(&said.candidate).ok()?;
    outgoing.join();
    let body = outgoing.format.protocol().unsigned(&outgoing.body)?;
    Some(Outgoing { body: body.into(), ..outgoing })
}

#[cfg(test)]
mod tests;
