//! Which candidate is tried next, and whether another may be.

use std::sync::Arc;
use std::time::Duration;

use shared::time::steady_ms;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::course::Course;
use super::ended::Ended;
use super::headers::ClientHeaders;
use super::hedge::Hedge;
use super::lane::Lane;
use super::probe::Prober;
use super::queue::Queue;
use super::send::Sender;
use super::telling::MostTelling;
use crate::answer::{Answer, Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::request::{Outbound, Outgoing};
use crate::route::candidate::Candidate;
use crate::route::health::KeyState;
use crate::route::plan::Plan;
use crate::route::retries::RetryBudget;
use crate::upstream::Upstream;
use crate::usage::meter::Meter;
use shared::verdict::Step;

/// How often a candidate is asked again without what it has refused of what the gateway adds.
const MOST_REPEATS: usize = 4;

/// What is asked, by whom, until when: the same for all attempts of a walk.
#[derive(Clone, Copy)]
pub(super) struct Asking<'w> {
    pub(super) request: &'w dyn Outbound,
    pub(super) client: &'w ClientHeaders<'w>,
    pub(super) meter: &'w Meter,
    pub(super) deadline: Instant,
}

/// Walks plans.
#[derive(Debug)]
pub struct Walker {
    sender: Arc<Sender>,
    /// Draws a pause that is no longer than the given one.
    draw: fn(Duration) -> Duration,
    queue: Queue,
}

/// Draws a pause from nothing to `longest`, each as likely (full jitter), so that requests that failed together do not
/// come back together.
fn drawn(longest: Duration) -> Duration {
    longest.mul_f64(fastrand::f64())
}

impl Walker {
    /// Sends through `upstream`, and what it learns about keys to `key_states`. An answer may pause as long as `pause`.
    pub fn new(upstream: Upstream, key_states: mpsc::Sender<KeyState>, pause: Duration) -> Self {
        let sender = Arc::new(Sender::new(upstream, key_states, pause));
        Self { sender, draw: drawn, queue: Queue::default() }
    }

    /// Asks single candidates, with the connections of this walker.
    pub fn prober(&self) -> Prober {
        Prober::new(Arc::clone(&self.sender))
    }

    /// Waits until something of `plan` may be tried, where all of it is out for a moment.
    ///
    /// # Errors
    /// [`GatewayError::AllOut`]: nothing returns in time.
    pub async fn ready(&self, plan: &mut Plan<'_>, deadline: Instant) -> Result<(), GatewayError> {
        self.queue.wait(plan, deadline).await
    }

    /// Sends `request` to the candidates of `plan` until one answers. On a connect error, no answer in time, 408, 429
    /// or 5xx, and when the provider refuses the key or has no money for it, the next one is tried; when it has no such
    /// model, the next group is. A group gets as many further attempts as its `retry_count` says, with three of its
    /// keys, and the request six in all. Between two tries at the same group there is a pause. What is tried after the
    /// first candidate is taken out of the retry budget of the group that the request went to first, unless it is
    /// another group that is well. Where the group hedges, a second candidate is tried beside one that is late.
    ///
    /// Nothing is prepared for a candidate that is not tried.
    ///
    /// # Errors
    /// [`Failure`]: the most telling one of those of the candidates.
    pub async fn walk(
        &self,
        mut plan: impl Iterator<Item = Candidate> + Send,
        request: &dyn Outbound,
        client: &ClientHeaders<'_>,
        meter: &Meter,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut course = Course::default();
        let mut telling = MostTelling::default();
        let mut refused: Option<GatewayError> = None;
        let mut budget: Option<Arc<RetryBudget>> = None;
        let mut hedge = Hedge::default();
        let mut spent = false;
        let asking = Asking { request, client, meter, deadline };
        let late = || Instant::now() >= deadline;
        while course.goes_on(late())
            && let Some(candidate) = hedge.spare.take().or_else(|| plan.next())
        {
            let group = Arc::clone(&candidate.group);
            let id = &group.group.id;
            if !course.may_try(id, group.group.retry_count) || (spent && !is_relief(&course, &candidate)) {
                continue;
            }
            self.pause(course.longest_pause(id), deadline).await;
            if !course.goes_on(late()) {
                break;
            }
            // What one group cannot be asked for may be no trouble to another; it is no attempt.
            let outgoing = match self.outgoing(&candidate, asking).await {
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
            match &budget {
                None => {
                    group.retries.began(steady_ms());
                    budget = Some(Arc::clone(&group.retries));
                }
                Some(budget) if !course.is_new() && !is_relief(&course, &candidate) && !budget.take(steady_ms()) => {
                    meter.retries_are_spent();
                    spent = true;
                    continue;
                }
                Some(_) => {}
            }
            let once = outgoing.once && !group.group.routing.retry_unsafe_requests;
            let asked = if Hedge::may_pay(&candidate, &outgoing) {
                let budget = budget.as_deref();
                Box::pin(self.race((candidate, outgoing), &mut hedge, &mut plan, (&course, budget), asking)).await
            } else {
                self.ask(candidate, outgoing, &course, &Lane::first(meter), asking).await
            };
            match asked {
                Ok(answer) => return Ok(answer),
                Err(Ended { spared: true, failure, step, .. }) => {
                    course.spared();
                    telling.hear(step, failure);
                }
                Err(Ended { step, failure, may_be_done, .. }) => {
                    // It may do harm, or cost twice, to have it carried out again.
                    let step = if once && may_be_done { Step::End } else { step };
                    course.tried(id, step);
                    telling.hear(step, failure);
                }
            }
            if let Some((id, Ended { step, failure, spared, .. })) = hedge.failed.take() {
                if spared {
                    course.spared();
                } else {
                    course.tried(&id, step);
                }
                telling.hear(step, failure);
            }
        }
        // What was left of the plan may have gone out since it was looked at.
        let refused = refused.unwrap_or(GatewayError::Failing);
        Err(telling.into_failure().unwrap_or(Failure::Gateway(refused)))
    }

    /// What is asked, written for `candidate`.
    ///
    /// # Errors
    /// [`GatewayError`]: this candidate cannot be asked for it.
    pub(super) async fn outgoing(
        &self,
        candidate: &Candidate,
        Asking { request, deadline, .. }: Asking<'_>,
    ) -> Result<Outgoing, GatewayError> {
        if let Some(preparation) = request.prepare(candidate, self.sender.upstream(), deadline) {
            preparation.await?;
        }
        request.write(candidate)
    }

    /// Sends `outgoing` to `candidate`, and once more without what it refuses of what is not the client's own.
    pub(super) async fn ask(
        &self,
        candidate: Candidate,
        outgoing: Outgoing,
        course: &Course,
        lane: &Lane<'_>,
        Asking { request, client, deadline, .. }: Asking<'_>,
    ) -> Result<Answer, Ended> {
        course.sent();
        let mut sent = self.sender.send(candidate, outgoing, client, lane, deadline).await;
        for _ in 0..MOST_REPEATS {
            // What the gateway adds to a request is no fault of the client's.
            let Err(Ended { again: true, failure: Failure::Provider(said), .. }) = &sent else { break };
            let candidate = said.candidate.clone();
            let Ok(outgoing) = request.write(&candidate) else { break };
            if !course.may_send() {
                break;
            }
            course.sent();
            sent = self.sender.send(candidate, outgoing, client, lane, deadline).await;
        }
        if course.may_send()
            && let Err(Ended { step: Step::Unsigned, failure: Failure::Provider(said), .. }) = &sent
            && let Some(outgoing) = unsigned(request, said)
        {
            course.sent();
            sent = self.sender.send(said.candidate.clone(), outgoing, client, lane, deadline).await;
        }
        sent
    }

    /// Waits for a drawn time that is no longer than `longest`, and not beyond the `deadline`.
    async fn pause(&self, longest: Duration, deadline: Instant) {
        if !longest.is_zero() {
            sleep((self.draw)(longest).min(deadline.saturating_duration_since(Instant::now()))).await;
        }
    }
}

/// Whether the request moves on to another group, where nothing fails: that takes load from those in trouble and gives
/// them none, so it is no retry in the sense of the budget. As soon as anything fails there too, it is.
fn is_relief(course: &Course, candidate: &Candidate) -> bool {
    course.is_new_at(&candidate.group.group.id) && candidate.is_untroubled()
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
