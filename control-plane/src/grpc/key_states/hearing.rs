//! What other control planes of the same database write. It is looked for as changes of config are: by a number that
//! each write raises.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shared::drain::Tasks;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::debug;

use super::KeyStates;
use crate::store::key_states;
use crate::store::{Store, StoreError};

/// How often a server is asked. Together with the time that news wait to be written it is half of the second within
/// which all nodes are to know.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a SQLite file is, which seldom has several control planes.
const LOOK_INTO_FILE_EVERY: Duration = Duration::from_secs(1);
/// The longest pause between two questions to a database that does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl KeyStates {
    /// Takes over what was written since the last time, and tells the nodes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn hear(&self, store: &Store) -> Result<(), StoreError> {
        let (newest, news) = key_states::since(store, self.heard.load(Ordering::Relaxed), self.most).await?;
        self.learn(news);
        self.heard.store(newest, Ordering::Relaxed);
        Ok(())
    }
}

/// Has `states` hear what others write until `tasks` stop. `replaced` tells that the database is another one.
pub(crate) async fn hear(states: Arc<KeyStates>, store: Store, mut replaced: watch::Receiver<u64>, tasks: Tasks) {
    let look_every = if store.is_file() { LOOK_INTO_FILE_EVERY } else { LOOK_EVERY };
    let mut pause = look_every;
    loop {
        tokio::select! {
            () = tasks.stopping() => return,
            Ok(()) = replaced.changed() => states.heard.store(i64::MAX, Ordering::Relaxed),
            () = sleep(pause) => {}
        }
        match states.hear(&store).await {
            Ok(()) => pause = look_every,
            Err(error) => {
                debug!(%error, "the database does not say what others know of upstream keys");
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
