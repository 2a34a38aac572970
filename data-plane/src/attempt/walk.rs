//! Which candidate is tried next, and whether another may be.

use std::sync::Arc;
use std::time::Duration;

use shared::ids::Id;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::headers::ClientHeaders;
use super::send::{Ended, Sender};
use crate::answer::{Answer, Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::request::{Outbound, Outgoing};
use crate::route::candidate::Candidate;
use crate::route::health::KeyState;
use crate::upstream::Upstream;
use crate::usage::meter::Meter;
use shared::verdict::Step;

/// The most attempts of one request, all groups together, however many their groups allow: a request must not become a
/// storm.
const MOST_TRIES: u32 = 10;

/// How often a candidate is asked again without what it has refused of what the gateway adds.
const MOST_REPEATS: usize = 4;

/// Walks plans.
#[derive(Debug)]
pub struct Walker {
    sender: Sender,
}

/// How far a walk has come, as far as it decides whether another candidate may be tried.
#[derive(Clone, Debug, Default)]
struct Course {
    /// Candidates that have been tried.
    tries: u32,
    /// What was to be done after the last of them.
    last: Option<Step>,
    /// Groups with the further attempts, after the first one of the request, that each of them got.
    further: Vec<(Id, u32)>,
    /// Groups of which no other key is tried.
    closed: Vec<Id>,
}

impl Course {
    /// Notes that a candidate of `group` has been tried, and what is to be done next.
    fn tried(&mut self, group: &Id, step: Step) {
        if self.tries > 0 {
            match self.further.iter_mut().find(|(id, _)| id == group) {
                Some((_, further)) => *further += 1,
                None => self.further.push((Arc::clone(group), 1)),
            }
        }
        self.tries += 1;
        self.last = Some(step);
        if step == Step::NextGroup {
            self.closed.push(Arc::clone(group));
        }
    }

    /// Whether the walk goes on, as far as the last attempt says. A request that cannot be sent without signatures has
    /// nothing left to try. `late` says that the deadline of the request has passed, which the first attempt finds out
    /// for itself.
    fn goes_on(&self, late: bool) -> bool {
        let wanted = matches!(self.last, None | Some(Step::NextKey | Step::NextGroup));
        wanted && (self.tries == 0 || (self.tries < MOST_TRIES && !late))
    }

    /// Whether a candidate of `group` may be tried, which allows `retry_count` further attempts. Another group may
    /// nevertheless.
    fn may_try(&self, group: &Id, retry_count: u32) -> bool {
        let further = self.further.iter().find(|(id, _)| id == group).map_or(0, |(_, further)| *further);
        !self.closed.contains(group) && (self.tries == 0 || further < retry_count)
    }
}

impl Walker {
    /// Sends through `upstream`, and what it learns about keys to `key_states`. An answer may pause as long as `pause`.
    pub fn new(upstream: Upstream, key_states: mpsc::Sender<KeyState>, pause: Duration) -> Self {
        Self { sender: Sender::new(upstream, key_states, pause) }
    }

    /// Sends `request` to the candidates of `plan` until one answers. On a connect error, no answer in time, 408, 429
    /// or 5xx, and when the provider refuses the key or has no money for it, the next one is tried; when it has no such
    /// model, the next group is. A group gets as many further attempts as its `retry_count` says.
    ///
    /// Nothing is prepared for a candidate that is not tried.
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
        let mut last: Option<(Step, Failure)> = None;
        let mut refused: Option<GatewayError> = None;
        let late = || Instant::now() >= deadline;
        while course.goes_on(late())
            && let Some(candidate) = plan.next()
        {
            let group = Arc::clone(&candidate.group.group.id);
            if !course.may_try(&group, candidate.group.group.retry_count) {
                continue;
            }
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
            // Preparing may have taken all the time that there was.
            if !course.goes_on(late()) {
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
                    course.tried(&group, step);
                    last = Some(worth_more(last, step, failure));
                }
            }
        }
        let refused = refused.unwrap_or(GatewayError::Internal("the plan has no candidate"));
        Err(last.map_or(Failure::Gateway(refused), |(_, failure)| failure))
    }
}

/// Which failure the client gets, and the step that it led to: the `newest` counts, but for two things. What a provider
/// said is worth more to the client than that another could not be reached. And that one group has no such model is
/// worth less than why another failed that may have it.
fn worth_more(before: Option<(Step, Failure)>, step: Step, newest: Failure) -> (Step, Failure) {
    match (before, newest) {
        (Some(before @ (Step::NextKey, _)), _) if step == Step::NextGroup => before,
        (Some((before @ Step::NextKey, said @ Failure::Provider(_))), Failure::Gateway(_)) if step == Step::NextKey => {
            (before, said)
        }
        (_, newest) => (step, newest),
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
