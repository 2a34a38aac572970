//! What is known of upstream keys, kept on the node's disk beside the last good config. A node that starts without a
//! control plane does not ask the keys whose provider has stated a pause, or that there is no money.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BufMut as _};
use prost::Message as _;
use shared::crypto::{CryptoError, SealingKey};
use shared::drain::Tasks;
use shared::pb;
use shared::secret::Secret;
use shared::time::now_ms;
use tokio::time::sleep;
use tracing::{info, warn};

use super::key_state;
use super::last_good::{LastGoodError, replace};
use crate::route::current::ConfigState;
use crate::route::health::KeyState;

/// The name of what is sealed, for the derivation of the key and for the seal.
const PURPOSE: &str = "states of upstream keys";

const FILE: &str = "key-states";

/// How often it is looked whether something has changed. A crash loses the news of this time.
const PERIOD: Duration = Duration::from_secs(1);

/// The most states that are kept, as many as a control plane keeps. Of more, the newest are.
const MOST: usize = 10_000;

/// What was known when it was written.
#[derive(Debug, Default)]
pub struct KnownStates {
    /// When that was, in epoch milliseconds of the fleet's clock.
    at: i64,
    /// How far the fleet's clock was ahead of this machine's, in milliseconds.
    ahead: i64,
    states: Vec<KeyState>,
}

impl KnownStates {
    /// What is known in `state` now.
    fn of(state: &ConfigState) -> Self {
        let mut states = state.table().map(|table| table.kept.told()).unwrap_or_default();
        states.sort_by(|left, right| order(left).cmp(&order(right)));
        states.truncate(MOST);
        let at = state.clock().now();
        Self { at, ahead: at - now_ms(), states }
    }

    /// Has `state` know it, as far as its config has the keys. News of the same that is newer wins, whenever it comes.
    pub fn restore(&self, state: &ConfigState) {
        let Some(table) = state.table() else { return };
        // The fleet's time has not gone back, whatever has become of this machine's clock.
        state.clock().set(now_ms().saturating_add(self.ahead).max(self.at));
        let known = self.states.iter().filter(|known| table.kept.observe(known)).count();
        if known > 0 {
            info!(known, "what was known of upstream keys counts still");
        }
    }

    fn write(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        plain.put_i64(self.at);
        plain.put_i64(self.ahead);
        for state in &self.states {
            plain.extend(key_state::message(state).encode_length_delimited_to_vec());
        }
        plain
    }

    fn read(mut plain: &[u8]) -> Result<Self, LastGoodError> {
        let too_short = |_| io::Error::from(io::ErrorKind::UnexpectedEof);
        let (at, ahead) = (plain.try_get_i64().map_err(too_short)?, plain.try_get_i64().map_err(too_short)?);
        let mut states = Vec::new();
        while !plain.is_empty() {
            states.extend(key_state::read(pb::KeyState::decode_length_delimited(&mut plain)?));
        }
        Ok(Self { at, ahead, states })
    }
}

/// The newest first, and those of one time always in the same order.
fn order(state: &KeyState) -> impl Ord + '_ {
    let KeyState { upstream_key_id, model, health, observed_at_ms, .. } = state;
    (std::cmp::Reverse(*observed_at_ms), upstream_key_id, model, health.name())
}

/// The file of what is known of upstream keys. Its methods block.
#[derive(Debug)]
pub struct KeptStates {
    directory: PathBuf,
    key: SealingKey,
}

impl KeptStates {
    /// The file in `directory`, sealed under a key that is derived from `token`, as the last good config is.
    ///
    /// # Errors
    /// [`CryptoError::Seal`].
    pub fn new(directory: &Path, token: &Secret) -> Result<Self, CryptoError> {
        let key = SealingKey::derive("node", token.expose().as_bytes(), PURPOSE)?;
        Ok(Self { directory: directory.to_owned(), key })
    }

    /// Reads what was known. Nothing where that was never written.
    ///
    /// # Errors
    /// [`LastGoodError`].
    pub fn load(&self) -> Result<KnownStates, LastGoodError> {
        match fs::read(self.directory.join(FILE)) {
            Ok(sealed) => KnownStates::read(&self.key.open(PURPOSE, &sealed)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KnownStates::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces what is on disk, so that a crash leaves the old or the new.
    fn save(&self, known: &KnownStates) -> Result<(), LastGoodError> {
        let sealed = self.key.seal(PURPOSE, &known.write())?;
        Ok(replace(&self.directory, FILE, &sealed)?)
    }
}

/// Writes what is known in `state` whenever it is no longer what was `restored` or written before. Ends when `tasks`
/// stop, after the newest is written.
pub async fn keep(file: Arc<KeptStates>, state: ConfigState, restored: KnownStates, tasks: Tasks) {
    let mut on_disk = restored.states;
    let mut failing = false;
    loop {
        let last = tokio::select! {
            () = sleep(PERIOD) => false,
            () = tasks.stopping() => true,
        };
        let known = KnownStates::of(&state);
        if known.states != on_disk {
            let target = Arc::clone(&file);
            let saving = tasks.spawn_blocking(move || target.save(&known).map(|()| known.states)).await;
            match saving.map_err(anyhow::Error::from).and_then(|saved| saved.map_err(anyhow::Error::from)) {
                Ok(saved) => (on_disk, failing) = (saved, false),
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    warn!(%error, "what is known of upstream keys could not be kept on disk; it is tried again each second");
                }
                Err(_told) => {}
            }
        }
        if last {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
