//! How work on the database is run: in a task of its own, on which its caller waits with patience and not longer.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bb8::{ManageConnection, PooledConnection, RunError};
use diesel_async::SimpleAsyncConnection as _;
use diesel_async::pooled_connection::PoolError;
use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::guard::{Guarded, GuardedManager, Pool};
use super::place::Place;
use super::pool::AsyncSqliteConnection;
use super::{Store, StoreError, metrics};

/// How long the database may give no sign of life before a caller asks whether it answers at all. Together with that
/// question it is less than a second.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a caller waits for a database that answers.
const QUERY_DEADLINE: Duration = Duration::from_secs(30);

/// How long a query or transaction may take, with nobody waiting for it any more. Then it is cut short, and its
/// connection with it.
const WORK_DEADLINE: Duration = Duration::from_mins(1);

/// How long work on SQLite waits until it may write: for the connection, and then for the file's lock.
const LOCK_DEADLINE: Duration = Duration::from_millis(900);

/// The shortest wait for the lock of a SQLite file.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// What work does with the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// When the database last answered, and when it last took a write. It tells a queue from a database that stands still.
#[derive(Debug)]
pub(super) struct Progress(Mutex<(Instant, Instant)>);

impl Progress {
    pub(super) fn new() -> Self {
        Self(Mutex::new((Instant::now(), Instant::now())))
    }

    fn note(&self, access: Access) {
        let now = Instant::now();
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.0 = now;
        if access == Access::Write {
            progress.1 = now;
        }
    }

    /// When there was any for this access last.
    fn last(&self, access: Access) -> Instant {
        let (answered, wrote) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if access == Access::Write { wrote } else { answered }
    }

    /// Whether there was any for this access after `since`.
    fn since(&self, access: Access, since: Instant) -> bool {
        since < self.last(access)
    }
}

/// Has the connection wait for the file's lock as long as the wait for the connection, since `asked`, has left.
pub(super) async fn wait_for_the_lock(
    connection: &mut AsyncSqliteConnection,
    asked: Instant,
) -> Result<(), StoreError> {
    let left = LOCK_DEADLINE.saturating_sub(asked.elapsed()).max(SHORTEST_WAIT);
    Ok(connection.batch_execute(&format!("PRAGMA busy_timeout = {}", left.as_millis())).await?)
}

impl Store {
    /// Runs `work` in a task. Once it has begun, it runs to its end there, however long the caller waits. Work that has
    /// not begun when the caller has left is not begun.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::Unavailable`] when the database does not answer in the meantime, in which case
    /// the work may still be done; [`StoreError::Gone`] where the file is not the one that was opened.
    pub(super) async fn run<T, F>(
        &self,
        access: Access,
        work: impl FnOnce(CancellationToken) -> F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let caller_left = CancellationToken::new();
        let (store, work) = (self.clone(), work(caller_left.clone()));
        let task = self.0.tasks.spawn("database", async move { store.work(access, work).await });
        tokio::pin!(task);
        let deadline = Instant::now() + QUERY_DEADLINE;
        let ended = |done: Result<Result<T, StoreError>, JoinError>| done.unwrap_or(Err(StoreError::Interrupted));
        // Patience counts from the last sign of life, not from the last look for one.
        let mut since = Instant::now();
        let why = loop {
            tokio::select! {
                biased;
                done = &mut task => return ended(done),
                () = sleep_until(since + PATIENCE) => {}
            }
            let answers = tokio::select! {
                biased;
                done = &mut task => return ended(done),
                answers = self.answers(since) => answers,
            };
            if !answers {
                break "it does not answer";
            }
            if Instant::now() >= deadline {
                break "it is too slow";
            }
            since = self.0.progress.last(Access::Read);
        };
        caller_left.cancel();
        Err(StoreError::Unavailable(why.to_owned()))
    }

    /// Whether the database has answered anybody after `since`, or answers now.
    async fn answers(&self, since: Instant) -> bool {
        let progress = &self.0.progress;
        if progress.since(Access::Read, since) {
            return true;
        }
        let answers = self.0.pools.answers().await;
        if answers {
            progress.note(Access::Read);
        }
        // Who waits here in a long queue is told by those in front.
        answers || progress.since(Access::Read, since)
    }

    /// A connection of `pool`, and when the wait for it began that ended well. While other work is done, this waits for
    /// its turn; when nothing is done any more, it gives up.
    pub(super) async fn take<'a, C>(
        &self,
        access: Access,
        pool: &'a Pool<C>,
        caller_left: &CancellationToken,
    ) -> Result<(Instant, PooledConnection<'a, GuardedManager<C>>), StoreError>
    where
        GuardedManager<C>: ManageConnection<Connection = Guarded<C>, Error = PoolError>,
    {
        loop {
            let asked = Instant::now();
            let taken = pool.get().await;
            if caller_left.is_cancelled() {
                return Err(StoreError::Interrupted);
            }
            match taken {
                Ok(taken) => return Ok((asked, taken)),
                Err(RunError::TimedOut) if self.0.progress.since(access, asked) => {}
                Err(error) => return Err(StoreError::no_connection(error)),
            }
        }
    }

    /// What an unlinked file takes would be lost, so the file is looked for before the work, and again after a write.
    async fn work<T>(
        &self,
        access: Access,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let place = &self.0.place;
        place.check().await?;
        let cut = |_| {
            metrics::deadline_hit();
            StoreError::Unavailable("it did not answer in time".to_owned())
        };
        let done = match timeout(WORK_DEADLINE, work).await.map_err(cut)? {
            Err(error) => Err(place.explain(self.0.pools.explain(error).await)),
            done => done,
        };
        if !done.as_ref().is_err_and(StoreError::leaves_doubt) {
            self.0.progress.note(access);
        }
        match (&done, access) {
            (Err(StoreError::Full), _) => self.0.room.none(),
            (Ok(_), Access::Write) => {
                place.check().await?;
                // On a server, a row may find room in what others left: there, `Store::check` asks.
                if matches!(place, Place::File { .. }) {
                    self.0.room.some();
                }
            }
            _ => {}
        }
        done
    }
}
