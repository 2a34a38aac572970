//! Shutdown as a value: whoever starts a background task gives it to a [`Tasks`], and whoever ends the program drains
//! it.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, info, info_span, warn};

/// The background tasks of one component, and the signal that tells them to end. Clones share both.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Tasks {
    /// An empty set of tasks that is not stopping.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tasks of a part of the component. They are told to stop when these are, and can be drained on their own
    /// earlier.
    #[must_use]
    pub fn part(&self) -> Self {
        Self { tracker: TaskTracker::new(), stopping: self.stopping.child_token() }
    }

    /// Starts `task` under `name`. The task ends by itself once [`Self::stopping`] resolves.
    pub fn spawn<F>(&self, name: &'static str, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tracker.spawn(task.instrument(info_span!("task", task = name)))
    }

    /// Starts a task of one request. There are many of them, so it has no span of its own.
    pub fn spawn_request<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker.spawn(task);
    }

    /// Starts `task` on a thread where it may block.
    pub fn spawn_blocking<F, T>(&self, task: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.tracker.spawn_blocking(task)
    }

    /// Resolves when the tasks have to end.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the tasks have to end.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// The signal itself, for a library that wants a token.
    pub fn token(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Tells the tasks to end, without waiting.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Tells the tasks to end and waits until they have, but no longer than `deadline`. Returns whether all ended in
    /// time.
    pub async fn drain(&self, component: &'static str, deadline: Duration) -> bool {
        self.stop();
        self.tracker.close();
        let ended = tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok();
        if ended {
            info!(component, "drained");
        } else {
            warn!(component, tasks = self.tracker.len(), ?deadline, "drain deadline passed; tasks are abandoned");
        }
        ended
    }
}

/// Resolves on SIGTERM or SIGINT (Ctrl-C).
///
/// # Errors
/// When the process may not install signal handlers.
pub async fn termination_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => info!(signal = "SIGTERM", "shutting down"),
        _ = interrupt.recv() => info!(signal = "SIGINT", "shutting down"),
    }
    Ok(())
}
