//! The APIs that clients speak.

use std::sync::Arc;

use axum::Router;
use shared::pb;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;

use crate::control::state::ConfigState;
use crate::limits::Limits;
use crate::node::Node;
use crate::usage::UsageSink;

/// What every request needs.
#[derive(Debug)]
pub struct Gateway {
    _usage: UsageSink,
    _key_states: mpsc::Sender<pb::KeyState>,
}

impl Gateway {
    /// Serves from `config`, gives usage records to `usage`, and what it learns about upstream keys to `key_states`.
    ///
    /// # Errors
    /// Never yet.
    pub fn new(
        config: ConfigState,
        usage: UsageSink,
        node: Arc<Node>,
        limits: Limits,
        key_states: mpsc::Sender<pb::KeyState>,
        metrics: &Metrics,
    ) -> anyhow::Result<Arc<Self>> {
        let _ = (config, node, limits, metrics);
        Ok(Arc::new(Self { _usage: usage, _key_states: key_states }))
    }
}

/// `/v1/*`.
pub fn router(gateway: Arc<Gateway>) -> Router {
    let _ = gateway;
    Router::new()
}
