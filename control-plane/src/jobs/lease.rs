//! Which of the control planes of a database does what only one is to do: the one that has the lease of it there.
//!
//! A control plane wants the lease while there is such work and a node is connected that can do it, and gives it back
//! when either is over, or the program ends. One that is killed loses it after [`LASTS`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::drain::Tasks;
use shared::ids::new_id;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{debug, info};

use crate::store::{Store, job_leases};

/// Name of the lease in the database. All such work goes to one control plane.
const NAME: &str = "scheduled_jobs";

/// How long a lease lasts that is not taken again.
const LASTS: Duration = Duration::from_secs(10);

/// How often its holder takes it again.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// How often it is looked whether it is wanted, and whether it is free.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long before its end its holder counts as none, so that what was begun just before is over by then.
const MARGIN: Duration = Duration::from_secs(1);

/// How long the database may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The lease of this process.
#[derive(Debug)]
pub(crate) struct JobLease {
    /// Who this process is to the others.
    holder: String,
    /// Until when it is held; none where it is not.
    until: Mutex<Option<Instant>>,
}

impl JobLease {
    /// Follows the lease until `tasks` stop. It is held while it is `wanted` here and no other control plane has it.
    pub(crate) fn start(store: Store, wanted: impl Fn() -> bool + Send + 'static, tasks: &Tasks) -> Arc<Self> {
        let lease = Arc::new(Self { holder: new_id(), until: Mutex::default() });
        tasks.spawn("job lease", Arc::clone(&lease).follow(store, wanted, tasks.clone()));
        lease
    }

    /// Whether this process is to do the work.
    pub(crate) fn is_held(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    async fn follow(self: Arc<Self>, store: Store, wanted: impl Fn() -> bool, tasks: Tasks) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut taken_at: Option<Instant> = None;
        loop {
            tokio::select! {
                () = tasks.stopping() => break,
                _ = look.tick() => {}
            }
            let asked = Instant::now();
            if !wanted() {
                if taken_at.take().is_some() {
                    self.give_back(&store).await;
                }
                continue;
            }
            if self.is_held() && taken_at.is_some_and(|at| asked < at + RENEW_EVERY) {
                continue;
            }
            // What was asked before the program stops may still be carried out after that, so it is waited for.
            match timeout(PATIENCE, job_leases::take(&store, NAME, &self.holder, LASTS)).await {
                Ok(Ok(true)) => {
                    if taken_at.replace(asked).is_none() {
                        info!("this control plane does the scheduled work");
                    }
                    *self.until() = Some(asked + LASTS - MARGIN);
                }
                Ok(Ok(false)) => {
                    if taken_at.take().is_some() {
                        info!("another control plane does the scheduled work");
                    }
                    *self.until() = None;
                }
                // It is held to its end, and may be taken again before that.
                Ok(Err(error)) => debug!(%error, "the lease of scheduled work was not taken"),
                Err(_) => debug!("the database did not say in time who does the scheduled work"),
            }
        }
        if taken_at.is_some() {
            self.give_back(&store).await;
        }
    }

    async fn give_back(&self, store: &Store) {
        *self.until() = None;
        match timeout(PATIENCE, job_leases::give_back(store, NAME, &self.holder)).await {
            Ok(Ok(())) => info!("this control plane leaves the scheduled work to others"),
            Ok(Err(error)) => debug!(%error, "the lease of scheduled work was not given back; it ends by itself"),
            Err(_) => debug!("the lease of scheduled work was not given back in time; it ends by itself"),
        }
    }

    fn until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
