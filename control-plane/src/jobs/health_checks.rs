//! Checks of providers, upstream keys and models, on a schedule and when somebody asks for them. The control plane
//! talks to no provider: a node that is connected does, at its command. A check changes no routing; what an answer says
//! of a key counts as after any attempt.
//!
//! - `ask`: sends a command to one of the nodes that are connected. `group`: the checks of one group.
//! - `upkeep`: removes what is too old or too much.

pub mod ask;
mod group;
mod upkeep;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use shared::drain::Tasks;
use shared::ids::{Id, new_id};
use shared::snapshot::Group;
use shared::time::now_ms;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use self::ask::NodeAsker;
use self::group::GroupCheck;
use super::lease::JobLease;
use crate::snapshot::publish::Publisher;
use crate::store::Store;
use crate::store::health_checks::{CheckKind, claim};

pub use self::group::checked_models;

/// How many groups are checked at a time. Within a group, one check follows the other.
const AT_ONCE: usize = 4;

/// The most runs that may wait for their turn.
const WAITING: usize = 8;

/// How often it is looked which groups are due, where their time is not shorter.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often old results are removed.
const UPKEEP_EVERY: Duration = Duration::from_mins(10);

/// When and what is checked.
#[derive(Clone, Copy, Debug)]
pub struct CheckSchedule {
    /// How long a group is left alone after a check. `None`: nothing is checked by itself.
    pub every: Option<Duration>,
    /// How long results are kept.
    pub kept: Duration,
}

/// Checks groups. Clones share the work.
#[derive(Clone)]
pub struct HealthChecker(Arc<Inner>);

struct Inner {
    store: Store,
    publisher: Arc<Publisher>,
    asker: Arc<NodeAsker>,
    schedule: CheckSchedule,
    lease: Arc<JobLease>,
    wanted: mpsc::Sender<CheckRun>,
    last: Mutex<Option<RunOutcome>>,
}

/// Some groups that are checked together.
#[derive(Clone, Debug)]
pub struct CheckRun {
    /// Id of the run, which its results carry.
    pub id: String,
    /// The groups.
    pub groups: Vec<Arc<Group>>,
    /// What is checked of them.
    pub kinds: Vec<CheckKind>,
    /// When it was asked for, in epoch milliseconds.
    pub asked_at: i64,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Id of the run.
    pub id: String,
    /// When it began, in epoch milliseconds.
    pub started_at: i64,
    /// When it ended.
    pub finished_at: i64,
    /// How many groups were checked.
    pub groups: usize,
    /// How many checks were made.
    pub checks: usize,
    /// How many of them have failed.
    pub failures: usize,
    /// Why checks were left out, where some were: for want of a node, or because the database does not answer.
    pub problem: Option<String>,
}

/// Why a run is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunRefused {
    /// No node is connected that could ask a provider.
    NoNode,
    /// Too many runs wait already.
    Busy,
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker").field("schedule", &self.0.schedule).finish_non_exhaustive()
    }
}

impl HealthChecker {
    /// Begins to check what is due while this process has the `lease`, and what somebody asks for, until `tasks` stop.
    pub(crate) fn start(
        store: Store,
        publisher: Arc<Publisher>,
        asker: Arc<NodeAsker>,
        schedule: CheckSchedule,
        lease: Arc<JobLease>,
        tasks: &Tasks,
    ) -> Self {
        let (wanted, waiting) = mpsc::channel(WAITING);
        let inner = Arc::new(Inner { store, publisher, asker, schedule, lease, wanted, last: Mutex::default() });
        tasks.spawn("health checks", follow(Arc::clone(&inner), tasks.clone()));
        tasks.spawn("health checks on demand", serve(Arc::clone(&inner), waiting, tasks.clone()));
        tasks.spawn("health check upkeep", tidy(Arc::clone(&inner), tasks.clone()));
        Self(inner)
    }

    /// Sends commands to nodes.
    pub fn asker(&self) -> &NodeAsker {
        &self.0.asker
    }

    /// What the last run of this process came to.
    pub fn last_run(&self) -> Option<RunOutcome> {
        self.0.last().clone()
    }

    /// A run of checks of `groups`, which is not begun.
    ///
    /// # Errors
    /// [`RunRefused`], where it could not be.
    pub fn prepare(&self, groups: Vec<Arc<Group>>, kinds: Vec<CheckKind>) -> Result<CheckRun, RunRefused> {
        if !self.0.asker.has_node() {
            return Err(RunRefused::NoNode);
        }
        if self.0.wanted.capacity() == 0 {
            return Err(RunRefused::Busy);
        }
        Ok(CheckRun { id: new_id(), groups, kinds, asked_at: now_ms() })
    }

    /// Has `run` carried out as soon as it is its turn.
    ///
    /// # Errors
    /// [`RunRefused::Busy`].
    pub fn run(&self, run: CheckRun) -> Result<(), RunRefused> {
        self.0.wanted.try_send(run).map_err(|_| RunRefused::Busy)
    }
}

impl Inner {
    fn last(&self) -> MutexGuard<'_, Option<RunOutcome>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks the groups of `run`, a few at a time.
    async fn carry_out(&self, run: CheckRun) {
        let started_at = now_ms();
        let CheckRun { id, groups, kinds, .. } = run;
        let number = groups.len();
        let (id, kinds) = (id.as_str(), kinds.as_slice());
        let checked = stream::iter(groups)
            .map(|group| async move { GroupCheck::new(&self.store, &self.asker, id, &group).run(kinds).await });
        let checked: Vec<_> = checked.buffer_unordered(AT_ONCE).collect().await;
        let checks = checked.iter().map(|done| done.checks).sum();
        let failures = checked.iter().map(|done| done.failures).sum();
        let problem = checked.into_iter().find_map(|done| done.problem);
        if let Some(problem) = &problem {
            warn!(run_id = id, problem, "not all of the health checks could be made");
        }
        info!(run_id = id, groups = number, checks, failures, "health checks");
        let (id, finished_at) = (id.to_owned(), now_ms());
        *self.last() = Some(RunOutcome { id, started_at, finished_at, groups: number, checks, failures, problem });
    }

    /// The groups that are due, of those whose checks are switched on. Each of them is claimed, so that no other
    /// control plane checks it, too. `next` remembers when to look at each again.
    async fn due(&self, every: Duration, next: &mut HashMap<Id, Instant>) -> Vec<Arc<Group>> {
        let snapshot = self.publisher.snapshot();
        next.retain(|id, _| snapshot.groups.contains_key(id));
        let mut due = Vec::new();
        let now = Instant::now();
        for group in snapshot.groups.values().filter(|group| group.enabled && group.health_check_enabled) {
            if next.get(&group.id).is_some_and(|at| *at > now) {
                continue;
            }
            let since = now_ms().saturating_sub(i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
            match claim(&self.store, &group.id, since).await {
                Ok(claimed) => {
                    // Who has not got it looks again soon: whoever has it may end.
                    next.insert(Arc::clone(&group.id), now + if claimed { every } else { LOOK_EVERY.min(every) });
                    due.extend(claimed.then(|| Arc::clone(group)));
                }
                Err(error) => {
                    debug!(%error, "the database does not say which groups are due");
                    return due;
                }
            }
        }
        due
    }
}

/// Checks what is due, again and again.
async fn follow(inner: Arc<Inner>, tasks: Tasks) {
    let Some(every) = inner.schedule.every else { return };
    let mut next = HashMap::new();
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = sleep(LOOK_EVERY.min(every)) => {}
        }
        // A provider is not to blame where nobody can ask it, and nothing is noted.
        if !inner.asker.has_node() || !inner.lease.is_held() {
            continue;
        }
        let work = async {
            let groups = inner.due(every, &mut next).await;
            if !groups.is_empty() {
                let (id, kinds) = (new_id(), CheckKind::ALL.to_vec());
                inner.carry_out(CheckRun { id, groups, kinds, asked_at: now_ms() }).await;
            }
        };
        tokio::select! {
            () = tasks.stopping() => return,
            () = work => {}
        }
    }
}

/// Checks what somebody asks for, one run after the other.
async fn serve(inner: Arc<Inner>, mut waiting: mpsc::Receiver<CheckRun>, tasks: Tasks) {
    loop {
        let run = tokio::select! {
            () = tasks.stopping() => return,
            Some(run) = waiting.recv() => run,
        };
        tokio::select! {
            () = tasks.stopping() => return,
            () = inner.carry_out(run) => {}
        }
    }
}

/// Removes old results, again and again.
async fn tidy(inner: Arc<Inner>, tasks: Tasks) {
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            () = sleep(UPKEEP_EVERY) => {}
        }
        let kept = i64::try_from(inner.schedule.kept.as_millis()).unwrap_or(i64::MAX);
        let snapshot = inner.publisher.snapshot();
        tokio::select! {
            () = tasks.stopping() => return,
            done = upkeep::tidy(&inner.store, &snapshot, now_ms().saturating_sub(kept)) => {
                if let Err(error) = done {
                    warn!(%error, "old results of health checks could not be removed");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
