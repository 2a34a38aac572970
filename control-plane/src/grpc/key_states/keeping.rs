//! The database behind the states. It is written behind the news, so that no stream of a node waits for it, and read
//! once, before the first node connects.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::drain::Tasks;
use shared::marks::MOST_AHEAD_MS;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::{About, Held, KeyStates};
use crate::store::key_states::{self, KeptKeyStates, MOST_AT_ONCE, StoredKeyState};
use crate::store::{Store, StoreError, clock};

/// How long news wait for more, so that many are written at once.
const GATHER: Duration = Duration::from_millis(200);
/// The longest pause between two tries to write to a database that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often what is over is removed from the database.
const PRUNE_EVERY: Duration = Duration::from_mins(10);
/// How long the last write may take when the program ends.
const LAST_WRITE: Duration = Duration::from_secs(3);

impl KeyStates {
    /// Reads what the database keeps, and what time it is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn restore(&self, store: &Store) -> Result<(), StoreError> {
        self.clock.set_offset(clock::ahead(store).await?);
        let now = self.now();
        let KeptKeyStates { mut states, saved_at, version } = key_states::load(store, self.most).await?;
        self.heard.store(version, Ordering::Relaxed);
        let back = saved_at - now;
        if back > MOST_AHEAD_MS {
            warn!(back_ms = back, "the clock has gone back since the states of upstream keys were kept");
            for state in &mut states {
                state.marks.set_back(back);
            }
            key_states::replace_all(store, &states, now).await?;
        }
        states.retain(|state| !state.marks.is_over(now));
        let count = states.len();
        let mut current = self.current();
        current.states =
            states.into_iter().map(|state| (about(&state), Held { state, node_id: String::new() })).collect();
        drop(current);
        if count > 0 {
            info!(count, "the states of upstream keys are known from before");
        }
        Ok(())
    }

    /// Writes all that the database lacks by now. What it knows better, because another control plane wrote it, is
    /// taken over.
    ///
    /// # Errors
    /// When the database does not take it; then it is written the next time.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let mut lacks = self.current().unkept.len();
        while lacks > 0 {
            let part = self.take_unkept();
            lacks = lacks.saturating_sub(MOST_AT_ONCE);
            match key_states::keep(store, &part, self.now()).await {
                Ok(more) => self.learn(more),
                Err(error) => {
                    self.put_back(&part);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Some of what the database lacks, which counts as written from here on.
    fn take_unkept(&self) -> Vec<StoredKeyState> {
        let mut current = self.current();
        let part: Vec<About> = current.unkept.iter().take(MOST_AT_ONCE).cloned().collect();
        let state = |about: &About| {
            current.unkept.remove(about);
            current.states.get(about).map(|held| held.state.clone())
        };
        part.iter().filter_map(state).collect()
    }

    /// Notes that the database lacks `states` nevertheless.
    fn put_back(&self, states: &[StoredKeyState]) {
        let mut current = self.current();
        let there: Vec<_> = states.iter().map(about).filter(|about| current.states.contains_key(about)).collect();
        current.unkept.extend(there);
    }

    /// Notes that the database lacks everything, because it is another one.
    fn write_all_anew(&self) {
        let mut current = self.current();
        current.unkept = current.states.keys().cloned().collect();
        drop(current);
        self.changed.notify_one();
    }
}

pub(super) fn about(state: &StoredKeyState) -> About {
    (state.upstream_key_id.clone(), state.model.clone())
}

/// Keeps `states` in the database until `tasks` stop, and then once more. `replaced` tells that the database is another
/// one.
pub(crate) async fn keep(states: Arc<KeyStates>, store: Store, mut replaced: watch::Receiver<u64>, tasks: Tasks) {
    let mut failing = false;
    let mut pause = GATHER;
    let mut prune_at = Instant::now() + PRUNE_EVERY;
    loop {
        tokio::select! {
            () = tasks.stopping() => break,
            () = states.changed.notified() => {}
            Ok(()) = replaced.changed() => states.write_all_anew(),
            () = sleep_until(prune_at) => {
                prune_at = Instant::now() + PRUNE_EVERY;
                if let Err(error) = key_states::prune(&store, states.now()).await {
                    warn!(%error, "old states of upstream keys could not be removed");
                }
                continue;
            }
        }
        tokio::select! {
            () = tasks.stopping() => break,
            () = sleep(pause) => {}
        }
        match states.write(&store).await {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    info!("the states of upstream keys are kept again");
                }
                pause = GATHER;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "the states of upstream keys cannot be kept now; they are kept in memory");
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
                states.changed.notify_one();
            }
        }
    }
    match timeout(LAST_WRITE, states.write(&store)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the last states of upstream keys could not be kept"),
        Err(_) => warn!("the last states of upstream keys could not be kept in time"),
    }
}
