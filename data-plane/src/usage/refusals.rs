//! What is logged of requests that are refused. Whoever floods a node must not fill its log, so a bounded number of
//! lines is written in each period, and one line more says how many were left out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use shared::drain::Tasks;
use tokio::time::sleep;
use tracing::info;

/// The period in which lines are bounded.
const PERIOD: Duration = Duration::from_secs(5);

/// The most lines of one kind in a period.
#[derive(Debug)]
struct Sample {
    most: u32,
    written: AtomicU32,
    left_out: AtomicU64,
}

/// What is logged of requests that are refused.
#[derive(Debug)]
pub struct RefusalLog {
    unauthenticated: Sample,
    authenticated: Sample,
}

impl Default for RefusalLog {
    fn default() -> Self {
        Self { unauthenticated: Sample::new(10), authenticated: Sample::new(200) }
    }
}

impl RefusalLog {
    /// Whether a line is written for a request that is refused. One that is not is counted.
    pub fn takes(&self, authenticated: bool) -> bool {
        if authenticated { self.authenticated.takes() } else { self.unauthenticated.takes() }
    }

    /// Begins a period after the other until `tasks` stop, and says after each how many lines were left out.
    pub async fn run(self: Arc<Self>, tasks: Tasks) {
        loop {
            tokio::select! {
                () = sleep(PERIOD) => {}
                () = tasks.stopping() => {}
            }
            let (unauthenticated, authenticated) = (self.unauthenticated.next(), self.authenticated.next());
            if unauthenticated + authenticated > 0 {
                info!(
                    unauthenticated,
                    authenticated,
                    seconds = PERIOD.as_secs(),
                    "refused requests left out of the log; the metrics count all of them"
                );
            }
            if tasks.is_stopping() {
                return;
            }
        }
    }
}

impl Sample {
    const fn new(most: u32) -> Self {
        Self { most, written: AtomicU32::new(0), left_out: AtomicU64::new(0) }
    }

    fn takes(&self) -> bool {
        // A flood touches the counter that it has to, and not the one that would overflow.
        if self.written.load(Ordering::Relaxed) < self.most && self.written.fetch_add(1, Ordering::Relaxed) < self.most
        {
            return true;
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        false
    }

    /// Begins the next period. Gives how many lines were left out in the one before.
    fn next(&self) -> u64 {
        self.written.store(0, Ordering::Relaxed);
        self.left_out.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
