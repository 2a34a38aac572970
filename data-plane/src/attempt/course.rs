//! How far a walk has come, and whether it may go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shared::ids::Id;

use shared::verdict::Step;

/// The most attempts of one request, all groups together, however many their groups allow: a request must not become a
/// storm.
pub(super) const MOST_TRIES: u32 = 6;

/// The most upstream keys of one group that one request tries.
pub(super) const MOST_KEYS: u32 = 3;

/// The longest pause before the second try at a group. Each further one may be twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause before any try.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How far a walk has come, as far as it decides whether another candidate may be tried.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// What was sent. Two attempts may run at once.
    sent: AtomicU32,
    /// Candidates that have been tried.
    tries: u32,
    /// What was to be done after the last of them.
    last: Option<Step>,
    /// What has been tried of each group.
    groups: Vec<Tries>,
    /// The group of the last try.
    at: Option<Id>,
}

/// What has been tried of one group.
#[derive(Clone, Debug)]
struct Tries {
    group: Id,
    keys: u32,
    /// The attempts but the first one of the request.
    further: u32,
    /// Whether no other key of it is tried.
    closed: bool,
}

impl Course {
    /// Notes that something has been sent.
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that what was about to be sent was not, since too much has failed there.
    pub(super) fn spared(&self) {
        self.sent.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether more may be sent.
    pub(super) fn may_send(&self) -> bool {
        self.sent.load(Ordering::Relaxed) < MOST_TRIES
    }

    /// Notes that a candidate of `group` has been tried, and what is to be done next.
    pub(super) fn tried(&mut self, group: &Id, step: Step) {
        let further = u32::from(self.tries > 0);
        let closed = step == Step::NextGroup;
        match self.groups.iter_mut().find(|tries| tries.group == *group) {
            Some(tries) => {
                tries.keys += 1;
                tries.further += further;
                tries.closed |= closed;
            }
            None => self.groups.push(Tries { group: Arc::clone(group), keys: 1, further, closed }),
        }
        self.tries += 1;
        // Of two that ran at once, the one that ends the walk counts, whichever is heard first.
        if self.leads_on() {
            self.last = Some(step);
        }
        self.at = Some(Arc::clone(group));
    }

    /// Whether nothing has been tried yet.
    pub(super) fn is_new(&self) -> bool {
        self.tries == 0
    }

    /// Whether nothing of `group` has been tried yet.
    pub(super) fn is_new_at(&self, group: &Id) -> bool {
        self.of(group).is_none()
    }

    /// Whether the walk goes on, as far as the last attempt says. A request that cannot be sent without signatures has
    /// nothing left to try. `late` says that the deadline of the request has passed, which the first attempt finds out
    /// for itself.
    pub(super) fn goes_on(&self, late: bool) -> bool {
        self.leads_on() && self.may_send() && (self.is_new() || !late)
    }

    /// Whether nothing that was tried has ended the walk.
    fn leads_on(&self) -> bool {
        matches!(self.last, None | Some(Step::NextKey | Step::NextGroup))
    }

    /// Whether a candidate of `group`, which allows `retry_count` further attempts, may be tried while one of `first`
    /// still runs, which is not counted yet.
    pub(super) fn may_try_beside(&self, first: &Id, group: &Id, retry_count: u32) -> bool {
        let (mut keys, mut further, closed) =
            self.of(group).map_or((0, 0, false), |of| (of.keys, of.further, of.closed));
        if first == group {
            keys += 1;
            further += u32::from(self.tries > 0);
        }
        !closed && keys < MOST_KEYS && further < retry_count && self.may_send()
    }

    /// Whether a candidate of `group` may be tried, which allows `retry_count` further attempts. Another group may
    /// nevertheless.
    pub(super) fn may_try(&self, group: &Id, retry_count: u32) -> bool {
        match self.of(group) {
            Some(tries) => !tries.closed && tries.keys < MOST_KEYS && tries.further < retry_count,
            None => self.is_new() || retry_count > 0,
        }
    }

    /// The longest pause before a candidate of `group` is tried: none for a group that comes next.
    pub(super) fn longest_pause(&self, group: &Id) -> Duration {
        let again = self.at.as_ref().is_some_and(|at| at == group);
        let tries = self.of(group).filter(|_| again).map_or(0, |tries| tries.keys);
        match tries.checked_sub(1) {
            Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
            None => Duration::ZERO,
        }
    }

    fn of(&self, group: &Id) -> Option<&Tries> {
        self.groups.iter().find(|tries| tries.group == *group)
    }
}

#[cfg(test)]
mod tests;
