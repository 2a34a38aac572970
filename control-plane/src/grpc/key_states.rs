//! What nodes have learnt about upstream keys. It is relayed to the other nodes, and kept for those that connect later.
//!
//! Each state carries the time of its observation, by the clock of this control plane, which nodes are told when they
//! connect. The newer state wins (`shared::marks`), and older news is not relayed. Nothing of it is in the database:
//! after a restart, nodes tell again what they know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use shared::key_news;
use shared::marks::{Marks, Observed, believed};
use shared::pb;
use shared::time::steady_ms;
use tokio::sync::broadcast;

/// The most states that may be on their way to the slowest node.
const QUEUE: usize = 1_024;
/// The most upstream keys, and models behind them, whose state is remembered.
const KEPT: usize = 10_000;
/// The longest id that is accepted, in bytes.
const MAX_ID: usize = 128;
/// The longest name of a model that is accepted, in bytes.
const MAX_MODEL: usize = 512;
/// The longest reason that is relayed, in characters.
const MAX_REASON: usize = 500;

/// The states that are known now, and the news of further ones.
#[derive(Debug)]
pub(crate) struct KeyStates {
    news: broadcast::Sender<Arc<pb::KeyState>>,
    /// By the id of the upstream key and the model, which is empty for the whole key.
    current: Mutex<HashMap<(String, String), Held>>,
    kept: usize,
}

/// What is known of an upstream key, or of one model behind it.
#[derive(Debug)]
struct Held {
    marks: Marks,
    /// What told of it last, as it was relayed.
    last: Arc<pb::KeyState>,
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
        let id_fits = |id: &str| !id.is_empty() && id.len() <= MAX_ID;
        let names_fit = id_fits(&state.upstream_key_id) && state.group_id.len() <= MAX_ID;
        let Some(observed) = key_news::observed(&state) else { return false };
        if !names_fit || state.model.len() > MAX_MODEL {
            return false;
        }
        let now = steady_ms();
        if state.observed_at_ms <= 0 {
            state.observed_at_ms = now;
        }
        let (observed, at) = believed(observed, state.observed_at_ms, now);
        let news = Marks::of(observed, at, u16::try_from(state.status).unwrap_or_default());
        // A node whose clock is not believed hears from here what its state was taken for.
        if at == state.observed_at_ms {
            node_id.clone_into(&mut state.node_id);
        } else {
            state.node_id.clear();
        }
        if let Some((end, _)) = state.reason.char_indices().nth(MAX_REASON) {
            state.reason.truncate(end);
        }
        state.observed_at_ms = at;
        // What is told is what it was taken for: no longer than the longest.
        if let Some((taken, _, _)) = news.told(at).find(|(told, _, _)| *told != Observed::Worked) {
            state.until_ms = key_news::message(taken).until_ms;
        }
        let about = (state.upstream_key_id.clone(), state.model.clone());
        let state = Arc::new(state);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = current.get_mut(&about) {
            if !held.marks.merge(&news) {
                return true;
            }
            held.last = Arc::clone(&state);
        } else {
            if news.is_over(now) {
                return true;
            }
            if current.len() >= self.kept {
                make_room(&mut current, now);
            }
            current.insert(about, Held { marks: news, last: Arc::clone(&state) });
        }
        // News are sent under the lock, so that they come in the order in which states are kept. It is no error when
        // nobody listens.
        let _ = self.news.send(state);
        true
    }

    /// The states that are known now, and the news from now on.
    pub(crate) fn follow(&self) -> (Vec<Arc<pb::KeyState>>, broadcast::Receiver<Arc<pb::KeyState>>) {
        let now = steady_ms();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.retain(|_, held| !held.marks.is_over(now));
        let known = current.values().flat_map(|held| messages(held, now)).collect();
        (known, self.news.subscribe())
    }
}

/// The messages that tell of `held` at `now`.
fn messages(held: &Held, now: i64) -> impl Iterator<Item = Arc<pb::KeyState>> {
    held.marks.told(now).map(move |(observed, observed_at_ms, status)| {
        let last = held.last.as_ref();
        // The words are those of the newest news, and belong to no other.
        let words = |at: i64| if last.observed_at_ms == at { last.reason.clone() } else { String::new() };
        Arc::new(pb::KeyState {
            upstream_key_id: last.upstream_key_id.clone(),
            group_id: last.group_id.clone(),
            model: last.model.clone(),
            node_id: last.node_id.clone(),
            reason: words(observed_at_ms),
            status: status.into(),
            observed_at_ms,
            ..key_news::message(observed)
        })
    })
}

fn make_room(current: &mut HashMap<(String, String), Held>, now: i64) {
    let before = current.len();
    current.retain(|_, held| !held.marks.is_over(now));
    if current.len() == before {
        let oldest = current.iter().min_by_key(|(_, held)| held.marks.newest()).map(|(about, _)| about.clone());
        if let Some(oldest) = oldest {
            current.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
