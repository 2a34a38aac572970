//! What nodes have learnt about upstream keys. It is relayed to the other nodes, and kept for those that connect later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shared::pb::{self, key_state::Health};
use shared::time::now_ms;
use tokio::sync::broadcast;

/// The most states that may be on their way to the slowest node.
const QUEUE: usize = 1_024;
/// The most upstream keys whose state is remembered.
const KEPT: usize = 10_000;
/// The longest id that is accepted, in bytes.
const MAX_ID: usize = 128;
/// The longest reason that is relayed, in characters.
const MAX_REASON: usize = 500;

/// The states that are known now, and the news of further ones.
#[derive(Debug)]
pub(crate) struct KeyStates {
    news: broadcast::Sender<Arc<pb::KeyState>>,
    /// States by the id of the upstream key, apart from those of valid keys.
    current: Mutex<HashMap<String, Arc<pb::KeyState>>>,
    kept: usize,
}

impl Default for KeyStates {
    fn default() -> Self {
        Self::bounded(QUEUE, KEPT)
    }
}

impl KeyStates {
    pub(crate) fn bounded(queue: usize, kept: usize) -> Self {
        Self { news: broadcast::Sender::new(queue), current: Mutex::default(), kept }
    }

    /// Takes in what the node `node_id` observed. Returns whether it was of any use.
    pub(crate) fn observed(&self, node_id: &str, mut state: pb::KeyState) -> bool {
        let health = state.health();
        let id_fits = |id: &str| !id.is_empty() && id.len() <= MAX_ID;
        if health == Health::Unspecified || !id_fits(&state.upstream_key_id) || state.group_id.len() > MAX_ID {
            return false;
        }
        node_id.clone_into(&mut state.node_id);
        if let Some((end, _)) = state.reason.char_indices().nth(MAX_REASON) {
            state.reason.truncate(end);
        }
        let now = now_ms();
        if state.observed_at_ms <= 0 {
            state.observed_at_ms = now;
        }
        let state = Arc::new(state);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if lasts(&state, now) {
            if current.len() >= self.kept && !current.contains_key(&state.upstream_key_id) {
                make_room(&mut current, now);
            }
            current.insert(state.upstream_key_id.clone(), Arc::clone(&state));
        } else {
            current.remove(&state.upstream_key_id);
        }
        // News are sent under the lock, so that they come in the order in which states are kept. It is no error when
        // nobody listens.
        let _ = self.news.send(state);
        true
    }

    /// The states that are known now, and the news from now on.
    pub(crate) fn follow(&self) -> (Vec<Arc<pb::KeyState>>, broadcast::Receiver<Arc<pb::KeyState>>) {
        let now = now_ms();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.retain(|_, state| lasts(state, now));
        (current.values().cloned().collect(), self.news.subscribe())
    }
}

/// Whether a node that connects at `now` has to know of the state.
fn lasts(state: &pb::KeyState, now: i64) -> bool {
    match state.health() {
        Health::Invalid => true,
        Health::CoolingDown => state.until_ms > now,
        Health::Valid | Health::Unspecified => false,
    }
}

fn make_room(current: &mut HashMap<String, Arc<pb::KeyState>>, now: i64) {
    let before = current.len();
    current.retain(|_, state| lasts(state, now));
    if current.len() == before {
        let oldest =
            current.values().min_by_key(|state| state.observed_at_ms).map(|state| state.upstream_key_id.clone());
        if let Some(oldest) = oldest {
            current.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
