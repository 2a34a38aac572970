//! What other nodes hear of upstream keys.

use tokio::sync::mpsc;
use tracing::{debug, info};

use crate::route::candidate::Candidate;
use crate::route::health::KeyState;

/// Tells other nodes, over the config stream.
#[derive(Debug)]
pub(super) struct Teller {
    /// What is to be told. When the queue is full, other nodes learn it by themselves.
    queue: mpsc::Sender<KeyState>,
}

impl Teller {
    /// Puts what is to be told into `queue`.
    pub(super) fn new(queue: mpsc::Sender<KeyState>) -> Self {
        Self { queue }
    }

    /// Tells that the state of the key of `candidate` has changed.
    pub(super) fn changed(&self, candidate: &Candidate, state: KeyState) {
        info!(
            group = &*candidate.group.group.name,
            upstream_key = &*candidate.key.key.masked,
            health = state.health.name(),
            status = state.status,
            "upstream key changed"
        );
        if self.queue.try_send(state).is_err() {
            debug!("other nodes are not told of a key's state: the queue is full");
        }
    }
}
