//! A second attempt elsewhere, where the first is late: what begins to answer first is the answer, and the other is
//! cancelled (`docs/ROUTING.md`, *Attempts*).

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use shared::ids::Id;
use shared::time::steady_ms;
use shared::verdict::Step;
use tokio::time::{Instant, timeout};

use super::course::Course;
use super::ended::Ended;
use super::lane::Lane;
use super::walk::{Asking, Walker};
use crate::answer::Answer;
use crate::metrics::HedgeResult;
use crate::request::Outgoing;
use crate::route::candidate::Candidate;
use crate::route::models::ModelState;
use crate::route::retries::RetryBudget;

/// No answer is late before this has passed, however fast the others are.
const SOONEST: Duration = Duration::from_millis(50);

/// What a walk knows of second attempts.
#[derive(Debug, Default)]
pub(super) struct Hedge {
    /// Whether one has been made: a request makes one at most.
    made: bool,
    /// A candidate that was taken from the plan for one, and not tried.
    pub(super) spare: Option<Candidate>,
    /// How one has ended without an answer, and at which group.
    pub(super) failed: Option<(Id, Ended)>,
}

/// How long an answer takes to begin.
struct Watch {
    state: Arc<ModelState>,
    streams: bool,
    begun: Instant,
}

/// What became of a second attempt that has brought something: who was asked, and the answer.
struct Second {
    group: Id,
    watch: Option<Watch>,
    asked: Result<Answer, Ended>,
}

impl Hedge {
    /// Whether `candidate` is in a group that hedges, and may have a second attempt beside it for `outgoing`. What may
    /// not be done twice, or is there only once, may not, whatever else the group says.
    pub(super) fn may_pay(candidate: &Candidate, outgoing: &Outgoing) -> bool {
        candidate.group.group.routing.hedging && !outgoing.once && outgoing.passing.is_none()
    }
}

impl Watch {
    /// Begins now to wait for the answer of `candidate` to `outgoing`.
    fn begin(candidate: &Candidate, outgoing: &Outgoing) -> Self {
        Self { state: Arc::clone(&candidate.state), streams: outgoing.stream, begun: Instant::now() }
    }

    /// How long the answer may take before it is late. None where that is not known.
    fn patience(&self) -> Option<Duration> {
        self.state.tail(self.streams).estimate().map(|time| time.max(SOONEST))
    }

    /// The answer has begun, or is waited for no longer: then it would have been later still.
    fn over(&self) {
        self.state.tail(self.streams).took(self.begun.elapsed());
    }

    /// Notes how long it took, where there is an answer.
    fn hear(&self, asked: &Result<Answer, Ended>) {
        if asked.is_ok() {
            self.over();
        }
    }
}

impl Walker {
    /// Asks the first candidate, and when its answer is late another one of `plan`. The first answer that begins well
    /// is given, and the other attempt is cancelled. Where one fails, the other is waited for, unless the failure ends
    /// the walk. `course` counts what was tried before, and `budget` pays for the second attempt.
    ///
    /// # Errors
    /// [`Ended`]: how the first candidate has failed. How the second one has is noted in `hedge`.
    pub(super) async fn race(
        &self,
        (candidate, outgoing): (Candidate, Outgoing),
        hedge: &mut Hedge,
        plan: &mut (dyn Iterator<Item = Candidate> + Send),
        (course, budget): (&Course, Option<&RetryBudget>),
        asking: Asking<'_>,
    ) -> Result<Answer, Ended> {
        let meter = asking.meter;
        let watch = Watch::begin(&candidate, &outgoing);
        let patience = watch.patience().filter(|_| !hedge.made && !meter.has_hedged());
        let group = Arc::clone(&candidate.group.group.id);
        let (lane, beside) = (Lane::first(meter), Lane::second(meter));
        let mut first = pin!(self.ask(candidate, outgoing, course, &lane, asking));
        let in_time = match patience {
            Some(patience) => timeout(patience, &mut first).await.ok(),
            None => Some(first.as_mut().await),
        };
        if let Some(asked) = in_time {
            watch.hear(&asked);
            return asked;
        }

        let mut second = pin!(self.second(&group, plan, (course, budget), &beside, asking));
        let mut failed = None;
        let made = tokio::select! {
            biased;
            asked = &mut first => {
                watch.hear(&asked);
                match asked {
                    Err(ended) if matches!(ended.step, Step::NextKey | Step::NextGroup) => failed = Some(ended),
                    asked => {
                        beside.outrun();
                        if beside.has_begun() {
                            meter.hedged(HedgeResult::Lost);
                        }
                        return asked;
                    }
                }
                second.await
            }
            made = &mut second => made,
        };
        hedge.made = beside.has_begun();
        match made {
            Ok(Second { watch: own, asked: Ok(answer), .. }) => {
                if let Some(own) = own {
                    own.over();
                }
                if failed.is_none() {
                    watch.over();
                }
                lane.outrun();
                meter.hedged(HedgeResult::Won);
                return Ok(answer);
            }
            Ok(Second { group, asked: Err(ended), .. }) => {
                if hedge.made {
                    meter.hedged(HedgeResult::Failed);
                }
                hedge.failed = Some((group, ended));
            }
            Err(spare) => hedge.spare = spare,
        }
        match failed {
            Some(ended) => Err(ended),
            None => first.await.inspect(|_| watch.over()),
        }
    }

    /// Asks the next candidate of `plan` that may be tried beside one of the group `first`.
    ///
    /// # Errors
    /// Where none was asked: the candidate that was not tried because there is no retry left in the `budget`, or
    /// because it rests, if it is for that.
    async fn second(
        &self,
        first: &Id,
        plan: &mut (dyn Iterator<Item = Candidate> + Send),
        (course, budget): (&Course, Option<&RetryBudget>),
        lane: &Lane<'_>,
        asking: Asking<'_>,
    ) -> Result<Second, Option<Candidate>> {
        let is_over = || Instant::now() >= asking.deadline;
        while let Some(candidate) = plan.next().filter(|_| !is_over()) {
            // What rests is tried when all else has failed, and the first attempt has not.
            if candidate.is_out(steady_ms()) {
                return Err(Some(candidate));
            }
            let group = &candidate.group.group;
            if !course.may_try_beside(first, &group.id, group.retry_count) {
                continue;
            }
            // What it cannot be asked for, another one may.
            let Ok(outgoing) = self.outgoing(&candidate, asking).await else { continue };
            if is_over() || !course.may_send() || !budget.is_some_and(|budget| budget.take(steady_ms())) {
                return Err(Some(candidate));
            }
            let watch = group.routing.hedging.then(|| Watch::begin(&candidate, &outgoing));
            let group = Arc::clone(&group.id);
            let asked = self.ask(candidate, outgoing, course, lane, asking).await;
            return Ok(Second { group, watch, asked });
        }
        Err(None)
    }
}

#[cfg(test)]
mod tests;
