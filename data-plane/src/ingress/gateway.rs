//! What every request needs.

use std::sync::Arc;

use anyhow::Result;
use shared::telemetry::Metrics;
use tokio::sync::mpsc;

use crate::attempt::Walker;
use crate::conversations::Conversations;
use crate::limits::RequestLimits;
use crate::media::MediaFetcher;
use crate::metrics::RequestMetrics;
use crate::node::Node;
use crate::route::current::ConfigState;
use crate::route::health::KeyState;
use crate::route::owners::Owners;
use crate::signatures::Signatures;
use crate::upstream::Upstream;
use crate::usage::UsageSink;
use crate::usage::meter::Recorder;

/// What every request needs.
#[derive(Debug)]
pub struct Gateway {
    pub(super) config: ConfigState,
    pub(super) recorder: Arc<Recorder>,
    pub(super) limits: RequestLimits,
    pub(super) attempts: Walker,
    pub(super) owners: Arc<Owners>,
    pub(super) signatures: Arc<Signatures>,
    pub(super) conversations: Arc<Conversations>,
    pub(super) media: MediaFetcher,
}

impl Gateway {
    /// Serves from `config`, gives usage records to `usage`, and what it learns about upstream keys to `key_states`.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(
        config: ConfigState,
        usage: UsageSink,
        node: Arc<Node>,
        limits: RequestLimits,
        key_states: mpsc::Sender<KeyState>,
        metrics: &Metrics,
    ) -> Result<Arc<Self>> {
        let metrics = RequestMetrics::register(metrics, &node);
        Ok(Arc::new(Self {
            config,
            recorder: Arc::new(Recorder { sink: usage, node, metrics }),
            media: MediaFetcher::new(limits.media),
            limits,
            attempts: Walker::new(Upstream::new()?, key_states),
            owners: Arc::default(),
            signatures: Arc::default(),
            conversations: Arc::default(),
        }))
    }
}
