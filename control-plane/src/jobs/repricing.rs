//! Prices usage records again after a correction of prices, in small batches. What is to be done stands in the
//! database, so that a run goes on after a restart, at whichever control plane has the lease of it.

use std::sync::Arc;
use std::time::Duration;

use shared::drain::Tasks;
use shared::ids::new_id;
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::ledger::price;
use crate::store::repricing::{self, RepriceRun};
use crate::store::{Store, StoreError, job_leases, published};

/// Name of the lease in the database.
const NAME: &str = "usage_repricing";

/// How long the lease lasts that is not taken again. It is taken again before each batch.
const LASTS: Duration = Duration::from_secs(30);

/// How often it is looked for runs of which this control plane was not told.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Prices usage records again.
#[derive(Debug)]
pub struct Repricer {
    store: Store,
    /// Who this process is to the others.
    holder: String,
    wanted: Notify,
}

impl Repricer {
    /// Works off runs until `tasks` stop.
    pub(crate) fn start(store: Store, tasks: &Tasks) -> Arc<Self> {
        let repricer = Arc::new(Self { store, holder: new_id(), wanted: Notify::new() });
        tasks.spawn("usage repricing", Arc::clone(&repricer).follow(tasks.clone()));
        repricer
    }

    /// Says that there is a run to be made.
    pub(crate) fn wake(&self) {
        self.wanted.notify_one();
    }

    async fn follow(self: Arc<Self>, tasks: Tasks) {
        loop {
            if let Err(error) = self.work_off(&tasks).await {
                warn!(%error, "usage records were not priced again; it is tried again");
            }
            tokio::select! {
                () = tasks.stopping() => return,
                _ = timeout(LOOK_EVERY, self.wanted.notified()) => {}
            }
        }
    }

    /// Makes the runs that there are, unless another control plane does.
    async fn work_off(&self, tasks: &Tasks) -> Result<(), StoreError> {
        let runs = repricing::unfinished(&self.store).await?;
        if runs.is_empty() {
            return Ok(());
        }
        for run in runs {
            if let Some(done) = self.run(run, tasks).await? {
                info!(
                    run_id = done.id,
                    records = done.records,
                    changed = done.changed,
                    cost_micros_before = done.cost_before,
                    cost_micros_after = done.cost_after,
                    "usage records were priced again"
                );
            }
        }
        job_leases::give_back(&self.store, NAME, &self.holder).await
    }

    /// The run when it is over. None where another control plane makes it, or the program ends.
    async fn run(&self, mut run: RepriceRun, tasks: &Tasks) -> Result<Option<RepriceRun>, StoreError> {
        // The prices as they are committed: who corrects them and asks for the run at once means those. What nodes are
        // sent may be older.
        let config = Arc::new(published::snapshot(&self.store).await?);
        while run.finished_at.is_none() {
            if tasks.is_stopping() || !job_leases::take(&self.store, NAME, &self.holder, LASTS).await? {
                return Ok(None);
            }
            let config = Arc::clone(&config);
            run = repricing::batch(&self.store, &run.id, move |row| price::of_stored(row, &config)).await?;
        }
        Ok(Some(run))
    }
}
