//! What nodes have learnt about upstream keys. It is relayed to the other nodes, kept for those that connect later, and
//! kept in the database, for the nodes of other control planes and for the time after a restart.
//!
//! Each state carries the time of its observation, by the clock of the database, which nodes are told when they
//! connect. The newer state wins (`shared::marks`), and older news is not relayed.
//!
//! - `keeping`: the database, which is written behind the news and read at the start.
//! - `hearing`: what other control planes write there.
//! - `standing`: what is shown of a key.

mod hearing;
mod keeping;
mod standing;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared::clock::FleetClock;
use shared::key_news;
use shared::marks::{MOST_AHEAD_MS, Marks, Observed, Outage, believed};
use shared::pb;
use tokio::sync::{Notify, broadcast};

use crate::store::key_states::StoredKeyState;

pub(crate) use hearing::hear;
pub(crate) use keeping::keep;
pub use standing::{KeyCondition, KeyStanding, ModelStanding};

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
    current: Mutex<Current>,
    most: usize,
    /// Tells that there is something that the database lacks.
    changed: Notify,
    clock: FleetClock,
    /// Number of the write to the database up to which all is known here.
    heard: AtomicI64,
}

/// The id of an upstream key, and a model behind it; empty for the whole key.
type About = (String, String);

#[derive(Debug, Default)]
struct Current {
    states: HashMap<About, Held>,
    /// What the database does not have as it is here. All of it is among `states`.
    unkept: HashSet<About>,
}

/// What is known of an upstream key, or of one model behind it.
#[derive(Debug)]
struct Held {
    state: StoredKeyState,
    /// The node that told of it last; empty where none did.
    node_id: String,
}

impl Default for KeyStates {
    fn default() -> Self {
        Self::bounded(QUEUE, KEPT)
    }
}

impl KeyStates {
    pub(crate) fn bounded(queue: usize, most: usize) -> Self {
        Self {
            news: broadcast::Sender::new(queue),
            current: Mutex::default(),
            most,
            changed: Notify::new(),
            clock: FleetClock::default(),
            heard: AtomicI64::default(),
        }
    }

    /// Now, in epoch milliseconds of the fleet's clock.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Takes in what the node `node_id` observed. Returns whether it was of any use.
    pub(crate) fn observed(&self, node_id: &str, mut message: pb::KeyState) -> bool {
        // A database may not take a zero byte in a text.
        let plain = |text: &str, most: usize| text.len() <= most && !text.contains('\0');
        let id = &message.upstream_key_id;
        let names_fit = !id.is_empty() && plain(id, MAX_ID) && plain(&message.group_id, MAX_ID);
        let Some(observed) = key_news::observed(&message) else { return false };
        if !names_fit || !plain(&message.model, MAX_MODEL) {
            return false;
        }
        let now = self.now();
        if message.observed_at_ms <= 0 {
            message.observed_at_ms = now;
        }
        let (observed, at) = believed(observed, message.observed_at_ms, now);
        let marks = Marks::of(observed, at, u16::try_from(message.status).unwrap_or_default());
        // A node whose clock is not believed hears from here what its state was taken for.
        if at == message.observed_at_ms {
            node_id.clone_into(&mut message.node_id);
        } else {
            message.node_id.clear();
        }
        message.reason =
            message.reason.chars().take(MAX_REASON).map(|char| if char == '\0' { ' ' } else { char }).collect();
        message.observed_at_ms = at;
        // What is told is what it was taken for: no longer than the longest.
        if let Some((taken, _, _)) = marks.told(at).find(|(told, _, _)| *told != Observed::Worked) {
            message.until_ms = key_news::message(taken).until_ms;
        }
        let mut news = StoredKeyState {
            upstream_key_id: message.upstream_key_id.clone(),
            model: message.model.clone(),
            group_id: message.group_id.clone(),
            marks,
            ..StoredKeyState::default()
        };
        for outage in Outage::ALL.into_iter().filter(|outage| marks.mark(*outage).at != 0) {
            news.words.set(outage, &message.reason);
        }
        let about = keeping::about(&news);
        let mut current = self.current();
        if self.add(&mut current, news, &message.node_id, now) {
            current.unkept.insert(about);
            self.changed.notify_one();
            self.tell(message);
        }
        true
    }

    /// Adds `news` to what is known. Says whether it is worth telling.
    fn add(&self, current: &mut Current, news: StoredKeyState, node_id: &str, now: i64) -> bool {
        let about = (news.upstream_key_id.clone(), news.model.clone());
        if let Some(held) = current.states.get_mut(&about) {
            if !held.state.merge(&news) {
                return false;
            }
            held.state.group_id = news.group_id;
            node_id.clone_into(&mut held.node_id);
        } else {
            if news.marks.is_over(now) {
                return false;
            }
            if current.states.len() >= self.most {
                current.make_room(now);
            }
            current.states.insert(about, Held { state: news, node_id: node_id.to_owned() });
        }
        true
    }

    /// Sends a message to all nodes. The caller holds the lock, so that news come in the order in which states are
    /// kept.
    fn tell(&self, message: pb::KeyState) {
        // It is no error when nobody listens.
        let _ = self.news.send(Arc::new(message));
    }

    /// Takes in what the database has from others: a control plane, or an operator. All nodes are told what is new.
    /// What lies further ahead of the fleet's clock than can be is left alone: its writer did not know that clock.
    pub(crate) fn learn(&self, news: Vec<StoredKeyState>) {
        let now = self.now();
        let mut current = self.current();
        for state in news.into_iter().filter(|state| state.marks.newest() <= now.saturating_add(MOST_AHEAD_MS)) {
            let told = state.clone();
            if self.add(&mut current, state, "", now) {
                messages(&told, "", now).for_each(|message| self.tell(message));
            }
        }
    }

    /// News that the upstream key `id` works, and each model behind it of which anything is known, for [`Self::learn`].
    /// They are newer than all that is known.
    pub(crate) fn recovery(&self, group_id: &str, id: &str) -> Vec<StoredKeyState> {
        let current = self.current();
        let known: Vec<_> = current.states.iter().filter(|((key, _), _)| key == id).collect();
        let newest = known.iter().map(|(_, held)| held.state.marks.newest()).max().unwrap_or_default();
        let worked = self.now().max(newest + 1);
        let models = known.iter().map(|((_, model), _)| model.as_str()).filter(|model| !model.is_empty());
        let news = |model: &str| StoredKeyState {
            upstream_key_id: id.to_owned(),
            model: model.to_owned(),
            group_id: group_id.to_owned(),
            marks: Marks::of(Observed::Worked, worked, 0),
            ..StoredKeyState::default()
        };
        std::iter::once("").chain(models).map(news).collect()
    }

    /// The states that are known now, and the news from now on.
    pub(crate) fn follow(&self) -> (Vec<Arc<pb::KeyState>>, broadcast::Receiver<Arc<pb::KeyState>>) {
        let now = self.now();
        let mut current = self.current();
        current.forget(now);
        let known = current.states.values().flat_map(|held| messages(&held.state, &held.node_id, now).map(Arc::new));
        (known.collect(), self.news.subscribe())
    }

    /// Whether anything keeps a key or a model behind it out that a probe could end.
    pub(crate) fn any_to_probe(&self) -> bool {
        let now = self.now();
        let to_probe = |marks: &Marks| marks.refusal(now).is_some() || marks.exhaustion(now).is_some();
        self.current().states.values().any(|held| to_probe(&held.state.marks))
    }

    /// All that is known, by the id of the upstream key.
    pub(crate) fn known(&self) -> HashMap<String, Vec<StoredKeyState>> {
        let current = self.current();
        let mut known: HashMap<String, Vec<StoredKeyState>> = HashMap::new();
        for held in current.states.values() {
            known.entry(held.state.upstream_key_id.clone()).or_default().push(held.state.clone());
        }
        known
    }

    /// All that is known of the upstream key `id`.
    pub(crate) fn of(&self, id: &str) -> Vec<StoredKeyState> {
        let current = self.current();
        let of_key = current.states.values().filter(|held| held.state.upstream_key_id == id);
        of_key.map(|held| held.state.clone()).collect()
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    /// Forgets what is over at `now`. What the database has of it goes there by itself.
    fn forget(&mut self, now: i64) {
        self.states.retain(|_, held| !held.state.marks.is_over(now));
        self.unkept.retain(|about| self.states.contains_key(about));
    }

    fn make_room(&mut self, now: i64) {
        let before = self.states.len();
        self.forget(now);
        if self.states.len() == before {
            let newest = |held: &Held| held.state.marks.newest();
            let oldest = self.states.iter().min_by_key(|(_, held)| newest(held)).map(|(about, _)| about.clone());
            if let Some(oldest) = oldest {
                self.states.remove(&oldest);
                self.unkept.remove(&oldest);
            }
        }
    }
}

/// The messages that tell of `state` at `now`, of which the node `node_id` told last.
fn messages<'s>(state: &'s StoredKeyState, node_id: &'s str, now: i64) -> impl Iterator<Item = pb::KeyState> + use<'s> {
    state.marks.told(now).collect::<Vec<_>>().into_iter().map(move |(observed, observed_at_ms, status)| {
        let outage = match observed {
            Observed::Worked => None,
            Observed::Refused { .. } | Observed::Doubted { .. } => Some(Outage::Refused),
            Observed::Paused { .. } => Some(Outage::Paused),
            Observed::Guessed { .. } => Some(Outage::Guessed),
            Observed::Exhausted { .. } => Some(Outage::Exhausted),
        };
        pb::KeyState {
            upstream_key_id: state.upstream_key_id.clone(),
            group_id: state.group_id.clone(),
            model: state.model.clone(),
            node_id: node_id.to_owned(),
            reason: outage.map(|outage| state.words.of(outage).to_owned()).unwrap_or_default(),
            status: status.into(),
            observed_at_ms,
            ..key_news::message(observed)
        }
    })
}

#[cfg(test)]
mod tests;
